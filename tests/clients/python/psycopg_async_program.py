"""psycopg 3, async: a pool, tasks that share a connection, pipelines, COPY, cancelled tasks."""

import asyncio

import psycopg
import psycopg_pool
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

import common
from common import same, section, show, sleeping


async def connect(**settings):
    return await AsyncConnection.connect(autocommit=True, **settings)


async def fails(what, awaitable):
    try:
        await awaitable
    except psycopg.Error as error:
        show(what, type(error).__name__, error.sqlstate, str(error))
    else:
        raise SystemExit(f"{what}: no error")


async def pool():
    section("pool")
    async with AsyncConnectionPool(min_size=2, max_size=4, kwargs={"autocommit": True}, open=False) as connections:
        async def one(i):
            async with connections.connection() as conn, conn.transaction():
                cur = await conn.execute("SELECT %s::int + count(*) FROM generate_series(1, 10)", [i])
                return (await cur.fetchone())[0]

        same(await asyncio.gather(*[one(i) for i in range(50)]), [i + 10 for i in range(50)])
        async with connections.connection() as conn:
            await fails("in the pool", conn.execute("SELECT 1/0"))
        await connections.check()
        show("checked", sorted(connections.get_stats())[:2])


async def shared(conn):
    section("one connection, many tasks")

    async def one(i):
        cur = await conn.execute("SELECT %s::int", [i])
        return (await cur.fetchone())[0]

    same(await asyncio.gather(*[one(i) for i in range(100)]), list(range(100)))


async def pipelines(conn):
    section("pipelines")
    async with conn.pipeline() as pipe:
        asked = [await conn.execute("SELECT %s::text", ["é" * i]) for i in range(300)]
        await pipe.sync()
        same([(await one.fetchone())[0] for one in asked], ["é" * i for i in range(300)])
        blob = bytes(100_000)
        asked = [await conn.execute("SELECT %b::bytea", [blob]) for i in range(40)]
        same([(await one.fetchone())[0] for one in asked], [blob] * 40)
    for bad in range(3):
        try:
            async with conn.pipeline():
                asked = [await conn.execute("SELECT 1/%s::int", [0 if i == bad else 1]) for i in range(3)]
                for i, one in enumerate(asked):
                    show(f"{bad} {i}", await one.fetchone())
        except psycopg.Error as error:
            show(f"{bad}", type(error).__name__, str(error))
        show("state", conn.info.transaction_status)


async def cursors(conn):
    section("cursors and streams")
    async with conn.transaction(), conn.cursor("c") as cur:
        await cur.execute("SELECT generate_series(1, 1000)")
        cur.itersize = 99
        same([row[0] async for row in cur], list(range(1, 1001)))
    same([row[0] async for row in conn.cursor().stream("SELECT generate_series(1, 1000)", size=10)], list(range(1, 1001)))


async def copy(conn):
    section("COPY")
    await conn.execute("CREATE TABLE copied (i int, t text)")
    async with conn.cursor() as cur:
        async with cur.copy("COPY copied FROM STDIN (FORMAT binary)") as into:
            into.set_types(["int4", "text"])
            for i in range(20000):
                await into.write_row([i, "x" * (i % 100)])
        show("in", cur.statusmessage)
        async with cur.copy("COPY (SELECT * FROM copied ORDER BY i) TO STDOUT") as out:
            rows = [tuple(row) async for row in out.rows()]
        same(rows, [(str(i), "x" * (i % 100)) for i in range(20000)])

        async def broken():
            async with conn.cursor().copy("COPY copied FROM STDIN") as into:
                for i in range(1000):
                    await into.write("x\ty\n" * 100)

        await fails("a bad row", broken())
    same(await (await conn.execute("SELECT count(*) FROM copied")).fetchone(), (20000,))


async def notifications(conn):
    section("notifications")
    await conn.execute("LISTEN channel")
    async with await connect() as other:
        for i in range(5):
            await other.execute("SELECT pg_notify('channel', %s)", [str(i)])
    got = [n.payload async for n in conn.notifies(timeout=30, stop_after=5)]
    show("got", *got)


async def cancelling(conn):
    section("cancelled tasks")
    async with await connect(application_name="task") as sleeper:
        task = asyncio.create_task(sleeper.execute("SELECT pg_sleep(60)"))
        while (await (await conn.execute(sleeping("task"))).fetchone())[0] != 1:
            await asyncio.sleep(0.005)
        task.cancel()
        try:
            await task
        except (asyncio.CancelledError, psycopg.Error) as error:
            show("cancelled", type(error).__name__)
        show("after", await (await sleeper.execute("SELECT 1")).fetchone(), sleeper.info.transaction_status)
    await conn.execute("SET statement_timeout = '50ms'")
    await fails("timeout", conn.execute("SELECT pg_sleep(60)"))
    await conn.execute("SET statement_timeout = 0")


async def main():
    common.client("psycopg async", psycopg.__version__, f"(pool {psycopg_pool.__version__})")
    await pool()
    async with await connect() as conn:
        for part in (shared, pipelines, cursors, copy, notifications, cancelling):
            await part(conn)


asyncio.run(main())
