//! Texts and what is found in them.
//!
//! Findings are compared as one line, see [`line`]: effect, commands joined by `+`, tables (`t`
//! read, `t!` changed), functions as `f()`, `unfiltered`, `tx` for transaction control, what
//! happens to names; statements joined by ` | `.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adversarial;
mod catalogue;
mod commands;
mod deep;
mod joined;
mod judging;
mod properties;
mod statements;

use std::fmt::Write;
use std::thread;

use super::grammar;
use super::references::Eyes;
use super::{Meaning, STACK_SIZE};
use crate::model::{Effect, Facts, Judged, NameOp};

pub(super) const USUAL: Meaning = Meaning {
    standard_conforming_strings: true,
    encoding_is_safe: true,
};

/// Runs on a thread that may parse.
pub(super) fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, work)
            .unwrap()
            .join()
            .unwrap()
    })
}

/// Judged without a catalogue.
fn judge_text(text: &[u8], meaning: Meaning, max_text: usize) -> Judged {
    grammar::judge_text(text, meaning, max_text, Eyes::Blind)
}

fn judged(text: &str) -> Judged {
    judge_text(text.as_bytes(), USUAL, 1024 * 1024)
}

fn effect(text: &str) -> Effect {
    judged(text).effect()
}

/// Every text of a table must be found to be what the table says; all that are not are told.
///
/// A table has a text a line, and below it, by four spaces, its [`line`]; `{U+000A}` stands for
/// a character that would not be seen. Lines that begin with `#` are headings.
fn check(table: &str) {
    let lines: Vec<&str> = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .collect();
    let wrong = on_a_large_stack(|| {
        let mut wrong = String::new();
        for pair in lines.chunks(2) {
            let [text, expected] = pair else {
                panic!("a text without a line: {pair:?}")
            };
            let expected = expected
                .strip_prefix("    ")
                .unwrap_or_else(|| panic!("not indented: {expected}"));
            let found = line(&judged(&characters(text)));
            if found != expected {
                writeln!(wrong, "{text}\n  expected {expected}\n     found {found}").unwrap();
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(lines.len() > 200);
}

/// With each `{U+…}` as the character that it stands for.
fn characters(text: &str) -> String {
    let mut parts = text.split("{U+");
    let mut characters = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        characters.push(
            u32::from_str_radix(code, 16)
                .ok()
                .and_then(char::from_u32)
                .unwrap(),
        );
        characters.push_str(rest);
    }
    characters
}

fn line(judged: &Judged) -> String {
    let statements: Vec<String> = judged
        .statements
        .iter()
        .map(|statement| {
            let mut line = facts(&statement.facts);
            if statement.transaction_control && statement.facts.effect != Effect::Unknown {
                line.push_str(" tx");
            }
            if let Some(operation) = &statement.name_op {
                write!(line, " {}", name_op(operation)).unwrap();
            }
            line
        })
        .collect();
    if statements.is_empty() {
        "empty".to_owned()
    } else {
        statements.join(" | ")
    }
}

fn facts(facts: &Facts) -> String {
    let mut line = format!("{} {}", facts.effect, facts.commands.join("+"));
    for table in &facts.tables {
        write!(
            line,
            " {}{}",
            table.qualified(),
            if table.written { "!" } else { "" }
        )
        .unwrap();
    }
    for function in &facts.functions {
        write!(line, " {function}()").unwrap();
    }
    if facts.unfiltered {
        line.push_str(" unfiltered");
    }
    line
}

fn name_op(operation: &NameOp) -> String {
    match operation {
        NameOp::Prepare { name, prepared } => format!("prepare:{name}({})", facts(&prepared.facts)),
        NameOp::Execute { name } => format!("execute:{name}"),
        NameOp::Deallocate { name } => format!("deallocate:{name}"),
        NameOp::DeallocateAll => "deallocate:all".to_owned(),
        NameOp::DiscardAll => "discard:all".to_owned(),
        NameOp::Declare { name } => format!("declare:{name}"),
        NameOp::Fetch { name } => format!("fetch:{name}"),
        NameOp::Own { tag } => format!("own:{tag}"),
    }
}
