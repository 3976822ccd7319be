//! What a catalogue makes of the names in a text.

use std::collections::HashSet;
use std::sync::Arc;

use super::definitions::{Callee, Definitions, Function, Node, Object, Operator, Text, Use};
use super::{Catalogue, Sight};
use crate::model::{Effect, Facts};
use crate::sql::grammar::judge_text;
use crate::sql::references::Eyes;
use crate::sql::tests::{USUAL, on_a_large_stack};

pub(super) fn object(oid: u32, name: &str) -> Object {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    Object {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
    }
}

pub(super) fn function(oid: u32, name: &str, is_volatile: bool, language: &str, source: &str) -> Function {
    Function {
        object: object(oid, name),
        is_volatile,
        language: language.to_owned(),
        source: source.to_owned(),
        is_bound: false,
        has_path: false,
        takes_row: true,
        arguments: (1, 1),
    }
}

pub(super) const PAY: u32 = 20_001;
const LIES: u32 = 20_002;

/// A shop with traps.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn shop() -> Definitions {
    let call = |by: Node, oid: u32, name: &str| {
        (
            by,
            Callee {
                object: object(oid, name),
            },
        )
    };
    Definitions {
        path: vec!["pg_catalog".into(), "public".into()],
        functions: vec![
            function(PAY, "pay", true, "plpgsql", ""),
            function(LIES, "lies", false, "sql", "SELECT Pay($1)"),
            function(20_003, "honest", false, "sql", "SELECT $1 * 2"),
            function(
                20_004,
                "kills",
                false,
                "plpgsql",
                "BEGIN PERFORM \"pg_terminate_backend\"($1); END",
            ),
            function(20_005, "runs", false, "plpgsql", "BEGIN EXECUTE $1; END"),
            function(20_006, "python", false, "plpython3u", ""),
            function(20_007, "compiled", false, "c", ""),
            function(20_008, "lower", true, "sql", ""),
            function(20_009, "elsewhere.upper", true, "sql", ""),
            function(20_010, "by_operator", false, "sql", "SELECT $1 <~> 1"),
            function(20_011, "even", false, "sql", "SELECT lies($1)"),
            function(20_012, "total", false, "internal", "aggregate_dummy"),
        ],
        operators: vec![
            Operator {
                object: object(21_001, "<~>"),
                operands: [23, 23],
                is_beside_own: false,
            },
            Operator {
                object: object(21_002, "<->"),
                operands: [23, 23],
                is_beside_own: false,
            },
            Operator {
                object: object(21_003, "="),
                operands: [23, 25],
                is_beside_own: false,
            },
            Operator {
                object: object(21_004, "<="),
                operands: [22_003, 22_003],
                is_beside_own: false,
            },
        ],
        relations: vec![
            object(22_501, "orders"),
            object(22_502, "trap"),
            object(22_503, "over_trap"),
            object(22_504, "asks"),
            object(22_505, "far"),
            object(22_506, "guarded"),
            object(22_507, "parent"),
            object(22_508, "checked"),
            object(22_509, "elsewhere.orders"),
            object(22_510, "archive.only_there"),
            object(22_511, "of_odd"),
        ],
        foreign: vec![22_505],
        locked: vec![],
        symbols: vec![],
        types: vec![
            object(22_001, "mood"),
            object(22_002, "checks"),
            object(22_003, "odd"),
        ],
        open: HashSet::new(),
        composed: HashSet::new(),
        changed_with: Vec::new(),
        writing: vec![(22_501, "its trigger audit".to_owned())],
        texts: vec![
            Text {
                of: Node::Relation(22_502),
                sql: " SELECT public.pay(o.id) AS pay FROM public.orders o;".into(),
                is_expression: false,
            },
            Text {
                of: Node::Relation(22_504),
                sql: " SELECT nextval('s'::regclass) AS nextval;".into(),
                is_expression: false,
            },
            Text {
                of: Node::Type(22_001),
                sql: "(VALUE > 0)".into(),
                is_expression: true,
            },
        ],
        uses: vec![
            Use {
                by: Node::Relation(22_502),
                of: Node::Function(PAY),
            },
            Use {
                by: Node::Relation(22_503),
                of: Node::Relation(22_502),
            },
            Use {
                by: Node::Relation(22_506),
                of: Node::Function(LIES),
            },
            Use {
                by: Node::Relation(22_507),
                of: Node::Relation(22_505),
            },
            Use {
                by: Node::Type(22_002),
                of: Node::Function(PAY),
            },
            Use {
                by: Node::Relation(22_511),
                of: Node::Type(22_003),
            },
            Use {
                by: Node::Relation(22_508),
                of: Node::Type(22_002),
            },
        ],
        calls: vec![
            call(Node::Operator(21_001), PAY, "pay"),
            call(Node::Operator(21_002), 20_003, "honest"),
            call(Node::Operator(21_003), PAY, "pay"),
            call(Node::Operator(21_004), PAY, "pay"),
            call(Node::Function(20_012), 1_574, "pg_catalog.nextval"),
        ],
        casts: vec![],
        system: vec![
            ("pg_catalog".into(), "pg_class".into()),
            ("information_schema".into(), "tables".into()),
        ],
    }
}

pub(super) fn facts(sight: &Sight, text: &str) -> Facts {
    judge_text(text.as_bytes(), USUAL, 1_000_000, Eyes::Open(sight)).joined_facts()
}

pub(super) fn with<T: Send>(definitions: Definitions, work: impl FnOnce(&Arc<Catalogue>) -> T + Send) -> T {
    on_a_large_stack(move || work(&Arc::new(Catalogue::new(&definitions))))
}

#[test]
fn what_only_reads_passes_and_what_reaches_further_does_not() {
    with(shop(), |catalogue| {
        let sight = catalogue.sight(true);
        for (text, effect) in [
            ("SELECT * FROM orders", Effect::Read),
            ("SELECT honest(1), compiled(2) FROM public.orders", Effect::Read),
            ("SELECT 1 <-> 2", Effect::Read),
            ("SELECT 'x'::mood", Effect::Read),
            ("SELECT o.total FROM orders o", Effect::Unknown),
            (
                "SELECT * FROM pg_class, pg_catalog.pg_class c, information_schema.tables",
                Effect::Read,
            ),
            ("SELECT pay(1)", Effect::Unknown),
            ("SELECT lies(1)", Effect::Unknown),
            ("SELECT even(1)", Effect::Unknown),
            ("SELECT kills(1)", Effect::Unknown),
            ("SELECT runs('x')", Effect::Unknown),
            ("SELECT python(1)", Effect::Unknown),
            ("SELECT by_operator(1)", Effect::Unknown),
            ("SELECT total(1)", Effect::Unknown),
            ("SELECT 1 <~> 2", Effect::Unknown),
            ("SELECT 1 OPERATOR(public.<~>) 2", Effect::Unknown),
            ("SELECT * FROM trap", Effect::Unknown),
            ("SELECT * FROM over_trap", Effect::Unknown),
            ("SELECT * FROM asks", Effect::Unknown),
            ("SELECT * FROM far", Effect::Unknown),
            ("SELECT * FROM parent", Effect::Unknown),
            ("SELECT * FROM guarded", Effect::Unknown),
            ("SELECT * FROM checked", Effect::Unknown),
            ("COPY trap TO STDOUT", Effect::Unknown),
            ("COPY orders TO STDOUT", Effect::Read),
            ("SELECT checks '5'", Effect::Unknown),
            ("SELECT checks(5)", Effect::Unknown),
            ("SELECT mood(5)", Effect::Read),
            ("SELECT o.pay FROM orders o", Effect::Unknown),
            ("SELECT o.id FROM orders o", Effect::Read),
            ("SELECT (o).pay FROM orders o", Effect::Unknown),
            ("EXPLAIN SELECT * FROM trap", Effect::Unknown),
            ("CREATE VIEW v AS SELECT * FROM trap", Effect::Schema),
            ("DELETE FROM orders WHERE id > 1", Effect::Write),
            ("INSERT INTO not_there VALUES (1)", Effect::Write),
            ("WITH trap AS (SELECT 1) SELECT * FROM trap", Effect::Read),
        ] {
            let found = facts(&sight, text);
            assert_eq!(found.effect, effect, "{text}: {:?}", found.signals);
        }
    });
}

/// A function of a user's may stand behind the name of one of PostgreSQL's own, and an operator behind syntax.
#[test]
fn what_hides_behind_names_of_postgresql_counts() {
    with(shop(), |catalogue| {
        let sight = catalogue.sight(true);
        for (text, effect) in [
            ("SELECT lower('A')", Effect::Unknown),
            ("SELECT pg_catalog.lower('A')", Effect::Read),
            ("SELECT lower('A', 'B')", Effect::Read),
            ("SELECT upper('a')", Effect::Read),
            ("SELECT elsewhere.upper('a')", Effect::Unknown),
            ("SELECT a = b FROM orders", Effect::Unknown),
            ("SELECT a OPERATOR(pg_catalog.=) b FROM orders", Effect::Read),
            ("SELECT a IN (SELECT 1) FROM orders", Effect::Unknown),
            ("SELECT CASE a WHEN 1 THEN 2 END FROM orders", Effect::Unknown),
            ("SELECT CASE WHEN true THEN 2 END FROM orders", Effect::Read),
            ("SELECT 1 FROM orders a JOIN orders b USING (id)", Effect::Unknown),
            ("SELECT 1 FROM orders a NATURAL JOIN orders b", Effect::Unknown),
            ("SELECT a < b FROM orders", Effect::Read),
            // One that takes a type of a user's is found by the type.
            ("SELECT a <= b FROM orders", Effect::Read),
            ("SELECT * FROM of_odd", Effect::Unknown),
            ("SELECT 'x'::odd", Effect::Unknown),
        ] {
            assert_eq!(facts(&sight, text).effect, effect, "{text}");
        }
        // Where names are looked for is not known: anywhere.
        assert_eq!(
            facts(&catalogue.sight(false), "SELECT upper('a')").effect,
            Effect::Unknown
        );
    });
}

#[test]
fn names_that_are_not_known_are_unresolved() {
    with(shop(), |catalogue| {
        let sight = catalogue.sight(true);
        for (text, unresolved) in [
            ("SELECT * FROM orders", false),
            ("SELECT * FROM ordres", true),
            ("SELECT * FROM archive.only_there", false),
            ("SELECT * FROM only_there", true),
            ("SELECT missing(1)", true),
            ("SELECT 1 <=?=> 2", true),
            ("SELECT 'a'::missing", true),
            ("INSERT INTO ordres VALUES (1)", false),
            ("INSERT INTO orders SELECT * FROM ordres", true),
            ("CREATE TABLE ordres (id int)", false),
        ] {
            let found = facts(&sight, text);
            assert_eq!(found.unresolved, unresolved, "{text}");
            assert!(!unresolved || found.effect == Effect::Unknown, "{text}");
        }
        assert!(!facts(&catalogue.sight(false), "SELECT * FROM only_there").unresolved);
    });
}

#[test]
fn schemas_are_said_where_it_is_certain_which() {
    with(shop(), |catalogue| {
        let tables = |sight: &Sight, text: &str| {
            let facts = facts(sight, text);
            facts
                .tables
                .iter()
                .map(crate::model::TableAccess::qualified)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (default, unknown) = (catalogue.sight(true), catalogue.sight(false));
        assert_eq!(
            tables(&default, "SELECT * FROM orders, public.orders o"),
            "public.orders"
        );
        assert_eq!(tables(&unknown, "SELECT * FROM orders"), "orders");
        assert_eq!(tables(&unknown, "SELECT * FROM only_there"), "archive.only_there");
        assert_eq!(tables(&default, "SELECT * FROM only_there"), "only_there");
        assert_eq!(tables(&default, "SELECT * FROM pg_class"), "pg_catalog.pg_class");
        let columns = facts(&default, "UPDATE orders SET a = 1 WHERE true").columns;
        assert_eq!(columns[0].schema.as_deref(), Some("public"));
    });
}

#[test]
fn a_cast_between_types_of_postgresql_s_own_counts_where_the_made_type_is_named() {
    let mut definitions = shop();
    let callee = Callee {
        object: object(PAY, "pay"),
    };
    definitions.casts.push(([23, 829], callee));
    definitions.types.push(object(829, "pg_catalog.macaddr"));
    definitions.uses.push(Use {
        by: Node::Relation(22_501),
        of: Node::Type(829),
    });
    with(definitions, |catalogue| {
        let sight = catalogue.sight(true);
        for (text, effect) in [
            ("SELECT 1::macaddr", Effect::Unknown),
            ("SELECT macaddr(1)", Effect::Unknown),
            ("SELECT 1::pg_catalog.macaddr", Effect::Unknown),
            ("SELECT a FROM orders", Effect::Unknown),
            ("SELECT 1::int", Effect::Read),
        ] {
            assert_eq!(facts(&sight, text).effect, effect, "{text}");
        }
        assert!(sight.why_type_acts(829).is_some() && sight.why_type_acts(23).is_none());
    });
}

#[test]
fn a_text_that_moves_the_path_is_judged_without_one() {
    with(shop(), |catalogue| {
        let sight = catalogue.sight(true);
        assert_eq!(facts(&sight, "SELECT upper('a')").effect, Effect::Read);
        for text in [
            "SET search_path = elsewhere, public; SELECT upper('a')",
            "SELECT upper('a'); SET search_path = elsewhere, public",
            "SELECT set_config('search_path', 'elsewhere, public', false); SELECT upper('a')",
        ] {
            assert_eq!(facts(&sight, text).effect, Effect::Unknown, "{text}");
        }
    });
}

#[test]
fn paths_are_told_apart_up_to_a_bound() {
    let catalogue = Arc::new(Catalogue::empty());
    let first = catalogue.through(Some(vec!["a".into()]));
    assert!(Arc::ptr_eq(&first, &catalogue.through(Some(vec!["a".into()]))));
    let _many: Vec<_> = (0..1000)
        .map(|n| catalogue.through(Some(vec![n.to_string()])))
        .collect();
    let beyond = catalogue.through(Some(vec!["beyond".into()]));
    assert!(Arc::ptr_eq(&beyond, &catalogue.through(None)));
}

/// A body names things in more ways than by a plain word.
#[test]
fn bodies_are_followed_however_they_write_a_name() {
    let long = "f".repeat(63);
    for (callee, body) in [
        ("public.create", "BEGIN RETURN public.create($1); END".to_owned()),
        ("public.create", "SELECT public . \"create\"($1)".to_owned()),
        (long.as_str(), format!("SELECT {long}zzz($1)")),
        ("\u{dc}nd", "SELECT \u{dc}nd($1)".to_owned()),
        ("MixedCase", "SELECT \"MixedCase\"($1)".to_owned()),
        ("a\"b.zz", "SELECT \"a\"\"b\".zz($1)".to_owned()),
    ] {
        let mut definitions = shop();
        definitions
            .functions
            .push(function(20_101, callee, true, "sql", ""));
        definitions
            .functions
            .push(function(20_102, "wraps", false, "plpgsql", &body));
        with(definitions, |catalogue| {
            let found = facts(&catalogue.sight(true), "SELECT wraps(1)");
            assert_eq!(found.effect, Effect::Unknown, "{body}");
            let honest = facts(&catalogue.sight(true), "SELECT honest(1)");
            assert_eq!(honest.effect, Effect::Read, "{body}");
        });
    }
}

/// A function's own search path is that of what it calls.
#[test]
fn a_path_that_a_function_sets_counts_for_what_it_calls() {
    let mut definitions = shop();
    let mut outer = function(20_101, "outside", false, "sql", "SELECT inside($1)");
    outer.has_path = true;
    definitions.functions.extend([
        outer,
        function(20_102, "inside", false, "sql", "SELECT upper($1)"),
    ]);
    with(definitions, |catalogue| {
        let sight = catalogue.sight(true);
        assert_eq!(facts(&sight, "SELECT outside(1)").effect, Effect::Unknown);
        assert_eq!(facts(&sight, "SELECT inside(1)").effect, Effect::Read);
    });
}

#[test]
fn functions_of_the_server_under_other_names_read_if_they_do_there() {
    let own = |symbol: &str, oid: u32, name: &str| (symbol.to_owned(), object(oid, name));
    let mut definitions = shop();
    definitions.functions.extend([
        function(20_101, "as_text", false, "internal", "booltext"),
        function(20_102, "citextin", false, "internal", "textin"),
        function(20_103, "kill", false, "internal", "pg_terminate_backend"),
        function(20_104, "nowhere", false, "internal", "not_there"),
        function(20_105, "crosstab4", false, "c", "crosstab"),
        function(20_108, "my_tab", false, "c", "crosstab_hash"),
        function(20_109, "xpath_table", false, "c", "mine"),
        function(20_106, "gen_random_bytes", true, "c", ""),
        function(20_107, "gen_salt", true, "sql", ""),
    ]);
    definitions.symbols = vec![
        own("booltext", 2971, "pg_catalog.text"),
        own("textin", 46, "pg_catalog.textin"),
        own("pg_terminate_backend", 2096, "pg_catalog.pg_terminate_backend"),
    ];
    with(definitions, |catalogue| {
        let sight = catalogue.sight(true);
        for (text, effect) in [
            ("SELECT as_text(true)", Effect::Read),
            ("SELECT citextin('a')", Effect::Read),
            ("SELECT kill(1)", Effect::Unknown),
            ("SELECT nowhere(1)", Effect::Unknown),
            ("SELECT crosstab4(1)", Effect::Unknown),
            ("SELECT my_tab(1)", Effect::Unknown),
            ("SELECT xpath_table(1)", Effect::Read),
            ("SELECT gen_random_bytes(1)", Effect::Read),
            ("SELECT gen_salt(1)", Effect::Unknown),
            ("SELECT compiled(1)", Effect::Read),
        ] {
            let found = facts(&sight, text);
            assert_eq!(found.effect, effect, "{text}: {:?}", found.signals);
        }
    });
}

/// A column that has the name of a function is one, unless the function takes rows.
#[test]
fn a_column_with_the_name_of_a_function_is_a_column() {
    let mut definitions = shop();
    definitions.functions[0].takes_row = false;
    with(definitions, |catalogue| {
        let sight = catalogue.sight(true);
        for (text, effect) in [
            ("SELECT o.pay FROM orders o", Effect::Read),
            ("SELECT (4711).pay", Effect::Unknown),
            ("SELECT x.pay FROM unnest(ARRAY[4711]) AS x", Effect::Unknown),
            ("SELECT pay(o.id) FROM orders o", Effect::Unknown),
        ] {
            assert_eq!(facts(&sight, text).effect, effect, "{text}");
        }
    });
}

/// A catalogue ends with whoever goes by it.
#[test]
fn sights_do_not_keep_a_catalogue_alive() {
    let catalogue = Arc::new(Catalogue::empty());
    let weak = Arc::downgrade(&catalogue);
    let sight = catalogue.sight(true);
    drop(catalogue);
    assert!(weak.upgrade().is_some());
    drop(sight);
    assert!(weak.upgrade().is_none());
}
