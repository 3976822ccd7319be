// A statement that waits and is approved, one that is rejected, and one that is rejected inside a transaction. What is
// printed is what the test expects.
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { Client } = require("pg");
const { client } = require("./common.cjs");

async function main() {
  client("node-postgres", JSON.parse(readFileSync(join(process.env.NODE_PATH, "pg", "package.json"), "utf8")).version);
  const conn = new Client();
  await conn.connect();
  const notices = [];
  conn.on("notice", (notice) => notices.push(notice.message));
  const count = async () => console.log("left", (await conn.query("SELECT count(*)::int AS n FROM items")).rows[0].n);
  const rejected = () =>
    conn.query("DELETE FROM items WHERE id = $1", [1]).catch((error) => console.log(error.constructor.name, error.code, error.message));

  const insert = { name: "insert", text: "INSERT INTO items (id, name) VALUES ($1, $2)", values: [11, "élève"] };
  console.log("inserted", (await conn.query(insert)).rowCount);
  console.log("told", notices[0].startsWith("held: INSERT"));
  await rejected();
  await count();
  await conn.query("BEGIN");
  await rejected();
  await conn.query("SELECT 1").catch((error) => console.log("then", error.code));
  await conn.query("ROLLBACK");
  await count();
  await conn.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
