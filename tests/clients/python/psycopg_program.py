"""psycopg 3: sync, with both ways of binding and both formats."""

import collections
import datetime
import decimal
import enum
import ipaddress
import threading
import uuid

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, scalar_row
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

import common
from common import brief, same, section, show, sleeping, until

Mood = enum.Enum("Mood", ["sad", "ok", "happy"])
Pair = collections.namedtuple("Pair", ["a", "b"])
DIAGNOSTICS = [name for name in dir(psycopg.errors.Diagnostic) if not name.startswith("_")]


def connect(**settings):
    return psycopg.connect(autocommit=True, **settings)


def fails(what, action):
    """Shows how `action` fails: the driver's class, and each field of the server's message."""
    try:
        action()
    except psycopg.Error as error:
        told = {name: getattr(error.diag, name, None) for name in DIAGNOSTICS}
        show(what, type(error).__name__, str(error), {k: v for k, v in told.items() if isinstance(v, str)})
    else:
        raise SystemExit(f"{what}: no error")


def greeting():
    section("connection")
    with connect(application_name="greeting") as conn:
        for name in (
            "server_version server_encoding client_encoding application_name is_superuser session_authorization "
            "DateStyle IntervalStyle TimeZone integer_datetimes standard_conforming_strings in_hot_standby "
            "default_transaction_read_only"
        ).split():
            show(name, conn.info.parameter_status(name))
        show("state", conn.info.transaction_status, conn.info.server_version, conn.info.encoding)
        conn.execute("SET TimeZone = 'Asia/Tokyo'; SET application_name = 'other'; SET DateStyle = 'SQL, DMY'")
        show("reported", *[conn.info.parameter_status(name) for name in ("TimeZone", "application_name", "DateStyle")])
    with connect(options="-c work_mem=77kB", client_encoding="latin1") as conn:
        show("options", conn.execute("SHOW work_mem").fetchone(), conn.info.encoding)
        show("latin1", conn.execute("SELECT %s, 'é', length('é')", ["ü"]).fetchone())
        fails("not in latin1", lambda: conn.execute("SELECT U&'\\0416'"))
    try:
        connect(options="-c work_mem=nonsense")
    except psycopg.OperationalError as error:
        show("setting", str(error).partition("FATAL")[2])


def types(conn):
    section("types, text and binary")
    register_enum(EnumInfo.fetch(conn, "mood"), conn, Mood)
    register_composite(CompositeInfo.fetch(conn, "pair"), conn, Pair)
    values = [
        ("bool", True), ("int", 0), ("int8", -(2**62)), ("numeric", 2**100), ("float8", 1.5), ("float8", float("inf")),
        ("numeric", decimal.Decimal("-12345.6789")), ("text", ""), ("text", "élève 猫 🐘"), ("text", "a'b\\c\n"),
        ("bytea", b""), ("bytea", bytes(range(256))), ("date", datetime.date(2026, 2, 28)),
        ("time", datetime.time(23, 59, 59, 999999)), ("interval", datetime.timedelta(days=400, seconds=1)),
        ("timestamp", datetime.datetime(2026, 1, 2, 3, 4, 5, 6)), ("uuid", uuid.UUID(int=7)),
        ("timestamptz", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)),
        ("inet", ipaddress.ip_address("10.0.0.1")), ("cidr", ipaddress.ip_network("::/64")), ("int[]", [1, 2, None]),
        ("text[]", [["a", "b"], ["c", None]]), ("int[]", []), ("int4range", Range(1, 10)), ("mood", Mood.happy),
        ("int4range", Range(empty=True)), ("pair", Pair(1, None)), ("text", None),
    ]  # fmt: skip
    conn.execute("SET TimeZone = 'UTC'")
    for binary in (False, True):
        for kind, value in values:
            for format in ("%t", "%b") if not isinstance(value, (Range, Pair)) else ("%s",):
                query = f"SELECT {format}::{kind}, {format}::{kind} IS NULL"
                back, is_null = conn.execute(query, [value, value], binary=binary).fetchone()
                same((back, is_null), (value, value is None))
                show(f"{kind} {format} {binary}", back)
        show("json", conn.execute("SELECT %s", [Jsonb({"a": [1, None, "é"]})], binary=binary).fetchone())
        row = conn.execute(
            "SELECT NULL, 'sad'::mood, ROW(1, NULL)::pair, ARRAY[ROW(1, 'x')::pair], '{}'::text[], 12.5::money, "
            "'(1,2)'::point, B'101', 'a b'::tsvector, '<x/>'::xml, 'pg_class'::regclass, '[1,2]'::int4range, "
            "'08:00:2b:01:02:03'::macaddr, '1 year'::interval, 'infinity'::float8, 1::oid, 'x'::\"char\", 'n'::name",
            binary=binary,
        ) if not binary else conn.execute("SELECT NULL, 'sad'::mood, ROW(1, NULL)::pair", binary=True)
        show("server's types", row.fetchone(), [(c.name, c.internal_size) for c in row.description])


def statements(conn):
    section("statements: prepared, many, several in one text, client-side binding")
    cur = conn.cursor(row_factory=dict_row)
    cur.executemany("INSERT INTO parents (name) VALUES (%s) RETURNING id, name", [["a"], ["b"], ["c"]], returning=True)
    for result in cur.results():
        show("returned", result.fetchone(), result.rowcount, result.statusmessage)
    for i in range(12):
        same(conn.execute("SELECT %s::int * 2", [i]).fetchone(), (2 * i,))  # Prepared by itself after five.
    same(conn.execute("SELECT %s::text", ["p"], prepare=True).fetchone(), ("p",))
    show("prepared", conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchone())
    conn.execute("DEALLOCATE ALL")
    cur = conn.execute("SELECT 1 AS a; UPDATE parents SET name = name; CREATE TEMP TABLE t (i int); SELECT 'x' AS b, 2")
    while True:
        show("one of several", cur.statusmessage, cur.rowcount, cur.description and [tuple(c) for c in cur.description])
        if cur.description:
            show("rows", cur.fetchall())
        if not cur.nextset():
            break
    show("nothing", conn.execute("").statusmessage, conn.execute(";;").statusmessage, conn.execute("-- x").statusmessage)
    with psycopg.ClientCursor(conn) as client_side:
        client_side.execute("SELECT %s, %s; SELECT %s", ["a'b", None, datetime.date(2026, 1, 1)])
        show("client side", client_side.fetchone())
    with psycopg.RawCursor(conn) as raw:
        show("raw", raw.execute("SELECT $2::int - $1::int", [1, 3]).fetchone())
    show("wide", len(conn.execute("SELECT " + ", ".join(f"{i} AS c{i}" for i in range(1600))).fetchone()))
    many = "SELECT ARRAY[" + ", ".join(["%s::int"] * 30000) + "]"
    same(conn.execute(many, list(range(30000))).fetchone(), (list(range(30000)),))
    fails("deep", lambda: conn.execute("SELECT " + "+".join(["1"] * 30000)))
    fails("too many parameters", lambda: conn.execute("SELECT 1" + ", %s::int" * 70000, [1] * 70000))
    show("procedure", conn.execute("DO $$ BEGIN COMMIT; END $$").statusmessage)


def errors(conn):
    section("errors")
    for what, text in common.ERRORS:
        fails(what, lambda: conn.execute(text))
        fails(what + ", prepared", lambda: conn.execute(text, prepare=True))
    try:
        conn.execute("EXECUTE nothing")
    except psycopg.Error as error:
        show("nothing prepared", type(error).__name__, error.sqlstate, str(error))
    fails("parameter", lambda: conn.execute("SELECT %s::int", ["x"]))
    fails("several, prepared", lambda: conn.execute("SELECT 1; SELECT %s", [1]))
    fails("no type", lambda: conn.execute("SELECT %s = ANY (%s)", [1, 2]))
    fails("in the middle", lambda: conn.execute("INSERT INTO parents (name) VALUES ('mid'); SELECT 1/0; SELECT 2"))
    same(conn.execute("SELECT count(*) FROM parents WHERE name = 'mid'").fetchone(), (0,))
    fails("while rows come", lambda: conn.execute("SELECT 1/(500 - g) FROM generate_series(1, 1000) g").fetchall())
    fails("end", lambda: connect(application_name="ended").execute("SELECT pg_terminate_backend(pg_backend_pid())"))


def transactions(conn):
    section("transactions")
    with conn.transaction():
        conn.execute("INSERT INTO parents (name) VALUES ('outer')")
        try:
            with conn.transaction("inner"):
                conn.execute("INSERT INTO parents (name) VALUES ('inner')")
                conn.execute("SELECT 1/0")
        except psycopg.errors.DivisionByZero:
            show("state", conn.info.transaction_status)
    show("kept", conn.execute("SELECT name FROM parents WHERE name IN ('outer', 'inner')").fetchall())
    with connect() as other:
        other.autocommit = False
        other.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        other.read_only = True
        fails("read only", lambda: other.execute("DELETE FROM parents"))
        show("state", other.info.transaction_status)
        fails("failed", lambda: other.execute("SELECT 1"))
        other.rollback()
        other.isolation_level, other.read_only = psycopg.IsolationLevel.REPEATABLE_READ, None
        other.execute("SELECT count(*) FROM parents")
        conn.execute("UPDATE parents SET name = 'changed' WHERE name = 'outer'")
        fails("serialization", lambda: other.execute("UPDATE parents SET name = 'mine' WHERE name IN ('outer')"))
        other.rollback()
        fails("two-phase", lambda: other.execute("PREPARE TRANSACTION 'one'"))
        other.rollback()
        other.execute("CREATE TABLE deferred (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        other.execute("INSERT INTO deferred VALUES (1), (1)")
        fails("at commit", other.commit)
        show("state", other.info.transaction_status)
    for text in ("COMMIT", "ROLLBACK", "BEGIN; BEGIN", "COMMIT AND CHAIN", "ROLLBACK"):
        show(text, conn.execute(text).statusmessage, conn.info.transaction_status)


def pipeline(conn):
    section("pipeline")
    with conn.pipeline() as pipe, conn.cursor() as cur:
        asked = [conn.execute("SELECT %s::int, %s::text", [i, "x" * i]) for i in range(200)]
        pipe.sync()
        same([one.fetchone() for one in asked], [(i, "x" * i) for i in range(200)])
        cur.executemany("INSERT INTO parents (name) VALUES (%s)", [[f"pipe {i}"] for i in range(100)])
        show("inserted", cur.rowcount)
    try:
        with conn.pipeline() as pipe:
            first = conn.execute("SELECT 1")
            broken = conn.execute("SELECT 1/0")
            behind = conn.execute("INSERT INTO parents (name) VALUES ('behind')")
            show("first", first.fetchone())
            fails("second", broken.fetchone)
            fails("third", behind.fetchone)
            pipe.sync()
            show("after", conn.execute("SELECT 4").fetchone())
    except psycopg.Error as error:
        show("the pipeline", type(error).__name__, str(error))
    show("state", conn.info.transaction_status, conn.execute("SELECT count(*) FROM parents").fetchone())
    with conn.transaction(), conn.pipeline():
        conn.execute("INSERT INTO parents (name) VALUES ('piped')")
        show("in a transaction", conn.execute("SELECT count(*) FROM parents WHERE name = 'piped'").fetchone())


def cursors(conn):
    section("server-side cursors")
    with conn.transaction():
        with conn.cursor("c", row_factory=scalar_row) as cur:
            cur.itersize = 7
            same(list(cur.execute("SELECT generate_series(1, %s)", [100])), list(range(1, 101)))
        with conn.cursor("s", scrollable=True, row_factory=scalar_row) as cur:
            cur.execute("SELECT generate_series(1, 20)")
            show("fetched", cur.fetchone(), cur.fetchmany(3), cur.scroll(5), cur.fetchone(), cur.scroll(-2), cur.fetchone())
            cur.scroll(19, mode="absolute")
            show("the end", cur.fetchall(), cur.fetchone())
        with conn.cursor("b", scrollable=False) as cur:
            cur.execute("SELECT g, g::text FROM generate_series(1, 5) g", binary=True)
            show("binary", cur.fetchmany(2))
    held = conn.cursor("held", withhold=True)
    show("held", held.execute("SELECT generate_series(1, 3)").fetchone(), conn.info.transaction_status)
    held.close()
    same([row[0] for row in conn.cursor().stream("SELECT generate_series(1, 1000)")], list(range(1, 1001)))
    rows = conn.cursor().stream("SELECT 10/(5 - g) FROM generate_series(1, 9) g")
    show("streamed", next(rows), next(rows))
    fails("then", lambda: list(rows))


def copy(conn):
    section("COPY: text, CSV, binary, both ways, failing")
    conn.execute("CREATE TABLE copied (i int, t text, d timestamptz)")
    cur = conn.cursor()
    with cur.copy("COPY copied FROM STDIN") as into:
        for i in range(1000):
            into.write_row([i, None if i % 10 == 0 else f"tab\t{i}\\", datetime.datetime(2026, 1, 1)])
    show("in", cur.rowcount, cur.statusmessage)
    with cur.copy("COPY copied FROM STDIN (FORMAT binary)") as into:
        into.set_types(["int4", "text", "timestamptz"])
        for i in range(1000):
            into.write_row([i, "é" * i, None])
    with cur.copy("COPY copied FROM STDIN (FORMAT csv, HEADER)") as into:
        into.write("i,t,d\n1,\"a\"\"b\",\n")
        into.write(b"2,,2026-01-01")
    show("in", cur.statusmessage, conn.execute("SELECT count(*), sum(i), sum(length(t)) FROM copied").fetchone())
    for how in ("", " (FORMAT csv)", " (FORMAT binary)"):
        with cur.copy("COPY (SELECT * FROM copied ORDER BY i, t, d) TO STDOUT" + how) as out:
            show("out" + how, b"".join(out), cur.statusmessage)
    with cur.copy("COPY copied (i, t) TO STDOUT (FORMAT binary)") as out:
        out.set_types(["int4", "text"])
        show("rows", sum(1 for _ in out.rows()))
    with connect() as other, other.cursor() as into, into.copy("COPY copied FROM STDIN (FORMAT binary)") as target:
        with cur.copy("COPY copied TO STDOUT (FORMAT binary)") as source:
            for data in source:
                target.write(data)
    show("copied over", conn.execute("SELECT count(*) FROM copied").fetchone())

    def write(what, rows):
        with conn.cursor().copy(what) as into:
            for row in rows:
                into.write(row)

    fails("a bad row", lambda: write("COPY copied FROM STDIN", ["1\tx\t\\N\n", "y\tx\t\\N\n", "3\tx\t\\N\n"]))
    fails("a bad row, much behind it", lambda: write("COPY copied (i) FROM STDIN", ["z\n"] + ["1\n" * 10000] * 100))
    fails("too few columns", lambda: write("COPY copied FROM STDIN", ["1\n"]))
    try:
        with cur.copy("COPY copied FROM STDIN") as into:
            into.write("1\tx\t\\N\n")
            raise ValueError("I will not")
    except (ValueError, psycopg.Error) as error:
        show("given up", type(error).__name__, str(error))
    fails("out", lambda: write("COPY copied TO STDOUT", ["1"]))
    fails("no table", lambda: write("COPY nowhere FROM STDIN", []))

    def read(what):
        with conn.cursor().copy(what) as out:
            for _ in out:
                pass

    fails("error in mid-stream", lambda: read("COPY (SELECT 1/(5 - g) FROM generate_series(1, 9) g) TO STDOUT"))
    cur = conn.cursor()
    try:
        with cur.copy("COPY (SELECT generate_series(1, 1000000)) TO STDOUT") as out:
            show("left early", bytes(next(iter(out))))
            raise ValueError("enough")
    except ValueError as error:
        show("left", str(error))
    show("after", conn.execute("SELECT count(*) FROM copied").fetchone(), conn.info.transaction_status)


def notices(conn):
    section("notices and notifications")
    conn.add_notice_handler(lambda d: show("notice", d.severity, d.sqlstate, d.message_primary, d.message_detail, d.message_hint))
    conn.execute("DO $$ BEGIN RAISE NOTICE 'one' USING DETAIL = 'd', HINT = 'h'; RAISE WARNING 'two'; END $$")
    conn.execute("SET client_min_messages = debug1; DROP TABLE IF EXISTS nowhere; RESET client_min_messages")
    for i in range(3):
        conn.execute("DO $$ BEGIN FOR i IN 1..20 LOOP RAISE NOTICE '%', i; END LOOP; END $$", prepare=i == 1)
    with connect() as other:
        conn.execute("LISTEN channel; LISTEN \"Other Channel\"")
        other.execute("NOTIFY channel; NOTIFY \"Other Channel\", 'é'")
        other.execute("SELECT pg_notify('channel', repeat('x', 7999))")
        conn.execute("NOTIFY channel, 'own'")
        got = [(n.channel, n.payload) for n in conn.notifies(timeout=30, stop_after=4)]
        show("got", *sorted(got))
        conn.execute("UNLISTEN *")
        fails("too long", lambda: other.execute("SELECT pg_notify('channel', repeat('x', 8000))"))


def cancelling(conn):
    section("cancel and timeouts")
    for how in ("cancel", "cancel_safe"):
        with connect(application_name=how) as sleeper:
            def press():
                until("it sleeps", lambda: conn.execute(sleeping(how)).fetchone()[0] == 1)
                getattr(sleeper, how)()

            thread = threading.Thread(target=press)
            thread.start()
            fails(how, lambda: sleeper.execute("SELECT pg_sleep(60)"))
            thread.join()
            show("after", sleeper.execute("SELECT 1").fetchone())
            sleeper.cancel_safe()
            show("nothing to cancel", sleeper.execute("SELECT 2").fetchone())
    conn.execute("SET statement_timeout = '50ms'")
    fails("timeout", lambda: conn.execute("SELECT pg_sleep(60)"))
    fails("timeout, prepared", lambda: conn.execute("SELECT pg_sleep(%s)", [60], prepare=True))
    conn.execute("SET statement_timeout = 0; SET lock_timeout = '50ms'")
    with connect() as other, other.transaction():
        other.execute("LOCK TABLE parents")
        fails("locked", lambda: conn.execute("SELECT * FROM parents"))
        fails("not waiting", lambda: conn.execute("SELECT * FROM parents FOR UPDATE NOWAIT"))
    conn.execute("RESET lock_timeout")
    with connect(options="-c idle_in_transaction_session_timeout=50ms") as idle:
        idle.execute("BEGIN")
        until("it is over", lambda: idle.pgconn.socket != -1 and select_readable(idle.pgconn.socket))
        fails("idle", lambda: idle.execute("SELECT 1"))
        show("closed", idle.closed, idle.broken)


def select_readable(socket):
    import select

    return select.select([socket], [], [], 0)[0]


def big(conn):
    section("big values")
    ten_megabytes = "0123456789" * 1_000_000
    for binary in (False, True):
        back = conn.execute("SELECT %s::text, md5(%s)", [ten_megabytes] * 2, binary=binary).fetchone()
        same(back[0], ten_megabytes)
        show("text", back[1])
        blob = bytes(range(256)) * 40_000
        conn.execute("INSERT INTO children (id, body) VALUES (%s, %b)", [10 + binary, blob])
        same(conn.execute("SELECT body FROM children WHERE id = %s", [10 + binary], binary=binary).fetchone()[0], blob)
    literal = conn.execute(f"SELECT '{ten_megabytes}', length('{ten_megabytes}')").fetchone()
    same(literal, (ten_megabytes, 10_000_000))
    rows = conn.execute("SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g").fetchall()
    same((len(rows), rows[-1][0]), (100000, 100000))


def main():
    libpq = psycopg.pq.version_pretty(psycopg.pq.version())
    common.client("psycopg", psycopg.__version__, f"(libpq {libpq}, {psycopg.pq.__impl__})")
    greeting()
    with connect() as conn:
        conn.execute(common.SCHEMA)
        for part in (types, statements, errors, transactions, pipeline, cursors, copy, notices, cancelling, big):
            part(conn)


main()
