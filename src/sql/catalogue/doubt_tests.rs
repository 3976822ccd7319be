//! What may hide behind a name: casts and operators that nobody wrote, and what a session has just defined.

use std::sync::Arc;

use super::definitions::{Callee, Node, Operator};
use super::tests::{PAY, facts, function, object, shop, with};
use super::{Catalogue, Sight};
use crate::model::{Effect, TableAccess};
use crate::sql::grammar::judge_text;
use crate::sql::references::Eyes;
use crate::sql::tests::USUAL;

/// The server takes a type behind a point for a cast (`ParseFuncOrColumn`, `FUNCDETAIL_COERCION`).
#[test]
fn a_type_behind_a_point_casts() {
    with(shop(), |catalogue| {
        let sight = catalogue.sight(true);
        for (text, effect) in [
            ("SELECT (5).checks", Effect::Unknown),
            ("SELECT o.checks FROM orders o", Effect::Unknown),
            ("SELECT x.checks FROM unnest(ARRAY[4711]) AS x", Effect::Unknown),
            ("SELECT o.mood FROM orders o", Effect::Read),
        ] {
            assert_eq!(facts(&sight, text).effect, effect, "{text}");
        }
    });
}

/// A constant takes the type that an operator asks for, and a domain's operator takes what the domain is over.
#[test]
fn an_operator_of_a_users_type_is_not_always_found_by_it() {
    let mut definitions = shop();
    let operator = |oid: u32, name: &str, operands: [u32; 2], is_beside_own: bool| Operator {
        object: object(oid, name),
        operands,
        is_beside_own,
    };
    definitions.operators.extend([
        operator(21_101, "@>", [25, 22_001], false),
        operator(21_102, "<@", [22_002, 22_002], false),
        operator(21_103, "&&", [22_001, 22_001], false),
        operator(21_104, "~~", [22_001, 25], true),
    ]);
    for oid in 21_101..=21_104 {
        let callee = Callee {
            object: object(PAY, "pay"),
        };
        definitions.calls.push((Node::Operator(oid), callee));
    }
    definitions.open.insert(22_002);
    definitions
        .functions
        .push(function(20_101, "within", false, "sql", "SELECT $1 @> 'sad'"));
    with(definitions, |catalogue| {
        let sight = catalogue.sight(true);
        for (text, effect) in [
            ("SELECT note @> 'sad' FROM orders", Effect::Unknown),
            ("SELECT 'a' <@ 'b'", Effect::Unknown),
            ("SELECT within(1)", Effect::Unknown),
            ("SELECT note && tags FROM orders", Effect::Read),
            ("SELECT note LIKE 'a%' FROM orders", Effect::Read),
            ("SELECT 'a'::mood && 'b'", Effect::Unknown),
        ] {
            assert_eq!(facts(&sight, text).effect, effect, "{text}");
        }
    });
}

/// A definition, a text behind it, and what that does.
const HIDING: [(&str, &str, Effect); 25] = [
    (
        "CREATE FUNCTION length(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT length(1)",
        Effect::Unknown,
    ),
    (
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT length('a')",
        Effect::Read,
    ),
    (
        "CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT c.f FROM pg_class c",
        Effect::Unknown,
    ),
    (
        "CREATE FUNCTION length(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT pg_catalog.length('a')",
        Effect::Read,
    ),
    (
        "CREATE TEMP VIEW pg_class AS SELECT 1",
        "SELECT 1 FROM pg_class",
        Effect::Unknown,
    ),
    (
        "CREATE TEMP VIEW pg_class AS SELECT 1",
        "SELECT 1 FROM pg_catalog.pg_class",
        Effect::Read,
    ),
    (
        "CREATE TEMP TABLE a AS SELECT 1",
        "SELECT 1 FROM pg_class",
        Effect::Read,
    ),
    (
        "SELECT 1 INTO TEMP pg_class",
        "SELECT 1 FROM pg_class",
        Effect::Unknown,
    ),
    (
        "CREATE DOMAIN pg_temp.int8 AS int",
        "SELECT 5::int8",
        Effect::Unknown,
    ),
    (
        "CREATE DOMAIN pg_temp.int8 AS int",
        "SELECT 5::int4",
        Effect::Read,
    ),
    (
        "CREATE OPERATOR + (LEFTARG = int, RIGHTARG = int, FUNCTION = f)",
        "SELECT 1 + 1",
        Effect::Unknown,
    ),
    (
        "CREATE OPERATOR + (LEFTARG = int, RIGHTARG = int, FUNCTION = f)",
        "SELECT 1 - 1",
        Effect::Read,
    ),
    ("ALTER TABLE a RENAME TO b", "SELECT length('a')", Effect::Read),
    (
        "ALTER TABLE a RENAME TO pg_class",
        "SELECT 1 FROM pg_class",
        Effect::Unknown,
    ),
    (
        "ALTER TABLE a RENAME COLUMN b TO length",
        "SELECT length('a')",
        Effect::Read,
    ),
    (
        "ALTER FUNCTION f RENAME TO length",
        "SELECT length('a')",
        Effect::Unknown,
    ),
    (
        "ALTER FUNCTION f SET SCHEMA a",
        "SELECT length('a')",
        Effect::Unknown,
    ),
    (
        "CREATE DOMAIN pg_temp.int4 AS int",
        "SELECT '{1}'::_int4",
        Effect::Unknown,
    ),
    (
        "ALTER TABLE a ADD COLUMN b int",
        "SELECT length('a')",
        Effect::Read,
    ),
    ("CREATE INDEX ON a (b)", "SELECT length('a')", Effect::Read),
    ("CREATE EXTENSION hstore", "SELECT length('a')", Effect::Unknown),
    ("DO 'BEGIN END'", "SELECT length('a')", Effect::Unknown),
    ("ALTER FUNCTION f VOLATILE", "SELECT length('a')", Effect::Unknown),
    ("this is no SQL", "SELECT length('a')", Effect::Unknown),
    ("SELECT 1", "SELECT length('a')", Effect::Read),
];

/// What a session has put in the way of PostgreSQL's own names in its transaction, or may have.
#[test]
fn names_that_the_session_has_defined_hide_others() {
    let defined = |text: &str| {
        let judged = judge_text(text.as_bytes(), USUAL, 1_000_000, Eyes::Blind);
        judged.joined_facts().defines
    };
    with(shop(), |catalogue| {
        for (definition, text, effect) in HIDING {
            let sight = catalogue.in_doubt_of(defined(definition));
            assert_eq!(facts(&sight, text).effect, effect, "{definition}; {text}");
        }
    });
}

#[test]
fn what_a_change_runs_is_told() {
    with(shop(), |catalogue| {
        let sight = catalogue.sight(true);
        let of = |sight: &Sight, schema: Option<&str>, name: &str| {
            let table = TableAccess {
                schema: schema.map(str::to_owned),
                name: name.to_owned(),
                written: true,
            };
            sight.runs_when_written(&table)
        };
        assert_eq!(
            of(&sight, Some("public"), "orders").as_deref(),
            Some("a change of public.orders runs its trigger audit")
        );
        assert_eq!(of(&sight, Some("archive"), "only_there"), None);
        // What reading them runs runs then as well.
        assert!(of(&sight, None, "trap").is_some());
        assert!(of(&sight, None, "not_there").is_some());
        assert!(of(&catalogue.in_doubt(), Some("archive"), "only_there").is_some());
    });
}

/// While definitions change, what acted does, PostgreSQL's own is what it was, and nothing else is known; where
/// nothing ever was known, a column may be a call.
#[test]
fn in_doubt_nothing_is_milder() {
    with(shop(), |catalogue| {
        let sight = catalogue.in_doubt();
        for (text, effect) in [
            ("SELECT 1", Effect::Read),
            ("SELECT upper(relname) FROM pg_class", Effect::Unknown),
            ("SELECT c.relname FROM pg_class c", Effect::Read),
            ("SELECT length('a')", Effect::Read),
            ("SELECT lower('a')", Effect::Unknown),
            ("SELECT (4711).refund", Effect::Unknown),
            ("SELECT x.refund FROM unnest(ARRAY[4711]) AS x", Effect::Unknown),
            ("SELECT o.honest FROM pg_class o", Effect::Unknown),
            ("SELECT * FROM orders", Effect::Unknown),
            ("SELECT honest(1)", Effect::Unknown),
        ] {
            assert_eq!(facts(&sight, text).effect, effect, "{text}");
        }
        let nothing = Arc::new(Catalogue::empty()).in_doubt();
        for text in ["SELECT (4711).refund", "SELECT c.relname FROM (SELECT 1) c"] {
            assert_eq!(facts(&nothing, text).effect, Effect::Unknown, "{text}");
        }
    });
}
