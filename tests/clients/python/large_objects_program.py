"""Large objects with psycopg2, which reads and writes them by function calls of the protocol's own."""

import psycopg2

import common
from common import same, section, show

common.client("psycopg2", psycopg2.__version__.split()[0])
section("large objects")
conn = psycopg2.connect("")
written = conn.lobject(0, "wb")
number = written.oid
data = bytes(range(256)) * 8000
show("written", written.write(data), written.tell())
written.close()
conn.commit()
again = conn.lobject(number, "rwb")
same(again.read(), data)
show("at", again.seek(-10, 2), again.read(5), again.tell())
again.truncate(100)
show("cut", again.seek(0, 2))
conn.rollback()
try:
    conn.lobject(4711, "rb")
except psycopg2.Error as error:
    show("no such", type(error).__name__, str(error))
conn.rollback()
conn.lobject(number, "n").unlink()
conn.commit()
cur = conn.cursor()
cur.execute("SELECT count(*) FROM pg_largeobject_metadata")
show("left", cur.fetchone())
