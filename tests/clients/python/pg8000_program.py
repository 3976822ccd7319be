"""pg8000: the protocol in pure Python, every statement extended."""

import datetime
import decimal
import io
import uuid

import pg8000.dbapi
import pg8000.native

import common
from common import address, same, section, show


def fails(what, action):
    try:
        action()
    except (pg8000.native.DatabaseError, pg8000.native.InterfaceError) as error:
        show(what, type(error).__name__, error.args[0])
    else:
        raise SystemExit(f"{what}: no error")


def statements(conn):
    section("types and statements")
    for kind, value in [
        ("int", 1), ("int8", 2**62), ("float8", 1.5), ("numeric", decimal.Decimal("1.10")), ("text", "é '"), ("bool", True),
        ("bytea", bytes(range(256))), ("date", datetime.date(2026, 1, 2)), ("uuid", uuid.UUID(int=7)), ("int[]", [1, None]),
        ("timestamp", datetime.datetime(2026, 1, 2, 3, 4, 5, 6)), ("text", None), ("jsonb", {"a": [1, None]}),
    ]:  # fmt: skip
        if kind == "jsonb":
            show(kind, conn.run("SELECT CAST(:v AS jsonb)", v='{"a": [1, null]}'))
        else:
            same(conn.run(f"SELECT CAST(:v AS {kind})", v=value), [[value]])
    show("columns", conn.columns, conn.row_count)
    show("several", conn.run("SELECT 1; SELECT 2"))
    prepared = conn.prepare("INSERT INTO parents (name) VALUES (:name) RETURNING id")
    show("prepared", [prepared.run(name=f"n{i}") for i in range(20)])
    prepared.close()
    show("statuses", {k: v for k, v in conn.parameter_statuses.items() if k in ("server_version", "TimeZone")})
    show("nothing", conn.run(""))


def errors(conn):
    section("errors and transactions")
    for what, text in common.ERRORS:
        fails(what, lambda: conn.run(text))
    conn.run("START TRANSACTION")
    fails("inside", lambda: conn.run("SELECT 1/0"))
    fails("failed", lambda: conn.run("SELECT 1"))
    conn.run("ROLLBACK")
    fails("timeout", lambda: conn.run("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(60)"))
    show("after", conn.run("SELECT count(*) FROM parents"))


def copy(conn):
    section("COPY, notices, notifications")
    conn.run("CREATE TABLE copied (i int, t text)")
    conn.run("COPY copied FROM STDIN", stream=io.BytesIO(b"".join(b"%d\tx\n" % i for i in range(20000))))
    out = io.BytesIO()
    conn.run("COPY copied TO STDOUT (FORMAT csv)", stream=out)
    show("out", out.getvalue())
    fails("bad", lambda: conn.run("COPY copied FROM STDIN", stream=io.BytesIO(b"x\ty\n" * 10000)))
    conn.run("DO $$ BEGIN RAISE NOTICE 'one' USING HINT = 'h'; END $$")
    show("notices", *[{k: v for k, v in notice.items()} for notice in conn.notices])
    conn.run("LISTEN channel")
    conn.run("NOTIFY channel, 'own'")
    conn.run("SELECT 1")
    show("got", *[(channel, payload) for _, channel, payload in conn.notifications])


def dbapi():
    section("DB-API")
    conn = pg8000.dbapi.connect(**address())
    cur = conn.cursor()
    cur.executemany("INSERT INTO parents (name) VALUES (%s)", [(f"d{i}",) for i in range(50)])
    cur.execute("SELECT count(*) FROM parents WHERE name LIKE %s", ("d%",))
    show("inserted", cur.fetchone(), cur.description)
    conn.rollback()
    cur.execute("SELECT count(*) FROM parents WHERE name LIKE %s", ("d%",))
    show("rolled back", cur.fetchone())
    text = "0123456789" * 1_000_000
    cur.execute("SELECT CAST(%s AS text)", (text,))
    same(cur.fetchone()[0], text)
    conn.close()


def main():
    common.client("pg8000", pg8000.__version__)
    conn = pg8000.native.Connection(**address())
    conn.run(common.SCHEMA)
    for part in (statements, errors, copy):
        part(conn)
    dbapi()
    conn.close()


main()
