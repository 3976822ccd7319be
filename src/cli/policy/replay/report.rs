//! A replay for people, and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::output::{shortened, table, visible};
use crate::model::ObservedDecision;
use crate::policy::replay::{Group, Replayed};

/// Characters of an example on a terminal.
const EXAMPLE_WIDTH: usize = 80;

const NOTHING: &str = "Nothing was observed in that time. To observe a database, where nothing is then held or denied:\n\
    set `observe = true` in its [databases.NAME], and start holdpoint anew.\n";

/// Tables and examples.
pub(super) fn as_text(replayed: &Replayed, examples: usize) -> String {
    let (Some(first), Some(last)) = (replayed.first_seen, replayed.last_seen) else {
        return NOTHING.to_owned();
    };
    let mut out = format!(
        "{} from {} to {}\n\n",
        counted(replayed.statements, "statement"),
        minute(first),
        minute(last)
    );
    out.push_str(&decisions(replayed));
    if replayed.unparsed > 0 {
        let _ = writeln!(
            out,
            "\nOf those held, {} could not be parsed. Most are typos: the server refuses them before anybody is asked.",
            thousands(replayed.unparsed)
        );
    }
    out.push('\n');
    out.push_str(&rules(replayed));
    out.push('\n');
    out.push_str(&users(replayed));
    out.push_str(&changes(replayed, examples));
    for ((decision, rule), group) in &replayed.rules {
        if *decision != ObservedDecision::Allow {
            let what = format!("{decision} by \"{}\"", visible(rule));
            out.push_str(&exemplified(&what, group, examples));
        }
    }
    out
}

fn decisions(replayed: &Replayed) -> String {
    let counts = ObservedDecision::ALL.map(|decision| count_of(&replayed.decisions, decision));
    let rows: Vec<Vec<String>> = ObservedDecision::ALL
        .iter()
        .zip(right(&counts))
        .zip(counts)
        .map(|((decision, shown), count)| {
            vec![decision.to_string(), shown, share(count, replayed.statements)]
        })
        .collect();
    table(&["DECISION", "STATEMENTS", "SHARE"], &rows)
}

fn rules(replayed: &Replayed) -> String {
    let counts: Vec<u64> = replayed.rules.values().map(|group| group.count).collect();
    let rows: Vec<Vec<String>> = replayed
        .rules
        .keys()
        .zip(right(&counts))
        .map(|((decision, rule), shown)| vec![decision.to_string(), shown, visible(rule)])
        .collect();
    table(&["DECISION", "STATEMENTS", "RULE"], &rows)
}

fn users(replayed: &Replayed) -> String {
    let column = |decision| {
        let counts: Vec<u64> = replayed
            .users
            .values()
            .map(|counts| count_of(counts, decision))
            .collect();
        right(&counts)
    };
    let [allow, hold, deny] = ObservedDecision::ALL.map(column);
    let rows: Vec<Vec<String>> = replayed
        .users
        .keys()
        .zip(allow)
        .zip(hold)
        .zip(deny)
        .map(|(((user, allow), hold), deny)| vec![visible(user), allow, hold, deny])
        .collect();
    table(&["USER", "ALLOW", "HOLD", "DENY"], &rows)
}

fn changes(replayed: &Replayed, examples: usize) -> String {
    if replayed.changes.is_empty() {
        return "\nNothing changed against what was recorded.\n".to_owned();
    }
    let mut out = "\nChanged against what was recorded:\n".to_owned();
    for ((was, is), group) in &replayed.changes {
        let _ = writeln!(
            out,
            "  {was} → {is}: {} of {}",
            thousands(group.count),
            thousands(replayed.statements)
        );
    }
    for ((was, is), group) in &replayed.changes {
        out.push_str(&exemplified(&format!("{was} → {is}"), group, examples));
    }
    out
}

/// The most frequent statements of a group, under a headline. Empty where no examples are asked for.
fn exemplified(what: &str, group: &Group, examples: usize) -> String {
    let shown = group.examples(examples);
    if shown.is_empty() {
        return String::new();
    }
    let counts: Vec<u64> = shown.iter().map(|example| example.count).collect();
    let mut out = format!("\n{what}: {}\n", thousands(group.count));
    let users = shown.iter().map(|example| visible(&example.user));
    let width = users.clone().map(|user| user.chars().count()).max().unwrap_or(0);
    for ((example, user), count) in shown.iter().zip(users).zip(right(&counts)) {
        let statement = match example.statement.as_str() {
            "" => "(its text was not kept)".to_owned(),
            text => shortened(&visible(text), EXAMPLE_WIDTH),
        };
        let _ = writeln!(out, "  {count}  {user:<width$}  {statement}");
    }
    out
}

/// One object: the same.
pub(super) fn as_json(replayed: &Replayed, examples: usize) -> String {
    let rules: Vec<Value> = replayed
        .rules
        .iter()
        .map(|((decision, rule), group)| {
            json!({
                "rule": rule,
                "decision": decision,
                "count": group.count,
                "examples": examples_of(group, examples),
            })
        })
        .collect();
    let users: Vec<Value> = replayed
        .users
        .iter()
        .map(|(user, counts)| json!({ "user": user, "decisions": by_name(counts) }))
        .collect();
    let changes: Vec<Value> = replayed
        .changes
        .iter()
        .map(|((was, is), group)| {
            json!({
                "from": was,
                "to": is,
                "count": group.count,
                "examples": examples_of(group, examples),
            })
        })
        .collect();
    let all = json!({
        "statements": replayed.statements,
        "first_seen": replayed.first_seen,
        "last_seen": replayed.last_seen,
        "decisions": by_name(&replayed.decisions),
        "unparsed": replayed.unparsed,
        "rules": rules,
        "users": users,
        "changes": changes,
    });
    crate::cli::output::json(&all)
}

fn examples_of(group: &Group, most: usize) -> Vec<Value> {
    group
        .examples(most)
        .into_iter()
        .map(
            |example| json!({ "statement": example.statement, "user": example.user, "count": example.count }),
        )
        .collect()
}

fn by_name(counts: &BTreeMap<ObservedDecision, u64>) -> Value {
    json!({
        "allow": count_of(counts, ObservedDecision::Allow),
        "hold": count_of(counts, ObservedDecision::Hold),
        "deny": count_of(counts, ObservedDecision::Deny),
    })
}

fn count_of(counts: &BTreeMap<ObservedDecision, u64>, decision: ObservedDecision) -> u64 {
    counts.get(&decision).copied().unwrap_or(0)
}

/// To the tenth of a percent.
fn share(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{:>3}.{} %", tenths / 10, tenths % 10)
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(count))
}

/// Numbers as in [`thousands`], all as wide as the widest.
fn right(counts: &[u64]) -> Vec<String> {
    let shown: Vec<String> = counts.iter().map(|&count| thousands(count)).collect();
    let width = shown.iter().map(String::len).max().unwrap_or(0);
    shown.iter().map(|number| format!("{number:>width$}")).collect()
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests;
