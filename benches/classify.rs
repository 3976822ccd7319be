//! What judging a text costs: found in the cache, found under a masked key, and parsed.
//!
//! `cargo bench --bench classify`

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use holdpoint::sql::{
    Catalogue, Definitions, Function, Judge, JudgeLimits, Meaning, Node, Object, STACK_SIZE, Text,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

const USUAL: Meaning = Meaning {
    standard_conforming_strings: true,
    encoding_is_safe: true,
};

fn main() {
    // Parsing needs the stack; divan measures on the thread that calls it.
    let measure = thread::Builder::new().stack_size(STACK_SIZE).spawn(divan::main);
    if measure.is_ok_and(|thread| thread.join().is_ok()) {
        return;
    }
    std::process::exit(1);
}

fn select() -> String {
    "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;".to_owned()
}

fn update() -> String {
    "UPDATE pgbench_accounts SET abalance = abalance + -4500 WHERE aid = 12345;".to_owned()
}

/// The longest of psql's, as a client would send it.
fn catalogue() -> String {
    "SELECT n.nspname as \"Schema\", c.relname as \"Name\", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' \
     WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 't' THEN 'TOAST table' \
     WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table' END as \"Type\", \
     pg_catalog.pg_get_userbyid(c.relowner) as \"Owner\" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n \
     ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND \
     n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) \
     ORDER BY 1,2;"
        .to_owned()
}

fn insert(bytes: usize) -> String {
    let mut text = "INSERT INTO orders (id, customer, note) VALUES (0, 0, 'x')".to_owned();
    let mut row = 0;
    while text.len() < bytes {
        row += 1;
        // Writing to a string cannot fail.
        let _ = write!(text, ", ({row}, {}, 'note {row}')", row * 7);
    }
    text
}

fn text(name: &str) -> String {
    match name {
        "select" => select(),
        "update" => update(),
        "catalogue" => catalogue(),
        "insert_10kB" => insert(10_000),
        "insert_60kB" => insert(60_000),
        "insert_1MB" => insert(1_000_000),
        _ => nested(),
    }
}

/// About the deepest that fits the inline limit.
fn nested() -> String {
    format!("{}SELECT 1{}", "SELECT(".repeat(1000), ")".repeat(1000))
}

#[divan::bench(args = ["select", "update", "catalogue"])]
fn found(bencher: Bencher, name: &str) {
    let judge = Judge::new(JudgeLimits::default());
    let text = text(name);
    let _ = judge.judge_inline(text.as_bytes(), USUAL);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| judge.judge_inline(black_box(text.as_bytes()), USUAL));
}

/// Every text is new, and found by what it has in common with the first.
#[divan::bench]
fn found_masked(bencher: Bencher) {
    let judge = Judge::new(JudgeLimits::default());
    let _ = judge.judge_inline(select().as_bytes(), USUAL);
    let aid = AtomicU32::new(0);
    bencher
        .with_inputs(|| {
            let aid = aid.fetch_add(1, Ordering::Relaxed);
            format!("SELECT abalance FROM pgbench_accounts WHERE aid = {aid};")
        })
        .bench_refs(|text| judge.judge_inline(text.as_bytes(), USUAL));
}

/// No cache: the judge keeps nothing.
#[divan::bench(args = ["select", "update", "catalogue", "nested"])]
fn parsed(bencher: Bencher, name: &str) {
    let judge = Judge::new(JudgeLimits {
        cache_bytes: 0,
        ..JudgeLimits::default()
    });
    let text = text(name);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| judge.judge_inline(black_box(text.as_bytes()), USUAL));
}

/// What of that is the second opinion: nearly all of it is sqlparser's parsing. The same without it is the
/// difference.
#[divan::bench(args = ["select", "update", "catalogue"])]
fn second_opinion_alone(bencher: Bencher, name: &str) {
    let text = text(name);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| Parser::parse_sql(&PostgreSqlDialect {}, black_box(&text)));
}

fn object(oid: u32, name: String) -> Object {
    Object {
        oid,
        schema: "public".to_owned(),
        name,
    }
}

/// So many tables with a view each, and half as many functions that name some of them.
fn definitions(tables: u32) -> Definitions {
    let mut definitions = Definitions {
        path: vec!["pg_catalog".to_owned(), "public".to_owned()],
        system: vec![
            ("pg_catalog".to_owned(), "pg_class".to_owned()),
            ("pg_catalog".to_owned(), "pg_namespace".to_owned()),
        ],
        relations: vec![object(20_000, "pgbench_accounts".to_owned())],
        ..Definitions::default()
    };
    for n in 0..tables {
        definitions
            .relations
            .push(object(100_000 + n, format!("Table{n}")));
        definitions
            .relations
            .push(object(200_000 + n, format!("view_{n}")));
        definitions.texts.push(Text {
            of: Node::Relation(200_000 + n),
            sql: format!("SELECT t.id, upper(t.name) AS name FROM public.\"Table{n}\" t WHERE t.id > 0"),
            is_expression: false,
        });
    }
    for n in 0..tables / 2 {
        let filler = "-- what a long function of a shop has to say about its orders\n".repeat(15);
        definitions.functions.push(Function {
            object: object(300_000 + n, format!("reads_{n}")),
            is_volatile: false,
            language: "plpgsql".to_owned(),
            source: format!(
                "BEGIN {filler} RETURN (SELECT count(*) FROM \"Table{n}\" WHERE reads_0() > 1); END"
            ),
            is_bound: false,
            has_path: false,
            takes_row: false,
            arguments: (0, 0),
        });
    }
    definitions
}

/// Making a catalogue of what a server has told of a database of so many tables.
#[divan::bench(args = [100, 1000, 4000], sample_count = 5, sample_size = 1)]
fn catalogue_made(bencher: Bencher, tables: u32) {
    let definitions = definitions(tables);
    bencher.bench_local(|| Catalogue::new(black_box(&definitions)));
}

/// So many schemas with ten tables and ten functions of the same names in each.
fn tenants(schemas: u32) -> Definitions {
    let mut definitions = Definitions {
        path: vec!["pg_catalog".to_owned(), "public".to_owned()],
        ..Definitions::default()
    };
    for (n, name) in (0..schemas).flat_map(|schema| (0..10).map(move |name| (schema * 10 + name, name))) {
        let schema = format!("tenant_{}", n / 10);
        let mut table = object(100_000 + n, format!("orders_{name}"));
        table.schema.clone_from(&schema);
        definitions.relations.push(table);
        let mut function = object(300_000 + n, format!("reads_{name}"));
        function.schema.clone_from(&schema);
        definitions.functions.push(Function {
            object: function,
            is_volatile: false,
            language: "plpgsql".to_owned(),
            source: format!(
                "BEGIN RETURN (SELECT count(*) FROM orders_{name} WHERE {schema}.reads_0() > 1); END"
            ),
            is_bound: false,
            has_path: false,
            takes_row: false,
            arguments: (0, 0),
        });
    }
    definitions
}

/// As `catalogue_made`, where many things have one name.
#[divan::bench(args = [100, 400], sample_count = 3, sample_size = 1)]
fn catalogue_of_tenants_made(bencher: Bencher, schemas: u32) {
    let definitions = tenants(schemas);
    bencher.bench_local(|| Catalogue::new(black_box(&definitions)));
}

/// As `found`, by a catalogue.
#[divan::bench(args = ["select", "update", "catalogue"])]
fn found_by_catalogue(bencher: Bencher, name: &str) {
    let judge = Judge::new(JudgeLimits::default());
    let sight = Arc::new(Catalogue::new(&definitions(100))).sight(true);
    let text = text(name);
    let _ = judge.judge_inline_in(text.as_bytes(), USUAL, Some(&sight));
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| judge.judge_inline_in(black_box(text.as_bytes()), USUAL, Some(&sight)));
}

/// As `parsed`, by a catalogue.
#[divan::bench(args = ["select", "update", "catalogue"])]
fn parsed_by_catalogue(bencher: Bencher, name: &str) {
    let judge = Judge::new(JudgeLimits {
        cache_bytes: 0,
        ..JudgeLimits::default()
    });
    let sight = Arc::new(Catalogue::new(&definitions(100))).sight(true);
    let text = text(name);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| judge.judge_inline_in(black_box(text.as_bytes()), USUAL, Some(&sight)));
}

/// On the parse threads, hand-over included.
#[divan::bench(args = ["insert_10kB", "insert_60kB", "insert_1MB"], sample_count = 20)]
fn parsed_on_the_pool(bencher: Bencher, name: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let judge = Judge::new(JudgeLimits {
        cache_bytes: 0,
        ..JudgeLimits::default()
    });
    let text = bytes::Bytes::from(text(name));
    if let Ok(runtime) = runtime {
        bencher
            .counter(BytesCount::new(text.len()))
            .bench(|| runtime.block_on(judge.judge(text.clone(), USUAL)));
    }
}
