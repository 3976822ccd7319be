"""What the programs here share. A program checks its values itself, and prints what it sees: the test runs it
directly and through holdpoint, and compares the two outputs. So nothing may be printed that differs by nature
(addresses, process ids, the name of the database, times)."""

import hashlib
import os
import sys
import time


def client(name, *versions):
    """The first line: the name and versions of what is tried."""
    print("client:", name, *versions, flush=True)


def section(name):
    """Begins what a person may want to know that it was tried."""
    print("==", name, flush=True)


def show(what, *values):
    print(f"{what}:", *[brief(value) for value in values], flush=True)


def brief(value):
    """A value's repr; of a long one its length and its digest."""
    text = repr(value)
    if len(text) <= 2000:
        return text
    return f"<{len(text)} characters, {hashlib.sha256(text.encode()).hexdigest()[:16]}>"


def same(seen, expected):
    """Ends the program if they differ."""
    if seen != expected:
        sys.exit(f"expected {brief(expected)}, not {brief(seen)}")


def address():
    """Where to connect, for clients that do not read libpq's environment themselves."""
    return {
        "host": os.environ["PGHOST"],
        "port": int(os.environ["PGPORT"]),
        "user": os.environ["PGUSER"],
        "password": os.environ["PGPASSWORD"],
        "database": os.environ["PGDATABASE"],
    }


def url(driver):
    """The same as SQLAlchemy wants it."""
    from sqlalchemy import URL

    at = address()
    return URL.create(
        driver,
        username=at["user"],
        password=at["password"],
        host=at["host"],
        port=at["port"],
        database=at["database"],
    )


def until(what, look):
    """Looks until there is something to see, and gives it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.005)
    sys.exit(f"not within 30 s: {what}")


def sleeping(application):
    """A query that counts the sessions of this name that are in pg_sleep."""
    return f"""SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
               AND application_name = '{application}' AND wait_event = 'PgSleep'"""


# Tables and types that the programs use.
SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE parents (id serial PRIMARY KEY, name text NOT NULL UNIQUE, CONSTRAINT named CHECK (name <> ''));
CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents, feels mood, twin pair, body bytea);
"""

# Each fails in a way of its own.
ERRORS = [
    ("syntax", "SELEC 1"),
    ("position", "SELECT 'é', nothing FROM parents"),
    ("no table", "SELECT * FROM nowhere"),
    ("division", "SELECT 1/0"),
    ("unique", "INSERT INTO parents (name) VALUES ('x'), ('x')"),
    ("foreign key", "INSERT INTO children VALUES (1, 4711)"),
    ("check", "INSERT INTO parents (name) VALUES ('')"),
    ("not null", "INSERT INTO parents (name) VALUES (NULL)"),
    ("bad value", "SELECT 'x'::int"),
    ("too long", "SELECT 'abc'::mood"),
    ("privilege", "SELECT * FROM pg_authid"),
    ("raised", "DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'HP001', DETAIL = 'd', HINT = 'h'; END $$"),
    ("context", "DO $$ BEGIN EXECUTE 'SELECT 1 FROM nowhere'; END $$"),
    ("no function", "SELECT no_such_function(1)"),
    ("no cursor", "FETCH 1 FROM nothing"),
    ("no savepoint", "ROLLBACK TO nothing"),
]
