"""psycopg2: libpq's simple protocol, named cursors, COPY, polling."""

import datetime
import decimal
import io
import select
import threading
import uuid

import psycopg2
import psycopg2.extensions
import psycopg2.extras

import common
from common import same, section, show, sleeping, until

FIELDS = [name for name in dir(psycopg2.extensions.Diagnostics) if not name.startswith("_")]


def connect(**settings):
    conn = psycopg2.connect("", **settings)
    conn.autocommit = True
    return conn


def fails(what, action):
    try:
        action()
    except psycopg2.Error as error:
        told = {name: getattr(error.diag, name) for name in FIELDS}
        show(what, type(error).__name__, error.pgcode, {k: v for k, v in told.items() if v is not None})
    else:
        raise SystemExit(f"{what}: no error")


def statements(conn):
    section("types and statements")
    cur = conn.cursor()
    psycopg2.extras.register_uuid()
    psycopg2.extras.register_composite("pair", cur)
    utc = datetime.timezone.utc
    for value in [
        None, True, 1, 2**62, 1.5, decimal.Decimal("1.10"), "é 'x' \\", datetime.date(2026, 1, 2), uuid.UUID(int=7),
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=utc), datetime.timedelta(1, 2), [1, None], ["a", "b"],
    ]:  # fmt: skip
        cur.execute("SELECT %s", (value,))
        same(cur.fetchone()[0], value)
    cur.execute("SELECT %s::jsonb, %s::bytea, ROW(1, 'x')::pair", (psycopg2.extras.Json({"a": 1}), b"\0\xff"))
    row = cur.fetchone()
    show("others", row[0], bytes(row[1]), row[2], [c.name for c in cur.description])
    psycopg2.extras.execute_values(cur, "INSERT INTO parents (name) VALUES %s RETURNING id", [(f"v{i}",) for i in range(250)])
    psycopg2.extras.execute_batch(cur, "UPDATE parents SET name = %s WHERE id = %s", [(f"w{i}", i) for i in range(250)])
    cur.execute("SELECT 1; SELECT 2")
    show("the last of two", cur.fetchall(), cur.statusmessage, cur.rowcount)
    show("parameters", [conn.get_parameter_status(n) for n in ("server_version", "TimeZone", "is_superuser")])
    with psycopg2.connect("") as other, other.cursor("named", cursor_factory=psycopg2.extras.DictCursor) as named:
        named.itersize = 7
        named.execute("SELECT generate_series(1, 100) AS g")
        same([row["g"] for row in named], list(range(1, 101)))


def errors(conn):
    section("errors and transactions")
    cur = conn.cursor()
    for what, text in common.ERRORS:
        fails(what, lambda: cur.execute(text))
    with psycopg2.connect("") as other:
        other.set_session(isolation_level="SERIALIZABLE", readonly=True)
        with other.cursor() as inside:
            fails("read only", lambda: inside.execute("DELETE FROM parents"))
            fails("failed", lambda: inside.execute("SELECT 1"))
            show("status", other.get_transaction_status(), other.rollback(), other.get_transaction_status())


def copy(conn):
    section("COPY")
    cur = conn.cursor()
    cur.execute("CREATE TABLE copied (i int, t text)")
    cur.copy_from(io.StringIO("".join(f"{i}\té{i}\n" for i in range(50000))), "copied")
    out = io.StringIO()
    cur.copy_expert("COPY copied TO STDOUT (FORMAT csv, HEADER)", out)
    show("out", out.getvalue(), cur.rowcount)
    fails("bad", lambda: cur.copy_from(io.StringIO("x\ty\n" * 10000), "copied"))
    fails("out of nowhere", lambda: cur.copy_to(out, "nowhere"))


def messages(conn):
    section("notices, notifications, cancel, polling")
    cur = conn.cursor()
    cur.execute("DO $$ BEGIN RAISE NOTICE 'one' USING HINT = 'h'; RAISE WARNING 'two'; END $$; LISTEN channel")
    show("notices", conn.notices)
    with connect() as other:
        other.cursor().execute("NOTIFY channel, 'é'; NOTIFY channel")
    until("both", lambda: select.select([conn], [], [], 1)[0] and conn.poll() == 0 and len(conn.notifies) == 2)
    show("got", [(n.channel, n.payload) for n in conn.notifies])
    sleeper = connect(application_name="psycopg2")

    def press():
        looking = connect().cursor()

        def asleep():
            looking.execute(sleeping("psycopg2"))
            return looking.fetchone()[0] == 1

        until("it sleeps", asleep)
        sleeper.cancel()

    thread = threading.Thread(target=press)
    thread.start()
    fails("cancelled", lambda: sleeper.cursor().execute("SELECT pg_sleep(60)"))
    thread.join()
    fails("timeout", lambda: sleeper.cursor().execute("SET statement_timeout = '50ms'; SELECT pg_sleep(60)"))
    polled = psycopg2.connect("", async_=True)
    psycopg2.extras.wait_select(polled)
    cur = polled.cursor()
    cur.execute("SELECT repeat('x', 1000000), pg_sleep(0.01)")
    psycopg2.extras.wait_select(polled)
    show("polled", len(cur.fetchone()[0]))


def big(conn):
    section("big values")
    text = "0123456789" * 1_000_000
    cur = conn.cursor()
    cur.execute("SELECT %s", (text,))
    same(cur.fetchone()[0], text)
    cur.execute("SELECT %s::bytea", (bytes(range(256)) * 40_000,))
    same(bytes(cur.fetchone()[0]), bytes(range(256)) * 40_000)


def main():
    common.client("psycopg2", psycopg2.__version__.split()[0], f"(libpq {psycopg2.extensions.libpq_version()})")
    conn = connect()
    conn.cursor().execute(common.SCHEMA)
    for part in (statements, errors, copy, messages, big):
        part(conn)


main()
