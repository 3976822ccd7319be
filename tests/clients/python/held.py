"""A statement that waits and is approved, one that is rejected, and one that is rejected inside a transaction; with
the driver that is named. What is printed is what the test expects."""

import asyncio
import sys

import common
from common import address, url

INSERT = "INSERT INTO items (id, name) VALUES ({}, {})"
DELETE = "DELETE FROM items WHERE id = {}"


def refused(error, sqlstate, message):
    print(type(error).__name__, sqlstate, str(message).splitlines()[0], flush=True)


def with_psycopg():
    import psycopg

    common.client("psycopg", psycopg.__version__)
    with psycopg.connect(autocommit=True) as conn:
        notices = []
        conn.add_notice_handler(lambda told: notices.append(told.message_primary))
        insert = conn.execute(INSERT.format("%s", "%s"), [11, "élève"], prepare=True)
        print("inserted", insert.rowcount)
        print("told", notices[0].startswith("held: INSERT"))
        try:
            conn.execute(DELETE.format("%s"), [1])
        except psycopg.Error as error:
            refused(error, error.sqlstate, error)
        print("left", conn.execute("SELECT count(*) FROM items").fetchone()[0])
        try:
            with conn.transaction():
                conn.execute(DELETE.format("%s"), [1])
        except psycopg.Error as error:
            refused(error, error.sqlstate, error)
        try:
            with conn.pipeline():
                first = conn.execute("SELECT 1")
                conn.execute(DELETE.format("%s"), [1])
                conn.execute("SELECT 2")
        except psycopg.Error as error:
            refused(error, error.sqlstate, error)
        print("before it", first.fetchone()[0])
        print("left", conn.execute("SELECT count(*) FROM items").fetchone()[0])


async def with_asyncpg():
    import asyncpg

    common.client("asyncpg", asyncpg.__version__)
    conn = await asyncpg.connect(ssl=False)
    print("inserted", (await conn.execute(INSERT.format("$1", "$2"), 11, "élève")).split()[-1])
    try:
        await conn.execute(DELETE.format("$1"), 1)
    except asyncpg.PostgresError as error:
        refused(error, error.sqlstate, error)
    print("left", await conn.fetchval("SELECT count(*) FROM items"))
    try:
        async with conn.transaction():
            await conn.execute(DELETE.format("$1"), 1)
    except asyncpg.PostgresError as error:
        refused(error, error.sqlstate, error)
    print("left", await conn.fetchval("SELECT count(*) FROM items"))
    await conn.close()


def with_psycopg2():
    import psycopg2

    common.client("psycopg2", psycopg2.__version__.split()[0])
    conn = psycopg2.connect("")
    cur = conn.cursor()
    cur.execute(INSERT.format("%s", "%s"), (11, "élève"))
    print("inserted", cur.rowcount)
    conn.commit()
    for _ in range(2):
        try:
            cur.execute(DELETE.format("%s"), (1,))
        except psycopg2.Error as error:
            refused(error, error.pgcode, error)
        conn.rollback()
        cur.execute("SELECT count(*) FROM items")
        print("left", cur.fetchone()[0])


def with_pg8000():
    import pg8000.native

    common.client("pg8000", pg8000.__version__)
    conn = pg8000.native.Connection(**address())
    conn.run(INSERT.format(":id", ":name"), id=11, name="élève")
    print("inserted", conn.row_count)
    for begin in ("SELECT 1", "BEGIN"):
        conn.run(begin)
        try:
            conn.run(DELETE.format(":id"), id=1)
        except pg8000.native.DatabaseError as error:
            refused(error, error.args[0]["C"], error.args[0]["M"])
        if begin == "BEGIN":
            conn.run("ROLLBACK")
        print("left", conn.run("SELECT count(*) FROM items")[0][0])


def with_sqlalchemy():
    import sqlalchemy as sa

    common.client("SQLAlchemy", sa.__version__)
    engine = sa.create_engine(url("postgresql+psycopg"))
    with engine.connect() as conn:
        print("inserted", conn.execute(sa.text(INSERT.format(":id", ":name")), {"id": 11, "name": "élève"}).rowcount)
        conn.commit()
        for _ in range(2):
            try:
                conn.execute(sa.text(DELETE.format(":id")), {"id": 1})
            except sa.exc.DBAPIError as error:
                refused(error, error.orig.sqlstate, error.orig)
            conn.rollback()
            print("left", conn.execute(sa.text("SELECT count(*) FROM items")).scalar())


def with_django():
    import django
    from django.conf import settings

    at = address()
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": at["database"],
                "USER": at["user"],
                "PASSWORD": at["password"],
                "HOST": at["host"],
                "PORT": at["port"],
            }
        }
    )
    django.setup()
    from django.db import DatabaseError, models, transaction

    class Item(models.Model):
        name = models.TextField()

        class Meta:
            app_label = "here"
            db_table = "items"

    common.client("Django", django.get_version())
    Item.objects.create(id=11, name="élève")
    print("inserted", 1)
    for _ in range(2):
        try:
            with transaction.atomic():
                Item.objects.filter(id=1).delete()
        except DatabaseError as error:
            refused(error, error.__cause__.sqlstate, error)
        print("left", Item.objects.count())


if sys.argv[1] == "asyncpg":
    asyncio.run(with_asyncpg())
else:
    globals()["with_" + sys.argv[1]]()
