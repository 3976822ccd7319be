// node-postgres: pg with its pool, pg-cursor, pg-query-stream and pg-copy-streams.
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { Readable, Writable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const { Client, Pool, types: parsers } = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");
const { from: copyFrom, to: copyTo } = require("pg-copy-streams");
const { client, same, section, show, until } = require("./common.cjs");

const FIELDS = [
  "severity", "code", "message", "detail", "hint", "position", "internalPosition", "internalQuery", "where", "schema", "table",
  "column", "dataType", "constraint", "file", "line", "routine",
]; // prettier-ignore

const told = (message) => Object.fromEntries(FIELDS.filter((name) => message[name] !== undefined).map((name) => [name, message[name]]));

async function fails(what, promise) {
  let result;
  try {
    result = await promise;
  } catch (error) {
    return show(what, error.constructor.name, told(error));
  }
  throw new Error(`${what}: no error, but ${result}`);
}

async function connect(settings = {}) {
  const conn = new Client(settings);
  conn.on("error", () => {});
  await conn.connect();
  return conn;
}

async function types(conn) {
  section("types, text and binary");
  for (const [kind, value] of [
    ["int", 1], ["int8", "4611686018427387904"], ["float8", 1.5], ["numeric", "1.10"], ["text", "élève 🐘 ' \\"], ["text", ""],
    ["bool", true], ["text", null], ["bytea", Buffer.from([0, 1, 255])], ["jsonb", { a: [1, null, "é"] }], ["int[]", [1, null, 3]],
    ["text[]", ["a", 'b"c', null]], ["uuid", "00000000-0000-0000-0000-000000000007"], ["mood", "happy"], ["pair", "(1,x)"],
    ["timestamptz", new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6))], ["interval", "1 day"], ["point", "(1,2)"],
  ]) { // prettier-ignore
    const { rows } = await conn.query(`SELECT $1::${kind} AS v`, [value]);
    if (!["interval", "point"].includes(kind)) same(rows[0].v, value);
    show(kind, rows[0].v);
  }
  for (const [kind, value] of [["int4", 7], ["int8", "7"], ["bool", false], ["text", "é"], ["bytea", Buffer.from("x")]]) {
    const { rows } = await conn.query({ text: `SELECT $1::${kind} AS v`, values: [value], binary: true });
    show(`binary ${kind}`, Object.values(rows[0]));
  }
  const row = await conn.query("SELECT NULL AS a, 1.5::numeric AS b, '{1,2}'::int[] AS c, now() - now() AS d, '[1,2]'::int4range AS e");
  show("fields", row.rows, row.fields.map(({ name, dataTypeID, dataTypeSize, dataTypeModifier, format }) => [name, dataTypeID, dataTypeSize, dataTypeModifier, format]));
  parsers.setTypeParser(20, BigInt);
  show("own parser", (await conn.query("SELECT 9007199254740993::int8 AS v")).rows);
}

async function statements(conn) {
  section("statements: named, several, many at once");
  for (const name of ["a", "b", "c"]) {
    const result = await conn.query({ name: "insert", text: "INSERT INTO parents (name) VALUES ($1) RETURNING id, name", values: [name] });
    show("named", result.command, result.rowCount, result.rows);
  }
  const several = await conn.query("SELECT 1 AS a; UPDATE parents SET name = name; CREATE TEMP TABLE t (i int); SELECT 'x' AS b, 2");
  show("several", several.map(({ command, rowCount, rows }) => [command, rowCount, rows]));
  const many = await Promise.all(Array.from({ length: 200 }, (_, i) => conn.query("SELECT $1::int AS v", [i])));
  same(many.map(({ rows }) => rows[0].v), Array.from({ length: 200 }, (_, i) => i)); // prettier-ignore
  for (const text of ["", ";;", "-- x"]) show("nothing", (await conn.query(text)).command, (await conn.query(text, [])).rows);
  const some = await conn.query({ text: "SELECT generate_series(1, 5)", rows: 2, rowMode: "array" });
  show("rows at a time", some.rows);
}

async function pipelined() {
  section("pipeline mode of the driver");
  const conn = await connect({ pipeline: true });
  const asked = Array.from({ length: 300 }, (_, i) => conn.query("SELECT 10/($1::int % 100) AS v", [i]));
  const answers = await Promise.allSettled(asked);
  show("answered", answers.filter((a) => a.status === "fulfilled").length, answers.filter((a) => a.status === "rejected").map((a) => a.reason.code));
  await conn.end();
}

async function errors(conn) {
  section("errors");
  for (const [what, text] of [
    ["syntax", "SELEC 1"], ["position", "SELECT 'é', nothing FROM parents"], ["no table", "SELECT * FROM nowhere"],
    ["division", "SELECT 1/0"], ["unique", "INSERT INTO parents (name) VALUES ('x'), ('x')"], ["foreign key", "INSERT INTO children VALUES (1, 4711)"],
    ["check", "INSERT INTO parents (name) VALUES ('')"], ["not null", "INSERT INTO parents (name) VALUES (NULL)"],
    ["raised", "DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'HP001', DETAIL = 'd', HINT = 'h'; END $$"],
    ["context", "DO $$ BEGIN EXECUTE 'SELECT 1 FROM nowhere'; END $$"], ["privilege", "SELECT * FROM pg_authid"],
  ]) { // prettier-ignore
    await fails(what, conn.query(text));
    await fails(`${what}, extended`, conn.query(text, []));
  }
  await fails("parameter", conn.query("SELECT $1::int", ["x"]));
  await fails("too few", conn.query("SELECT $1::int, $2::int", [1]));
  await fails("several, extended", conn.query("SELECT 1; SELECT $1", [1]));
  await fails("named", conn.query({ name: "bad", text: "SELECT 1 FROM nowhere" }));
  await fails("one of several", conn.query("SELECT 1; SELECT 1/0; SELECT 2"));
  await fails("while rows come", conn.query("SELECT 1/(500 - g) FROM generate_series(1, 1000) g"));
  const mixed = await Promise.allSettled(["SELECT 1", "SELECT 1/0", "SELEC", "SELECT 4"].map((text) => conn.query(text, [])));
  show("among others", mixed.map((one) => one.status));
  const other = await connect();
  await fails("ended", other.query("SELECT pg_terminate_backend(pg_backend_pid())"));
  await other.end().catch(() => {});
}

async function transactions(conn) {
  section("transactions");
  await conn.query("BEGIN");
  await conn.query("INSERT INTO parents (name) VALUES ('inside')");
  await conn.query("SAVEPOINT s");
  await fails("inside", conn.query("INSERT INTO parents (name) VALUES ('inside')"));
  await fails("failed", conn.query("SELECT 1"));
  await conn.query("ROLLBACK TO s");
  show("commit", (await conn.query("COMMIT")).command);
  await conn.query("BEGIN");
  await fails("inside", conn.query("SELECT 1/0", []));
  show("commit of a failed one", (await conn.query("COMMIT")).command);
  show("kept", (await conn.query("SELECT count(*)::int AS n FROM parents WHERE name = 'inside'")).rows);
  await conn.query("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY");
  await fails("read only", conn.query("DELETE FROM children"));
  await conn.query("ROLLBACK");
}

async function cursors(conn) {
  section("pg-cursor, pg-query-stream");
  const cursor = conn.query(new Cursor("SELECT generate_series(1, $1::int) AS g", [100]));
  const seen = [];
  for (let rows; (rows = await cursor.read(7)).length; ) seen.push(...rows.map(({ g }) => g));
  same(seen, Array.from({ length: 100 }, (_, i) => i + 1)); // prettier-ignore
  await cursor.close();
  const early = conn.query(new Cursor("SELECT generate_series(1, 1000000) AS g"));
  show("some", await early.read(3));
  await early.close();
  const failing = conn.query(new Cursor("SELECT 10/(5 - g) AS v FROM generate_series(1, 9) g"));
  show("so far", await failing.read(3));
  await fails("then", failing.read(3));
  let sum = 0;
  for await (const row of conn.query(new QueryStream("SELECT generate_series(1, 10000) AS g", [], { batchSize: 111 }))) sum += row.g;
  same(sum, 50005000);
  for await (const row of conn.query(new QueryStream("SELECT generate_series(1, 10000) AS g", [], { batchSize: 5 }))) {
    show("one", row);
    break;
  }
  show("after", (await conn.query("SELECT 1 AS v")).rows);
}

async function copy(conn) {
  section("pg-copy-streams");
  await conn.query("CREATE TABLE copied (i int, t text)");
  const lines = Array.from({ length: 50000 }, (_, i) => `${i}\té${i}\n`);
  const into = conn.query(copyFrom("COPY copied FROM STDIN"));
  await pipeline(Readable.from(lines), into);
  show("in", into.rowCount);
  const chunks = [];
  const out = conn.query(copyTo("COPY (SELECT * FROM copied ORDER BY i) TO STDOUT"));
  await pipeline(out, new Writable({ write: (chunk, _, done) => (chunks.push(chunk), done()) }));
  same(Buffer.concat(chunks).toString(), lines.join(""));
  show("out", out.rowCount);
  const other = await connect();
  await pipeline(conn.query(copyTo("COPY copied TO STDOUT (FORMAT binary)")), other.query(copyFrom("COPY copied FROM STDIN (FORMAT binary)")));
  await other.end();
  show("copied over", (await conn.query("SELECT count(*)::int AS n FROM copied")).rows);
  await fails("bad", pipeline(Readable.from(["1\ta\n", "x\tb\n", ...lines]), conn.query(copyFrom("COPY copied FROM STDIN"))));
  await fails("out of nowhere", pipeline(conn.query(copyTo("COPY nowhere TO STDOUT")), new Writable({ write: (c, e, done) => done() })));
  const givenUp = conn.query(copyFrom("COPY copied FROM STDIN"));
  givenUp.on("error", (error) => show("given up", told(error)));
  givenUp.write("1\ta\n");
  givenUp.destroy(new Error("I will not"));
  show("after", (await conn.query("SELECT count(*)::int AS n FROM copied")).rows);
}

async function messages(conn) {
  section("notices and notifications");
  conn.on("notice", (notice) => show("notice", told(notice)));
  await conn.query("DO $$ BEGIN RAISE NOTICE 'one' USING DETAIL = 'd', HINT = 'h'; RAISE WARNING 'two'; END $$");
  const got = [];
  conn.on("notification", ({ channel, payload }) => got.push([channel, payload]));
  await conn.query('LISTEN channel; LISTEN "Other Channel"');
  const other = await connect();
  await other.query("SELECT pg_notify('channel', $1)", ["é"]);
  await other.query("NOTIFY \"Other Channel\", 'x'; NOTIFY channel");
  await other.end();
  await until("three notifications", () => got.length === 3);
  show("got", got);
  conn.removeAllListeners("notice");
}

async function cancelling(conn) {
  section("cancel and timeouts");
  const sleeper = await connect({ application_name: "sleeper" });
  const asleep = sleeper.query("SELECT pg_sleep(60)");
  asleep.catch(() => {});
  const looking = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sleeper' AND wait_event = 'PgSleep'";
  await until("it sleeps", async () => (await conn.query(looking)).rows[0].n === 1);
  new Client().cancel(sleeper, sleeper._getActiveQuery());
  await fails("cancelled", asleep);
  show("after", (await sleeper.query("SELECT 1 AS v")).rows);
  await sleeper.end();
  const timed = await connect({ statement_timeout: 50 });
  await fails("statement_timeout", timed.query("SELECT pg_sleep(60)"));
  await fails("statement_timeout, extended", timed.query("SELECT pg_sleep($1)", [60]));
  await timed.end();
  const impatient = await connect({ query_timeout: 50 });
  await fails("the driver's own timeout", impatient.query("SELECT pg_sleep(0.2)"));
  await impatient.end();
}

async function pooled() {
  section("pool");
  const pool = new Pool({ max: 4, application_name: "pooled" });
  const sums = await Promise.all(Array.from({ length: 100 }, (_, i) => pool.query("SELECT $1::int + 1 AS v, current_setting('application_name') AS a", [i])));
  same(sums.map(({ rows }) => rows[0].v), Array.from({ length: 100 }, (_, i) => i + 1)); // prettier-ignore
  show("one", sums[0].rows, pool.totalCount <= 4);
  await fails("in the pool", pool.query("SELECT 1/0"));
  await pool.end();
}

async function big(conn) {
  section("big values");
  const text = "0123456789".repeat(1_000_000);
  same((await conn.query("SELECT $1::text AS v", [text])).rows[0].v, text);
  same((await conn.query(`SELECT '${text}' AS v`)).rows[0].v, text);
  const blob = Buffer.alloc(10_240_000, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
  await conn.query("INSERT INTO children (id, body) VALUES (1, $1)", [blob]);
  same((await conn.query("SELECT body FROM children WHERE id = 1")).rows[0].body.equals(blob), true);
  same((await conn.query("SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g")).rows.length, 100000);
}

async function main() {
  // Not by require: some packages do not export their package.json.
  const version = (name) => JSON.parse(readFileSync(join(process.env.NODE_PATH, name, "package.json"), "utf8")).version;
  client("node-postgres", version("pg"), `(${["pg-cursor", "pg-query-stream", "pg-copy-streams"].map((n) => `${n} ${version(n)}`).join(", ")})`);
  const conn = await connect();
  await conn.query(`CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TYPE pair AS (a int, b text);
    CREATE TABLE parents (id serial PRIMARY KEY, name text NOT NULL UNIQUE, CONSTRAINT named CHECK (name <> ''));
    CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents, body bytea)`);
  for (const part of [types, statements, pipelined, errors, transactions, cursors, copy, messages, cancelling, pooled, big]) await part(conn);
  await conn.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
