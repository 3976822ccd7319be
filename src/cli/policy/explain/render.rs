//! What was explained, for people and for programs.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::{Asks, Decision, Facts, Judged, duration};
use crate::policy::{Considered, NO_RULE, Outcome, Policy, Step, Subject, column_name};

use super::super::super::output::visible;

/// What is not done here; people shall not take the answer for more than it is.
const NOT_LOOKED_UP: &str = "Views, functions and names were not looked up in the server's catalogue: --connect does that, \
                             as a running holdpoint would.";

/// Everything in lines; writing to a String cannot fail.
pub(super) fn as_text(
    policy: &Policy,
    subject: &Subject<'_>,
    judged: &Judged,
    decision: &Decision,
    looked_up: bool,
) -> String {
    let mut out = String::new();
    let groups = match subject.groups {
        [] => "in no group".to_owned(),
        groups => format!("in {}", groups.join(", ")),
    };
    let client = subject
        .client
        .map_or_else(|| "an unknown address".to_owned(), |client| client.to_string());
    let _ = writeln!(
        out,
        "{} ({}) on {}, with \"{}\" from {client}, at {}",
        visible(subject.user),
        visible(&groups),
        visible(subject.database),
        visible(subject.application_name),
        subject.at,
    );
    for (index, statement) in judged.statements.iter().enumerate() {
        let _ = writeln!(out, "\nStatement {}", index + 1);
        facts(&mut out, &statement.facts);
        rules(&mut out, &policy.explain(subject, &statement.facts));
    }
    let _ = writeln!(out, "\nOutcome: {}", visible(&outcome(decision)));
    if !looked_up {
        let _ = writeln!(out, "{NOT_LOOKED_UP}");
    }
    out
}

fn facts(out: &mut String, facts: &Facts) {
    let tables = facts.tables.iter().map(|table| {
        let written = if table.written { " (written)" } else { "" };
        format!("{}{written}", table.qualified())
    });
    let all_rows = if facts.unlimited {
        "all rows of a query"
    } else {
        ""
    };
    let everywhere = if facts.unfiltered {
        "an UPDATE or DELETE has none"
    } else {
        ""
    };
    for (name, value) in [
        ("effect", facts.effect.to_string()),
        ("commands", facts.commands.join(", ")),
        ("tables", tables.collect::<Vec<_>>().join(", ")),
        (
            "columns written",
            facts
                .columns
                .iter()
                .map(column_name)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("functions", facts.functions.join(", ")),
        ("where", everywhere.to_owned()),
        ("hands out", all_rows.to_owned()),
        (
            "shape",
            facts.shape.map_or_else(String::new, |shape| shape.to_string()),
        ),
        ("signals", facts.signals.join("; ")),
    ] {
        if !value.is_empty() {
            let _ = writeln!(out, "  {name:<16} {}", visible(&value));
        }
    }
}

fn rules(out: &mut String, considered: &[Considered<'_>]) {
    let _ = writeln!(out, "  rules");
    for Considered { rule, outcomes, step } in considered {
        let word = match step {
            Step::DoesNotMatch => "no",
            Step::Observes => "observes",
            Step::PassedOver => "passed over",
            Step::Decides => rule.action().as_str(),
        };
        let line = format!("\"{}\" ({}): {}", rule.name(), rule.place(), why(outcomes));
        let _ = writeln!(out, "    {word:<12} {}", visible(&line));
    }
    if !is_decided(considered) {
        let _ = writeln!(out, "    {:<12} {NO_RULE}", "hold");
    }
}

fn is_decided(considered: &[Considered<'_>]) -> bool {
    considered.iter().any(|rule| rule.step == Step::Decides)
}

/// The first condition that failed, or all that hold.
fn why(outcomes: &[Outcome]) -> String {
    let said = |outcome: &Outcome| format!("{}: {}", outcome.key, outcome.why);
    if let Some(failed) = outcomes.iter().find(|outcome| !outcome.holds) {
        return said(failed);
    }
    if outcomes.is_empty() {
        return "it is for everything".to_owned();
    }
    let all: Vec<String> = outcomes.iter().map(said).collect();
    all.join("; ")
}

fn outcome(decision: &Decision) -> String {
    match decision {
        Decision::Allow => "allow: it passes".to_owned(),
        Decision::Observe { rule, would } => {
            let by = rule
                .as_ref()
                .map_or_else(String::new, |rule| format!(" by \"{rule}\""));
            format!(
                "observe{by}: it passes; else it would have been: {}",
                outcome(would)
            )
        }
        Decision::Hold(terms) => {
            let timeout = terms
                .asks
                .timeout
                .map_or_else(|| "the timeout of [hold]".to_owned(), duration::format);
            format!(
                "hold by \"{}\" for {}, for at most {timeout}",
                terms.rules.join("\", \""),
                asked(&terms.asks),
            )
        }
        Decision::Deny { rule, reason } => format!("deny by \"{rule}\": {reason}"),
    }
}

/// Who approves, and what else the rules say to it.
fn asked(asks: &Asks) -> String {
    let mut text = asks.quorum.to_string();
    if asks.self_approval {
        text.push_str(" (the requester among them)");
    }
    match (asks.justification.reason, asks.justification.ticket) {
        (true, true) => text.push_str(", with a reason and a ticket"),
        (true, false) => text.push_str(", with a reason"),
        (false, true) => text.push_str(", with a ticket"),
        (false, false) => {}
    }
    if asks.exempt_admins {
        text.push_str(", admins exempt");
    }
    if !asks.break_glass.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, ", {} may break the glass", asks.break_glass.join(" or "));
    }
    text
}

/// The same content, for programs. Keys are only added, never changed.
pub(super) fn as_json(
    policy: &Policy,
    subject: &Subject<'_>,
    judged: &Judged,
    decision: &Decision,
    looked_up: bool,
) -> String {
    let statements: Vec<Value> = judged
        .statements
        .iter()
        .map(|statement| {
            let considered = policy.explain(subject, &statement.facts);
            let named = |step| {
                let rule = considered.iter().find(|rule| rule.step == step);
                rule.map(|considered| considered.rule.name())
            };
            json!({
                "facts": statement.facts,
                "rules": considered.iter().map(rule_as_json).collect::<Vec<_>>(),
                "observed_by": named(Step::Observes),
                "decided_by": named(Step::Decides).unwrap_or(NO_RULE),
            })
        })
        .collect();
    let answer = json!({
        "subject": {
            "database": subject.database,
            "user": subject.user,
            "groups": subject.groups,
            "application_name": subject.application_name,
            "client": subject.client,
            "at": subject.at,
        },
        "statements": statements,
        "decision": decision_as_json(decision),
        "catalogue_looked_up": looked_up,
    });
    crate::cli::output::json(&answer)
}

fn rule_as_json(considered: &Considered<'_>) -> Value {
    let conditions: Vec<Value> = considered
        .outcomes
        .iter()
        .map(|outcome| json!({ "key": outcome.key, "holds": outcome.holds, "why": outcome.why }))
        .collect();
    json!({
        "name": considered.rule.name(),
        "place": considered.rule.place(),
        "action": considered.rule.action().as_str(),
        "step": considered.step.as_str(),
        "conditions": conditions,
    })
}

fn decision_as_json(decision: &Decision) -> Value {
    match decision {
        Decision::Allow => json!({ "decision": "allow" }),
        Decision::Observe { rule, would } => json!({
            "decision": "observe",
            "rule": rule.as_deref(),
            "would": decision_as_json(would),
        }),
        Decision::Hold(terms) => json!({
            "decision": "hold",
            "rules": strings(&terms.rules),
            "groups": terms.asks.quorum.groups(),
            "quorum": terms.asks.quorum,
            "timeout": terms.asks.timeout.map(duration::format),
            "justification": {
                "reason": terms.asks.justification.reason,
                "ticket": terms.asks.justification.ticket,
            },
            "self_approval": terms.asks.self_approval,
            "exempt_admins": terms.asks.exempt_admins,
            "break_glass": terms.asks.break_glass,
        }),
        Decision::Deny { rule, reason } => json!({
            "decision": "deny",
            "rule": &**rule,
            "reason": &**reason,
        }),
    }
}

fn strings(texts: &[Arc<str>]) -> Vec<&str> {
    texts.iter().map(|text| &**text).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::{Effect, Statement, TableAccess};

    fn policy() -> Policy {
        Policy::parse(
            r#"default_groups = ["dba"]
[[rule]]
name = "reads pass"
when = { effects = ["read", "session"] }
then = "allow"
[[rule]]
name = "orders are watched"
when = { tables = ["orders"] }
then = "observe"
[[rule]]
name = "writes wait"
when = { effects = ["write"], groups = ["developers"] }
then = { hold = { groups = ["dba", "owners"], timeout = "30m" } }
"#,
        )
        .unwrap()
    }

    fn update(table: &str) -> Judged {
        Judged {
            statements: vec![Statement {
                facts: Facts {
                    effect: Effect::Write,
                    commands: vec!["UPDATE".to_owned()],
                    tables: vec![TableAccess {
                        schema: None,
                        name: table.to_owned(),
                        written: true,
                    }],
                    unfiltered: true,
                    signals: Vec::new(),
                    ..Facts::unknown("")
                },
                name_op: None,
                transaction_control: false,
            }],
            gist: crate::model::Gist::None,
        }
    }

    fn text(subject: &Subject<'_>, judged: &Judged) -> String {
        let decision = policy().decide(subject, judged);
        as_text(&policy(), subject, judged, &decision, false)
    }

    #[test]
    fn where_all_is_observed_it_says_so() {
        let subject = Subject::new("shop", "bob", &[]);
        let judged = update("items");
        let decision = policy().observed(&subject, &judged);
        let shown = as_text(&policy(), &subject, &judged, &decision, true);
        assert!(
            shown.contains("Outcome: observe: it passes; else it would have been: hold by"),
            "{shown}"
        );
    }

    #[test]
    fn people_read_what_each_rule_has_to_do_with_it() {
        let groups = ["developers".to_owned()];
        let subject = Subject::new("shop", "alice", &groups);
        let expected = "\
alice (in developers) on shop, with \"\" from an unknown address, at 1970-01-01T00:00:00Z

Statement 1
  effect           write
  commands         UPDATE
  tables           items\\u{1b} (written)
  where            an UPDATE or DELETE has none
  rules
    no           \"reads pass\" (policy.toml:3): effects: write is not one of session, read
    no           \"orders are watched\" (policy.toml:7): tables: items\\u{1b} is not surely one of orders
    hold         \"writes wait\" (policy.toml:11): groups: alice is in developers; effects: write is one of write

Outcome: hold by \"writes wait\" for one member each of dba and owners, for at most 30m
Views, functions and names were not looked up in the server's catalogue: --connect does that, as a running holdpoint would.
";
        assert_eq!(text(&subject, &update("items\u{1b}")), expected);
        let observed = text(&subject, &update("orders"));
        assert!(
            observed.contains(
                "Outcome: observe by \"orders are watched\": it passes; else it would have been: hold by"
            ),
            "{observed}"
        );
        let nobody = Subject::new("shop", "bob", &[]);
        let held = text(&nobody, &update("items"));
        assert!(held.contains("    hold         no rule matched\n"), "{held}");
        assert!(
            held.contains("for a member of dba, for at most the timeout of [hold]"),
            "{held}"
        );
    }

    #[test]
    fn programs_read_the_same() {
        let groups = ["developers".to_owned()];
        let subject = Subject::new("shop", "alice", &groups);
        let judged = update("orders");
        let decision = policy().decide(&subject, &judged);
        let answer: Value =
            serde_json::from_str(&as_json(&policy(), &subject, &judged, &decision, false)).unwrap();
        assert_eq!(answer["subject"]["at"], "1970-01-01T00:00:00Z");
        assert_eq!(answer["subject"]["client"], Value::Null);
        let statement = &answer["statements"][0];
        assert_eq!(statement["facts"]["effect"], "write");
        assert_eq!(statement["observed_by"], "orders are watched");
        assert_eq!(statement["decided_by"], "writes wait");
        assert_eq!(statement["rules"][0]["step"], "does_not_match");
        assert_eq!(statement["rules"][0]["conditions"][0]["key"], "effects");
        assert_eq!(answer["decision"]["decision"], "observe");
        assert_eq!(
            answer["decision"]["would"],
            json!({
                "decision": "hold",
                "rules": ["writes wait"],
                "groups": ["dba", "owners"],
                "quorum": [["dba"], ["owners"]],
                "timeout": "30m",
                "justification": { "reason": false, "ticket": false },
                "self_approval": false,
                "exempt_admins": false,
                "break_glass": [],
            })
        );
        assert_eq!(answer["catalogue_looked_up"], false);
    }
}
