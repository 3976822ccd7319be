//! Which rules are found to match never.

use super::load_tests::{ALLOW, DENY, HEAD, HOLD, problems, rule};

const OBSERVE: &str = "\"observe\"";

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_rule_that_can_never_match_is_an_error() {
    // first rule, second rule, whether the first leaves nothing for the second
    for ((when_a, then_a), (when_b, then_b), covered) in [
        (("", DENY), ("users = ['a']", ALLOW), true),
        (("", HOLD), ("effects = ['unknown']", ALLOW), true),
        (("", ALLOW), ("users = ['a']", ALLOW), true),
        (("", ALLOW), ("effects = ['write']", DENY), true),
        (("", ALLOW), ("effects = ['unknown']", DENY), false),
        (("", ALLOW), ("", DENY), false),
        (
            ("effects = ['read', 'write']", ALLOW),
            ("effects = ['read']", DENY),
            true,
        ),
        (
            ("effects = ['read']", ALLOW),
            ("effects = ['read', 'write']", DENY),
            false,
        ),
        (
            ("users = ['a', 'b']", DENY),
            ("users = ['b'], where = true", ALLOW),
            true,
        ),
        (("users = ['a']", DENY), ("users = ['b']", ALLOW), false),
        (("groups = ['a', 'b']", DENY), ("groups = ['b']", ALLOW), true),
        (("groups = ['a']", DENY), ("users = ['b']", ALLOW), false),
        (
            ("not_groups = ['a']", DENY),
            ("not_groups = ['a', 'b']", ALLOW),
            true,
        ),
        (
            ("not_groups = ['a', 'b']", DENY),
            ("not_groups = ['a']", ALLOW),
            false,
        ),
        (("not_groups = ['a']", DENY), ("users = ['a']", ALLOW), false),
        (("where = true", DENY), ("where = true", ALLOW), true),
        (("where = true", DENY), ("where = false", ALLOW), false),
        (("tables = ['a', 'b']", DENY), ("tables = ['A']", ALLOW), true),
        (
            ("tables = ['a']", ALLOW),
            ("tables = ['a'], effects = ['read']", ALLOW),
            true,
        ),
        (
            ("tables = ['a']", ALLOW),
            ("tables = ['a'], effects = ['read']", DENY),
            false,
        ),
        (("tables = ['a']", DENY), ("tables = ['a', 'b']", ALLOW), false),
        (
            ("commands = ['select']", DENY),
            ("commands = ['SELECT']", HOLD),
            true,
        ),
        (
            ("functions = ['f']", DENY),
            ("functions = ['f'], users = ['a']", HOLD),
            true,
        ),
        (("limit = false", DENY), ("limit = false", ALLOW), true),
        (("limit = false", DENY), ("limit = true", ALLOW), false),
        (
            ("columns = ['u.a', 'u.b']", DENY),
            ("columns = ['u.b']", ALLOW),
            true,
        ),
        (
            ("columns = ['u.a']", ALLOW),
            ("columns = ['u.a'], users = ['a']", DENY),
            false,
        ),
        (
            ("application_names = ['psql', 'a*']", DENY),
            ("application_names = ['a*']", ALLOW),
            true,
        ),
        (
            ("application_names = ['a*']", DENY),
            ("application_names = ['A*']", ALLOW),
            false,
        ),
        (
            ("clients = ['10.0.0.0/8', '::1']", DENY),
            ("clients = ['10.1.0.0/16', '10.2.3.4']", ALLOW),
            true,
        ),
        (
            ("clients = ['10.1.0.0/16']", DENY),
            ("clients = ['10.0.0.0/8']", ALLOW),
            false,
        ),
        // A client without an address is one of these for the second rule alone.
        (
            ("clients = ['10.0.0.0/8']", ALLOW),
            ("clients = ['10.0.0.0/8']", DENY),
            false,
        ),
        (
            ("days = ['mon-fri'], time_zone = 'UTC'", DENY),
            ("days = ['mon-fri'], time_zone = 'UTC', users = ['a']", ALLOW),
            true,
        ),
        (
            ("days = ['mon-fri'], time_zone = 'UTC'", DENY),
            ("days = ['mon'], time_zone = 'UTC'", ALLOW),
            false,
        ),
        (
            ("users = ['a']", DENY),
            ("users = ['a'], hours = ['08:00-18:00'], time_zone = 'UTC'", ALLOW),
            true,
        ),
        // What is observed is decided on below, too, but not observed again.
        (("", OBSERVE), ("users = ['a']", DENY), false),
        (("", OBSERVE), ("users = ['a']", OBSERVE), true),
        (("", OBSERVE), ("effects = ['unknown']", OBSERVE), true),
        (("", ALLOW), ("users = ['a']", OBSERVE), false),
        (("users = ['a']", DENY), ("users = ['a']", OBSERVE), true),
    ] {
        let text = HEAD.to_owned() + &rule("a", when_a, then_a) + &rule("b", when_b, then_b);
        let problems = problems(&text);
        assert_eq!(!problems.is_empty(), covered, "{text}\n{problems:?}");
        if covered {
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains("rule \"b\" can never match: \"a\" at policy.toml:3"));
        }
    }
}
