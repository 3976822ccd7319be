//! Texts that look milder than they are: `adversarial.txt`, and what is told of them.

use super::{check, effect, judged, on_a_large_stack};
use crate::model::Effect;

#[test]
fn texts_are_what_the_server_makes_of_them() {
    check(include_str!("adversarial.txt"));
}

/// Syntax of newer servers that an older one takes for a call of a user's function.
#[test]
fn syntax_newer_than_the_server() {
    on_a_large_stack(|| {
        for text in [
            "SELECT json_scalar(1)",
            "SELECT json(a) FROM t",
            "SELECT json_serialize(a) FROM t",
            "SELECT json_exists(j, '$.a') FROM t",
            "SELECT json_value(j, '$.a') FROM t",
            "SELECT json_query(j, '$.a') FROM t",
            "SELECT json_array(1, 2)",
            "SELECT json_array()",
            "SELECT json_object()",
            "SELECT json_arrayagg(a) FROM t",
            "SELECT any_value(a) FROM t",
            "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING merge_action()",
            "CREATE TABLE x AS SELECT json_scalar(1)",
            "EXECUTE p (json_scalar(1))",
        ] {
            assert_eq!(effect(text), Effect::Unknown, "{text}");
        }
    });
}

#[test]
fn what_cannot_be_parsed_is_unknown_and_says_nothing_of_its_constants() {
    on_a_large_stack(|| {
        for text in [
            "SELEC 4711",
            "SELECT 4711 4712",
            "SELECT 'secret",
            "SELECT \"secret",
            "SELECT $secret$",
            "SELECT /* secret",
            "SELECT 1; DELET FROM t WHERE a = 'secret'",
            "SELECT 1 secret secret",
            "SELECT U&'\\secret'",
            "SELECT float(4711)",
            "ALTER TABLE t ALTER 4711 SET STATISTICS 1; x",
        ] {
            let judged = judged(text);
            let facts = judged.joined_facts();
            assert_eq!(facts.effect, Effect::Unknown, "{text}");
            let signals = facts.signals.join(" ");
            assert!(
                !signals.is_empty() && !signals.contains("secret") && !signals.contains("471"),
                "{signals}"
            );
        }
    });
}

#[test]
fn a_signal_names_the_function() {
    on_a_large_stack(|| {
        let signals = |text: &str| judged(text).joined_facts().signals;
        assert_eq!(
            signals("SELECT app.refund(1)"),
            ["the function app.refund is not known to only read"]
        );
        assert_eq!(
            signals("SELECT pg_read_file('x')"),
            ["the function pg_read_file reads or writes a file of the server"]
        );
        assert_eq!(
            signals("SELECT * FROM t WHERE a = 'x'::app.mood"),
            ["the type app.mood is not PostgreSQL's own: casts to it may run code"]
        );
        let many: Vec<String> = (0..50).map(|n| format!("f{n}()")).collect();
        assert_eq!(signals(&format!("SELECT {}", many.join(", "))).len(), 21);
    });
}
