// What the programs here share. A program checks its values itself, and prints what it sees: the test runs it
// directly and through holdpoint, and compares the two outputs. So nothing may be printed that differs by nature
// (addresses, process ids, the name of the database, times).
"use strict";

const { createHash } = require("node:crypto");
const { isDeepStrictEqual, inspect } = require("node:util");

// A value as text; of a long one its length and its digest.
function brief(value) {
  const text = typeof value === "string" ? JSON.stringify(value) : inspect(value, { depth: 9, maxArrayLength: 9999, breakLength: Infinity });
  return text.length <= 2000 ? text : `<${text.length} characters, ${createHash("sha256").update(text).digest("hex").slice(0, 16)}>`;
}

function client(...versions) {
  console.log("client:", ...versions);
}

// Begins what a person may want to know that it was tried.
function section(name) {
  console.log("==", name);
}

function show(what, ...values) {
  console.log(`${what}:`, ...values.map(brief));
}

function same(seen, expected) {
  if (!isDeepStrictEqual(seen, expected)) throw new Error(`expected ${brief(expected)}, not ${brief(seen)}`);
}

// Looks until there is something to see, and gives it.
async function until(what, look) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`not within 30 s: ${what}`);
}

module.exports = { brief, client, same, section, show, until };
