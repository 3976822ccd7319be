#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::{Effect, Facts};

const POLICY: &str = r#"
default_groups = ["dba"]
[[rule]]
name = "reads"
when = { effects = ["read", "session"] }
then = "allow"
[[rule]]
name = "orders"
when = { tables = ["sales.orders"] }
then = { hold = { groups = ["sales", "dba"] } }
[[rule]]
name = "no deletes"
when = { commands = ["DELETE"] }
then = { deny = { reason = "mark it as gone" } }
"#;

fn file(cases: &str) -> TestFile {
    let text =
        format!("[subject]\nuser = \"alice\"\ngroups = [\"developers\"]\ndatabase = \"shop\"\n{cases}");
    TestFile::parse(Path::new("x_test.toml"), &text).unwrap()
}

/// Knows the first word of a statement only.
fn judge(sql: &str) -> Judged {
    let facts = |effect, command: &str| Facts {
        effect,
        commands: vec![command.to_owned()],
        tables: Vec::new(),
        functions: Vec::new(),
        unfiltered: false,
        columns: Vec::new(),
        unlimited: false,
        shape: None,
        unresolved: false,
        sets: crate::model::Sets::default(),
        defines: crate::model::Defines::Nothing,
        acts_when_read: false,
        has_text: false,
        signals: Vec::new(),
    };
    let statements = sql.split(';').filter(|statement| !statement.trim().is_empty());
    Judged {
        statements: statements
            .map(|statement| {
                let facts = match statement.split_whitespace().next() {
                    Some("SELECT") => facts(Effect::Read, "SELECT"),
                    Some("DELETE") => facts(Effect::Write, "DELETE"),
                    _ => Facts::unknown("?"),
                };
                Statement {
                    facts,
                    name_op: None,
                    transaction_control: false,
                }
            })
            .collect(),
        gist: crate::model::Gist::None,
    }
}

fn report(cases: &str) -> String {
    file(cases)
        .run(&Policy::parse(POLICY).unwrap(), judge)
        .to_string()
}

#[test]
fn what_comes_out_as_expected_passes() {
    let report = file(
        r#"
        [[case]]
        name = "an empty text"
        sql = " "
        expect = "allow"
        [[case]]
        name = "a read"
        sql = "SELECT 1"
        expect = "allow"
        rule = "reads"
        [[case]]
        name = "no rule"
        sql = "SELECT 1; VACUUM"
        expect = "hold"
        rule = "no rule matched"
        approvers = ["dba"]
        [[case]]
        name = "a table"
        user = "bob"
        groups = []
        database = "prod"
        facts = { effect = "write", commands = ["UPDATE"], tables = ["orders", 'public."Odd.one"'] }
        expect = "hold"
        rule = "orders"
        approvers = ["sales", "dba"]
        [[case]]
        name = "a delete"
        sql = "SELECT 1; DELETE FROM t"
        expect = "deny"
        rule = "no deletes"
        "#,
    )
    .run(&Policy::parse(POLICY).unwrap(), judge);
    assert!(report.is_passed(), "{report}");
    assert_eq!(report.to_string(), "x_test.toml: 5 of 5 passed");
}

#[test]
fn what_comes_out_otherwise_is_told() {
    let text = report(
        r#"
[[case]]
name = "a read"
sql = "SELECT 1"
expect = "allow"
[[case]]
name = "a delete waits"
sql = """
DELETE FROM t
  WHERE x"""
expect = "hold"
rule = "deletes wait"
approvers = ["b", "a"]
[[case]]
name = "a vacuum"
sql = "VACUUM"
expect = "hold"
approvers = ["vacuumers"]
"#,
    );
    let expected = "\
x_test.toml: 1 of 3 passed
  x_test.toml:11: FAILED \"a delete waits\"
    asked:    alice [developers] on shop: DELETE FROM t WHERE x
    expected: hold for a and b by \"deletes wait\"
    got:      deny by \"no deletes\": mark it as gone
    note:     there is no rule \"deletes wait\"
  x_test.toml:19: FAILED \"a vacuum\"
    asked:    alice [developers] on shop: VACUUM
    expected: hold for vacuumers
    got:      hold for a member of dba by \"no rule matched\"";
    assert_eq!(text, expected);
}

#[test]
fn each_case_and_each_rule_that_decides_is_told() {
    let report = file(
        r#"
[[case]]
name = "a read"
sql = "SELECT 1; SELECT 2"
expect = "allow"
[[case]]
name = "a delete"
sql = "DELETE FROM t"
expect = "allow"
"#,
    )
    .run(&Policy::parse(POLICY).unwrap(), judge);
    let expected = "\
x_test.toml: 1 of 2 passed
  passed \"a read\"
  x_test.toml:11: FAILED \"a delete\"
    asked:    alice [developers] on shop: DELETE FROM t
    expected: allow
    got:      deny by \"no deletes\": mark it as gone";
    assert_eq!(report.verbose(), expected);
    assert!(report.tests("reads") && report.tests("no deletes") && !report.tests("orders"));
    assert_eq!(report.failures().count(), 1);
}

#[test]
fn what_is_observed_is_expected_by_its_name() {
    let policy = Policy::parse(
        r#"
        default_groups = ["dba"]
        [[rule]]
        name = "see"
        when = { clients = ["10.0.0.0/8"], application_names = ["psql"], columns = ["users.email"] }
        then = "observe"
        [[rule]]
        name = "rest"
        then = { deny = { reason = "no" } }
        "#,
    )
    .unwrap();
    let report = file(
        r#"
        [[case]]
        name = "observed"
        client = "10.1.2.3"
        application_name = "psql"
        at = "2024-01-05T22:15:00Z"
        facts = { effect = "write", commands = ["UPDATE"], columns = ["public.users.email"] }
        expect = "observe"
        rule = "see"
        would = "deny"
        [[case]]
        name = "not surely"
        client = "10.1.2.3"
        application_name = "psql"
        facts = { effect = "write", commands = ["DELETE"], columns = ["users.*"], unlimited = false }
        expect = "deny"
        "#,
    )
    .run(&policy, judge);
    assert!(report.is_passed(), "{report}");
    assert!(report.tests("see") && report.tests("rest"));
    let report = file(
        r#"
        [[case]]
        name = "observed"
        client = "10.1.2.3"
        application_name = "psql"
        facts = { effect = "write", commands = ["UPDATE"], columns = ["users.email"] }
        expect = "allow"
        "#,
    )
    .run(&policy, judge);
    let text = report.to_string();
    assert!(
        text.contains("got:      observe by \"see\" (else: deny by \"rest\": no)"),
        "{text}"
    );
    let report = file(
        r#"
        [[case]]
        name = "observed"
        client = "10.1.2.3"
        application_name = "psql"
        facts = { effect = "write", commands = ["UPDATE"], columns = ["users.email"] }
        expect = "observe"
        would = "hold"
        approvers = ["dba"]
        "#,
    )
    .run(&policy, judge);
    let text = report.to_string();
    assert!(
        !report.is_passed() && text.contains("expected: observe (else: hold) for dba"),
        "{text}"
    );
}

#[test]
fn another_rule_or_decision_is_a_failure() {
    for (sql, expectation) in [
        ("SELECT 1", "expect = 'deny'"),
        ("SELECT 1", "expect = 'hold'"),
        ("SELECT 1", "expect = 'allow'\nrule = 'orders'"),
        ("DELETE", "expect = 'allow'"),
        ("VACUUM", "expect = 'hold'\napprovers = ['dba', 'sales']"),
    ] {
        let text = format!("[[case]]\nname = 'x'\nsql = '{sql}'\n{expectation}\n");
        assert!(report(&text).contains("0 of 1 passed"), "{text}");
    }
}

#[test]
fn faults_of_test_files_are_named_with_their_line() {
    let case = "[[case]]\nname = 'x'\n";
    for (text, expected) in [
        (String::new(), "x_test.toml: no cases: write [[case]]"),
        ("x".to_owned(), "x_test.toml:1: "),
        ("colour = 1".to_owned(), "x_test.toml:1: unknown key `colour`"),
        (
            "[subject]\nname = 'x'".to_owned(),
            "x_test.toml:2: unknown field `name`",
        ),
        (
            format!("{case}sql = ''\n"),
            "x_test.toml:1: missing field `expect`",
        ),
        (
            format!("{case}expect = 'maybe'\n"),
            "x_test.toml:3: unknown variant `maybe`, expected one of `allow`",
        ),
        (
            format!("{case}expect = 'allow'\nuser = 'a'\ndatabase = 'b'\n"),
            "x_test.toml:2: a case has either `sql` or `facts`",
        ),
        (
            format!("{case}expect = 'allow'\nsql = ''\nuser = 'a'\n"),
            "x_test.toml:2: no `database`: say it here, or for all cases in [subject]",
        ),
        (
            format!("{case}expect = 'allow'\nsql = ''\nuser = 'a'\ndatabase = 'b'\napprovers = ['c']\n"),
            "x_test.toml:2: `approvers` goes with expect = \"hold\" only",
        ),
        (
            format!("{case}expect = 'hold'\nsql = ''\nuser = 'a'\ndatabase = 'b'\nwould = 'allow'\n"),
            "x_test.toml:2: `would` goes with expect = \"observe\" only",
        ),
        (
            format!("{case}expect = 'observe'\nsql = ''\nuser = 'a'\ndatabase = 'b'\nwould = 'observe'\n"),
            "x_test.toml:2: `would` is what becomes of it unobserved",
        ),
        (
            format!(
                "{case}expect = 'allow'\nuser = 'a'\ndatabase = 'b'\nfacts = {{ effect = 'read', commands = [] }}\n"
            ),
            "x_test.toml:6: a statement has at least one command",
        ),
        (
            format!(
                "{case}expect = 'allow'\nuser = 'a'\ndatabase = 'b'\nfacts = {{ effect = 'read', commands = ['SELECT'], tables = ['a.b.c'] }}\n"
            ),
            "x_test.toml:6: \"a.b.c\" is no table: write \"name\" or \"schema.name\"",
        ),
    ] {
        let error = TestFile::parse(Path::new("x_test.toml"), &text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_folder_has_its_test_files_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let case = "[[case]]\nname = 'x'\nsql = ''\nuser = 'a'\ndatabase = 'b'\nexpect = 'allow'\n";
    write("b_test.toml", case);
    write("a_test.toml", case);
    write("a.toml", "a rule file");
    let files = TestFile::load_all(folder.path()).unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|file| file.path().file_name().unwrap())
        .collect();
    assert_eq!(names, ["a_test.toml", "b_test.toml"]);
    write("c_test.toml", "x");
    write("d_test.toml", "y");
    let error = TestFile::load_all(folder.path()).unwrap_err();
    assert_eq!(error.problems().len(), 2);
}
