//! What a statement that passes costs apart from its judgement: what policy says to it, and finding the frames.
//!
//! `cargo bench --bench passing`

use std::fmt::Write;
use std::thread;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use holdpoint::model::Judged;
use holdpoint::policy::{Policy, Subject};
use holdpoint::sql::{Judge, JudgeLimits, Meaning, STACK_SIZE, is_judgement_of};
use holdpoint::wire::Header;

fn main() {
    // Parsing needs the stack; divan measures on the thread that calls it.
    let measure = thread::Builder::new().stack_size(STACK_SIZE).spawn(divan::main);
    if measure.is_ok_and(|thread| thread.join().is_ok()) {
        return;
    }
    std::process::exit(1);
}

const SELECT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;";

fn judged() -> std::sync::Arc<Judged> {
    let meaning = Meaning {
        standard_conforming_strings: true,
        encoding_is_safe: true,
    };
    Judge::new(JudgeLimits::default())
        .judge_inline(SELECT.as_bytes(), meaning)
        .unwrap_or_default()
}

/// So many rules about other people's tables, and one at their end that lets reads pass.
fn policy(rules: usize) -> Policy {
    let mut text = "default_groups = [\"dba\"]\n".to_owned();
    for n in 1..rules {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "[[rule]]\nname = \"rule {n}\"\nwhen = {{ tables = [\"owners.table_{n}\"] }}\nthen = {{ hold = {{ groups = [\"dba\"] }} }}"
        );
    }
    text.push_str("[[rule]]\nname = \"reads\"\nwhen = { effects = [\"read\"] }\nthen = \"allow\"\n");
    match Policy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}"),
    }
}

#[divan::bench(args = [1, 10, 100, 1000, 10_000])]
fn policy_decides(bencher: Bencher<'_, '_>, rules: usize) {
    let (policy, judged) = (policy(rules), judged());
    let groups = ["developers".to_owned()];
    let subject = Subject::new("shop", "alice", &groups);
    assert!(policy.decide(&subject, &judged).passes());
    bencher.bench(|| policy.decide(black_box(&subject), black_box(&judged)));
}

/// As a session finds the judgement of a text that is like the last one.
#[divan::bench]
fn judged_lately(bencher: Bencher<'_, '_>) {
    let judged = judged();
    let other = SELECT.replace("12345", "67");
    assert!(is_judgement_of(&judged, other.as_bytes()));
    bencher.bench(|| is_judgement_of(black_box(&judged), black_box(other.as_bytes())));
}

/// The headers of rows of so many bytes, in a buffer as it is read.
#[divan::bench(args = [16, 128, 1024])]
fn frames(bencher: Bencher<'_, '_>, row: usize) {
    let mut rows = Vec::new();
    while rows.len() < 64 * 1024 {
        rows.push(b'D');
        rows.extend(u32::try_from(row + 4).unwrap_or_default().to_be_bytes());
        rows.resize(rows.len() + row, 0);
    }
    bencher
        .counter(BytesCount::new(rows.len()))
        .bench(|| headers(black_box(&rows)));
}

fn headers(mut rest: &[u8]) -> usize {
    let mut found = 0;
    while let Ok(Some(header)) = Header::peek(rest) {
        let Some(behind) = rest.get(header.total()..) else {
            break;
        };
        rest = behind;
        found += 1;
    }
    found
}
