//! Reading policy folders: what is accepted, and what is said about what is not.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use super::*;

pub(super) const HEAD: &str = "default_groups = [\"dba\"]\n";

/// The lines of the error for one file.
pub(super) fn problems(text: &str) -> Vec<String> {
    match Policy::parse(text) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

pub(super) fn rule(name: &str, when: &str, then: &str) -> String {
    let when = if when.is_empty() {
        String::new()
    } else {
        format!("when = {{ {when} }}\n")
    };
    format!("[[rule]]\nname = \"{name}\"\n{when}then = {then}\n")
}

pub(super) const ALLOW: &str = "\"allow\"";
pub(super) const HOLD: &str = "{ hold = { groups = [\"dba\"] } }";
pub(super) const DENY: &str = "{ deny = { reason = \"no\" } }";

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_fault_is_named_with_its_line() {
    let name = "name = \"x\"\n";
    for (text, expected) in [
        ("default_groups = [\n", vec!["policy.toml:1: "]),
        ("", vec!["policy.toml: no policy file says `default_groups`"]),
        (
            "default_groups = []\n",
            vec!["policy.toml:1: `default_groups` is empty"],
        ),
        (
            "default_groups = [\"dba\", \"\"]\n",
            vec!["policy.toml:1: default_groups: a name is empty"],
        ),
        (
            &format!("{HEAD}colour = 1\n"),
            vec![
                "policy.toml:2: unknown key `colour`: a policy file has `default_groups`, [[rule]] and [[access]]",
            ],
        ),
        (
            &format!("{HEAD}[rule]\n{name}"),
            vec!["policy.toml:2: `rule` is a list of tables: write [[rule]]"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {ALLOW}\nwen = {{}}\n"),
            vec!["policy.toml:5: unknown field `wen`, expected one of `name`, `when`, `then`"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {ALLOW}\n[rule.when]\neffect = [\"read\"]\n"),
            vec!["policy.toml:6: unknown field `effect`, expected one of `databases`"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}when = {{ where = \"no\" }}\nthen = {ALLOW}\n"),
            vec!["policy.toml:4: invalid type: string \"no\", expected a boolean"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}"),
            vec!["policy.toml:2: missing field `then`"],
        ),
        (
            &format!("{HEAD}[[rule]]\nthen = {ALLOW}\n"),
            vec!["policy.toml:2: missing field `name`"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = \"alow\"\n"),
            vec!["policy.toml:4: `then` cannot be \"alow\": write \"allow\", \"observe\", { hold"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = \"deny\"\n"),
            vec!["policy.toml:4: `then` cannot be \"deny\": write"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {{}}\n"),
            vec!["policy.toml:4: `then` takes \"allow\""],
        ),
        (
            &format!(
                "{HEAD}[[rule]]\n{name}then = {{ deny = {{ reason = \"a\" }}, hold = {{ groups = [\"b\"] }} }}\n"
            ),
            vec!["policy.toml:4: `then` takes one of \"allow\""],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {{ hold = {{}} }}\n"),
            vec!["policy.toml:4: a hold names who approves"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {{ hold = {{ groups = [\"a\"], timout = \"1m\" }} }}\n"),
            vec!["policy.toml:4: unknown field `timout`"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {{ hold = {{ groups = [], timeout = \"0s\" }} }}\n"),
            vec![
                "policy.toml:4: `groups` is empty",
                "policy.toml:4: a timeout under a second",
            ],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {{ hold = {{ groups = [\"a\"], timeout = \"30\" }} }}\n"),
            vec!["policy.toml:4: \"30\" is not a duration: a unit is expected"],
        ),
        (
            &format!(
                "{HEAD}[[rule]]\n{name}then = {{ hold = {{ groups = [\"a\", \"b\"], min_approvals = 1 }} }}\n"
            ),
            vec!["policy.toml:4: min_approvals = 1, but the groups named ask for 2 people already"],
        ),
        (
            &format!(
                "{HEAD}[[rule]]\n{name}then = {{ hold = {{ any_of = [\"a\"], min_approvals = 17 }} }}\n"
            ),
            vec!["policy.toml:4: min_approvals = 17: more than 16 people are not asked for"],
        ),
        (
            &format!(
                "{HEAD}[[rule]]\n{name}then = {{ hold = {{ groups = [\"a\"], justification = [\"why\"] }} }}\n"
            ),
            vec!["policy.toml:4: justification: \"why\" is neither \"reason\" nor \"ticket\""],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {{ hold = {{ groups = [\"a\"], break_glass = [] }} }}\n"),
            vec!["policy.toml:4: `break_glass` is empty"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}then = {{ deny = {{ reason = \" \" }} }}\n"),
            vec!["policy.toml:4: the reason is empty"],
        ),
        (
            &format!("{HEAD}[[rule]]\nname = \" \"\nthen = {ALLOW}\n"),
            vec!["policy.toml:3: a rule's name is empty"],
        ),
        (
            &format!("{HEAD}[[rule]]\nname = \"a\\nb\"\nthen = {ALLOW}\n"),
            vec!["policy.toml:3: a rule's name is one line of text"],
        ),
        (
            &(HEAD.to_owned() + &rule(NO_RULE, "", ALLOW)),
            vec!["policy.toml:3: this name is kept for statements that no rule matches"],
        ),
        (
            &format!("{HEAD}[[rule]]\n{name}when = {{}}\nthen = {ALLOW}\n"),
            vec!["policy.toml:4: an empty `when`"],
        ),
        (
            &format!(
                "{HEAD}[[rule]]\n{name}then = {ALLOW}\n[rule.when]\neffects = []\nusers = [\"*\"]\ncommands = [\" \"]\ntables = [\"a.b.c\"]\n"
            ),
            vec![
                "policy.toml:7: users: \"*\": `*` works in commands, tables, columns, functions and",
                "policy.toml:6: `effects` is empty",
                "policy.toml:8: commands: a command is empty",
                "policy.toml:9: tables: \"a.b.c\" is no name of a table or function: write \"name\" or",
            ],
        ),
        (
            &format!(
                "{HEAD}[[rule]]\n{name}when = {{ effects = [\n\"read\",\n\"writes\" ] }}\nthen = {ALLOW}\n"
            ),
            vec!["policy.toml:6: effects: unknown effect \"writes\" (one of session, read"],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "groups = [\"a\"], not_groups = [\"b\", \"a\"]", ALLOW)),
            vec!["policy.toml:4: this can never match: each of `groups` is also in `not_groups`"],
        ),
        (
            &format!(
                "{HEAD}[[rule]]\n{name}then = {ALLOW}\n[rule.when]\ncolumns = [\"email\"]\nshapes = [\"12ab\"]\nclients = [\"10.0.0.1/8\"]\ndays = [\"monday\"]\nhours = [\"8-18\"]\ntime_zone = \"Berlin\"\n"
            ),
            vec![
                "policy.toml:6: columns: \"email\" is no column of a table: write \"table.column\" or",
                "policy.toml:7: shapes: \"12ab\": a shape is written as 64 hexadecimal digits",
                "policy.toml:8: clients: \"10.0.0.1/8\" has bits set that /8 leaves out",
                "policy.toml:9: days: \"monday\" is no day",
                "policy.toml:10: hours: \"8-18\" is no span of hours",
                "policy.toml:11: time_zone: \"Berlin\" is no time zone",
            ],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "days = ['mon-fri']", ALLOW)),
            vec!["policy.toml:4: `days` and `hours` need a `time_zone`, as in time_zone = \"Europe/Berlin\""],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "users = ['a'], time_zone = 'UTC'", ALLOW)),
            vec!["policy.toml:4: `time_zone` goes with `days` or `hours`"],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "effects = ['session', 'read'], where = false", DENY)),
            vec![
                "policy.toml:4: this can never match: what has an UPDATE or DELETE in it is at least a write",
            ],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "effects = ['read'], columns = ['users.email']", DENY)),
            vec!["policy.toml:4: this can never match: what writes columns is at least a write"],
        ),
        (
            &(HEAD.to_owned()
                + &rule(
                    "x",
                    "effects = ['read', 'write'], commands = ['drop *', 'GRANT']",
                    DENY,
                )),
            vec!["policy.toml:4: this can never match: all `effects` are milder than any of `commands`"],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "commands = ['truncate', 'DROPP *', 'DROP *']", DENY)),
            vec![
                "policy.toml:4: commands: no statement is called \"TRUNCATE\"; did you mean TRUNCATE TABLE?",
                "policy.toml:4: commands: no statement is called \"DROPP *\"",
            ],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "effects = ['session'], limit = false", DENY)),
            vec!["policy.toml:4: this can never match: what hands out rows is at least a read"],
        ),
        (
            &(HEAD.to_owned() + &rule("x", "users = [\"a\"]", ALLOW) + &rule("x", "users = [\"b\"]", ALLOW)),
            vec!["policy.toml:7: the name \"x\" is taken by the rule at policy.toml:3"],
        ),
    ] {
        let problems = problems(text);
        assert_eq!(problems.len(), expected.len(), "{text}\n{problems:#?}");
        for (problem, start) in problems.iter().zip(expected) {
            assert!(problem.starts_with(start), "{text}\n{problem}\nis not\n{start}");
        }
    }
}

fn build(files: &[(&str, &str)]) -> Result<Policy, PolicyError> {
    let sources: Vec<(PathBuf, String)> = files
        .iter()
        .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
        .collect();
    Policy::build(Path::new("policies"), &sources, Vec::new())
}

#[test]
fn files_make_one_policy() {
    let reads = rule("reads", "effects = ['read']", ALLOW);
    let rest = HEAD.to_owned() + &rule("rest", "", HOLD);
    let policy = build(&[("a.toml", &reads), ("b.toml", &rest)]).unwrap();
    let names: Vec<_> = policy
        .rules()
        .iter()
        .map(|rule| (rule.name(), rule.place()))
        .collect();
    assert_eq!(names, [("reads", "a.toml:2"), ("rest", "b.toml:3")]);

    let error = build(&[("a.toml", &rest), ("b.toml", &reads)]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("b.toml:2: rule \"reads\" can never match: \"rest\" at a.toml:3")
    );

    let error = build(&[("a.toml", &rest), ("b.toml", &rest)])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("b.toml:3: the name \"rest\" is taken by the rule at a.toml:3"),
        "{error}"
    );
}

#[test]
fn default_groups_are_said_once_or_alike() {
    let same = build(&[
        ("a.toml", "default_groups = ['b', 'a']"),
        ("b.toml", "default_groups = ['a', 'b']"),
    ]);
    assert_eq!(same.unwrap().groups(), ["a", "b"]);
    let error = build(&[
        ("a.toml", "default_groups = ['a']"),
        ("b.toml", "\ndefault_groups = ['b']"),
    ]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "b.toml:2: `default_groups` says something else than at a.toml:1; keep one of the two"
    );
    let error = build(&[]).unwrap_err().to_string();
    assert!(
        error.starts_with("policies: no policy file says `default_groups`"),
        "{error}"
    );
}

#[test]
fn every_file_is_looked_through_before_giving_up() {
    let error = build(&[("a.toml", "x ="), ("b.toml", "colour = 1")]).unwrap_err();
    let places: Vec<_> = error
        .problems()
        .iter()
        .map(|p| (p.file.to_str().unwrap(), p.line))
        .collect();
    assert_eq!(places, [("a.toml", Some(1)), ("b.toml", Some(1))]);
}

#[test]
fn a_folder_is_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("20-rest.toml", &(HEAD.to_owned() + &rule("rest", "", HOLD)));
    write("10-reads.toml", &rule("reads", "effects = ['read']", ALLOW));
    write("10-reads_test.toml", "not a rule file");
    write(".hidden.toml", "not a rule file");
    write("README.md", "not a rule file");
    std::fs::create_dir(folder.path().join("more.toml")).unwrap();
    let policy = Policy::load(folder.path()).unwrap();
    let names: Vec<_> = policy.rules().iter().map(Rule::name).collect();
    assert_eq!(names, ["reads", "rest"]);

    std::fs::write(folder.path().join("30-binary.toml"), b"\xff").unwrap();
    let error = Policy::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("30-binary.toml: cannot be read: "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Policy::load(&folder.path().join("nowhere"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("nowhere: cannot be read: "), "{error}");
}

#[test]
fn the_examples_of_the_guide_are_right() {
    let guide = include_str!("../../policies/README.md");
    let examples: Vec<&str> = guide
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(examples.len(), 7);
    for example in examples {
        if example.contains("[[case]]") {
            let file = super::test::TestFile::parse(Path::new("guide_test.toml"), example).unwrap();
            assert_eq!(file.cases().len(), 2);
        } else if example.contains("default_groups") {
            assert_eq!(Policy::parse(example).unwrap().rules().len(), 3);
        } else if example.contains("[[access]]") {
            let policy = Policy::parse(&format!("default_groups = [\"dba\"]\n{example}")).unwrap();
            assert_eq!(policy.access().len(), 1);
        } else {
            assert_eq!(
                Policy::parse(&format!("{HEAD}{example}")).unwrap().rules().len(),
                1
            );
        }
    }
}
