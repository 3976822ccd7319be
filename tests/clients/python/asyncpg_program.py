"""asyncpg: its own implementation of the protocol, binary and extended throughout."""

import asyncio
import datetime
import decimal
import io
import ipaddress
import json
import uuid

import asyncpg

import common
from common import same, section, show, sleeping

FIELDS = (
    "severity sqlstate message detail hint position internal_position internal_query context schema_name table_name "
    "column_name data_type_name constraint_name server_source_filename server_source_line server_source_function"
).split()


async def connect(**settings):
    return await asyncpg.connect(ssl=False, **settings)


async def fails(what, awaitable):
    try:
        await awaitable
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        told = {name: getattr(error, name, None) for name in FIELDS}
        show(what, type(error).__name__, str(error), {k: v for k, v in told.items() if v is not None})
    else:
        raise SystemExit(f"{what}: no error")


async def types(conn):
    section("types, introspection of user types")
    utc = datetime.timezone.utc
    for kind, value in [
        ("bool", True), ("int2", -1), ("int4", 2**31 - 1), ("int8", -(2**63)), ("float4", 1.5), ("float8", 1e300),
        ("numeric", decimal.Decimal("-12345678901234567890.0123456789")), ("text", "élève 🐘"), ("varchar", ""),
        ("bytea", bytes(range(256))), ("uuid", uuid.UUID(int=7)), ("date", datetime.date(2026, 2, 28)),
        ("time", datetime.time(23, 59, 59, 999999)), ("timestamp", datetime.datetime(2026, 1, 2, 3, 4, 5, 6)),
        ("timestamptz", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=utc)), ("interval", datetime.timedelta(days=3)),
        ("inet", ipaddress.ip_interface("10.0.0.1/8")), ("cidr", ipaddress.ip_network("::/64")), ("json", '{"a": 1}'),
        ("jsonb", '{"a": 1}'), ("int4[]", [1, None, 3]), ("text[]", [["a"], ["b"]]), ("mood", "happy"), ("text", None),
        ("int4range", asyncpg.Range(1, 10)), ("int4multirange", [asyncpg.Range(1, 3), asyncpg.Range(5, 7)]),
        ("point", asyncpg.Point(1, 2)), ("bit varying", asyncpg.BitString("101")), ("pair", (1, "b")), ("pair[]", [(1, None)]),
        ("mood[]", ["sad"]), ("oid", 1), ("name", "n"), ("path", asyncpg.Path(asyncpg.Point(0, 0), asyncpg.Point(1, 1))),
    ]:  # fmt: skip
        back = await conn.fetchval(f"SELECT $1::{kind}", value)
        same(tuple(back) if kind == "pair" else back, value)
        show(kind, [(point.x, point.y) for point in back.points] if kind == "path" else back)
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    show("codec", await conn.fetchval("SELECT $1::jsonb", {"a": [1, "é"]}))
    await fails("value", conn.fetchval("SELECT $1::int", "x"))


async def statements(conn):
    section("statements: prepared, many, simple")
    show("status", await conn.execute("INSERT INTO parents (name) VALUES ('a'), ('b'); SELECT 1; SELECT 2"))
    prepared = await conn.prepare("SELECT id, name FROM parents WHERE id = $1 OR name = $2")
    show("described", prepared.get_parameters(), prepared.get_attributes())
    show("rows", await prepared.fetch(1, "b"), prepared.get_statusmsg())
    show("explained", [*(await prepared.explain(1, "b"))[0]])
    await conn.executemany("INSERT INTO parents (name) VALUES ($1)", [(f"many {i}",) for i in range(1000)])
    await fails("many", conn.executemany("INSERT INTO parents (name) VALUES ($1)", [("new",), ("a",), ("newer",)]))
    show("count", await conn.fetchval("SELECT count(*) FROM parents"))
    show("returned", await conn.fetchmany("INSERT INTO parents (name) VALUES ($1) RETURNING name", [("r1",), ("r2",)]))
    await conn.execute("ALTER TABLE parents ADD COLUMN extra int")
    show("after a change", await conn.fetch("SELECT * FROM parents WHERE id = 1"))
    for i in range(300):  # More than its cache of statements holds.
        same(await conn.fetchval(f"SELECT {i} + $1::int", 1), i + 1)
    show("nothing", await conn.fetch(""), await conn.fetch("-- x"))
    small = await connect(statement_cache_size=0)
    show("not cached", await small.fetchval("SELECT $1::int", 3))
    await small.close()
    settings = conn.get_settings()
    show("settings", *[(n, getattr(settings, n)) for n in ("client_encoding", "server_version", "TimeZone", "is_superuser")])
    show("version", conn.get_server_version())


async def errors(conn):
    section("errors")
    for what, text in common.ERRORS:
        await fails(what, conn.execute(text))
        await fails(what + ", prepared", conn.fetch(text))
    show("after", await conn.fetchval("SELECT 1"))
    await fails("too many", conn.fetchval("SELECT 1", *range(40000)))
    other = await connect()
    await fails("ended", other.execute("SELECT pg_terminate_backend(pg_backend_pid())"))
    show("closed", other.is_closed())


async def transactions(conn):
    section("transactions and cursors")
    async with conn.transaction(isolation="serializable", readonly=True, deferrable=True):
        await fails("read only", conn.execute("DELETE FROM children"))
    async with conn.transaction():
        await conn.execute("INSERT INTO parents (name) VALUES ('outer')")
        try:
            async with conn.transaction():
                await conn.execute("INSERT INTO parents (name) VALUES ('inner')")
                raise ValueError
        except ValueError:
            pass
        same([r[0] async for r in conn.cursor("SELECT generate_series(1, 100)", prefetch=7)], list(range(1, 101)))
        cursor = await conn.cursor("SELECT generate_series(1, $1::int)", 20)
        show("fetched", await cursor.fetchrow(), await cursor.forward(5), await cursor.fetch(3), await cursor.fetch(100))
        failing = await conn.cursor("SELECT 10/(5 - g) FROM generate_series(1, 9) g")
        show("so far", await failing.fetch(3))
    show("kept", await conn.fetch("SELECT name FROM parents WHERE name IN ('outer', 'inner')"))
    try:
        async with conn.transaction():
            failing = await conn.cursor("SELECT 10/(5 - g) FROM generate_series(1, 9) g")
            await failing.fetch(9)
    except asyncpg.PostgresError as error:
        show("cursor", type(error).__name__, conn.is_in_transaction())


async def copy(conn):
    section("COPY")
    await conn.execute("CREATE TABLE copied (i int, t text)")
    records = [(i, None if i % 7 == 0 else "x" * (i % 50)) for i in range(10000)]
    show("records", await conn.copy_records_to_table("copied", records=records))
    out = io.BytesIO()
    show("out", await conn.copy_from_query("SELECT * FROM copied WHERE i < $1 ORDER BY i", 100, output=out, format="csv"), out.getvalue())
    out = io.BytesIO()
    await conn.copy_from_table("copied", output=out, format="binary")
    out.seek(0)
    show("in", await conn.copy_to_table("copied", source=out, format="binary"), await conn.fetchval("SELECT count(*) FROM copied"))
    await fails("bad", conn.copy_to_table("copied", source=io.BytesIO(b"1,a\nx,b\n" * 10000), format="csv"))

    async def gives_up():
        yield b"1,a\n"
        raise ValueError("I will not")

    try:
        await conn.copy_to_table("copied", source=gives_up(), format="csv")
    except ValueError as error:
        show("given up", str(error))
    show("after", await conn.fetchval("SELECT count(*) FROM copied"))


async def messages(conn):
    section("notices and notifications")
    conn.add_log_listener(lambda _, message: show("log", message.severity, message.sqlstate, message.message, message.detail))
    await conn.execute("DO $$ BEGIN RAISE NOTICE 'one' USING DETAIL = 'd'; RAISE WARNING 'two'; END $$")
    got = asyncio.Queue()
    await conn.add_listener("channel", lambda _, pid, channel, payload: got.put_nowait((channel, payload)))
    other = await connect()
    for i in range(3):
        await other.execute("SELECT pg_notify('channel', $1)", f"é {i}")
    await conn.execute("NOTIFY channel")
    show("got", *[await asyncio.wait_for(got.get(), 30) for _ in range(4)])
    await other.close()
    await conn.reset()
    await asyncio.sleep(0)  # Log listeners run in the next turn of the loop.


async def cancelling(conn):
    section("cancel and timeouts")
    sleeper = await connect(server_settings={"application_name": "task", "statement_timeout": "40s"})
    task = asyncio.create_task(sleeper.fetch("SELECT pg_sleep(60)"))
    while await conn.fetchval(sleeping("task")) != 1:
        await asyncio.sleep(0.005)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        show("cancelled")
    show("after", await sleeper.fetchval("SELECT 1"))
    try:
        await sleeper.fetch("SELECT pg_sleep(60)", timeout=0.1)
    except asyncio.TimeoutError:
        show("timeout of the driver")
    show("after", await sleeper.fetchval("SELECT 2"))
    await sleeper.execute("SET statement_timeout = '50ms'")
    await fails("timeout of the server", sleeper.fetch("SELECT pg_sleep(60)"))
    await sleeper.close()


async def pool():
    section("pool")
    async with asyncpg.create_pool(min_size=2, max_size=4, ssl=False) as connections:
        async def one(i):
            async with connections.acquire() as conn, conn.transaction():
                return await conn.fetchval("SELECT $1::int + count(*) FROM generate_series(1, 10)", i)

        same(await asyncio.gather(*[one(i) for i in range(60)]), [i + 10 for i in range(60)])
        await fails("in the pool", connections.fetch("SELECT 1/0"))
        show("after", await connections.fetchval("SELECT 1"))


async def big(conn):
    section("big values")
    text = "0123456789" * 1_000_000
    same(await conn.fetchval("SELECT $1::text", text), text)
    blob = bytes(range(256)) * 40_000
    await conn.execute("INSERT INTO children (id, body) VALUES (1, $1)", blob)
    same(await conn.fetchval("SELECT body FROM children WHERE id = 1"), blob)
    same(await conn.fetchval(f"SELECT length('{text}')"), 10_000_000)
    rows = await conn.fetch("SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g")
    same((len(rows), rows[-1][0]), (100000, 100000))


async def main():
    common.client("asyncpg", asyncpg.__version__)
    conn = await connect()
    await conn.execute(common.SCHEMA)
    for part in (types, statements, errors, transactions, copy, messages, cancelling, big):
        await part(conn)
    await conn.close()
    await pool()


asyncio.run(main())
