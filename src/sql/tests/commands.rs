//! The names of commands: [`COMMANDS`] has every one that judging makes, with what it does at the least, and
//! no other.

use std::collections::BTreeSet;

use super::{characters, judged, on_a_large_stack};
use crate::model::command::COMMANDS;
use crate::model::{Facts, NameOp};

/// The facts of a text's statements, and of what they prepare.
fn all_facts(text: &str) -> Vec<Facts> {
    judged(text)
        .statements
        .into_iter()
        .flat_map(|statement| {
            let prepared = match statement.name_op {
                Some(NameOp::Prepare { prepared, .. }) => Some(prepared.facts.clone()),
                _ => None,
            };
            std::iter::once(statement.facts).chain(prepared)
        })
        .collect()
}

/// One of each kind that the other tables have no text for.
const OTHERS: &[&str] = &[
    "ALTER AGGREGATE f(int) RENAME TO g",
    "ALTER COLLATION c RENAME TO d",
    "ALTER CONVERSION c RENAME TO d",
    "ALTER DOMAIN d DROP NOT NULL",
    "ALTER EVENT TRIGGER e DISABLE",
    "ALTER FOREIGN DATA WRAPPER w OPTIONS (ADD a 'b')",
    "ALTER FOREIGN TABLE t ADD COLUMN a int",
    "ALTER INDEX i RENAME TO j",
    "ALTER LANGUAGE l RENAME TO m",
    "ALTER LARGE OBJECT 1 OWNER TO r",
    "ALTER MATERIALIZED VIEW v RENAME TO w",
    "ALTER OPERATOR +(int, int) OWNER TO r",
    "ALTER OPERATOR CLASS c USING btree RENAME TO d",
    "ALTER OPERATOR FAMILY f USING btree RENAME TO g",
    "ALTER PROCEDURE p(int) RENAME TO q",
    "ALTER PUBLICATION p ADD TABLE t",
    "ALTER ROUTINE r(int) RENAME TO s",
    "ALTER RULE r ON t RENAME TO s",
    "ALTER SERVER s OPTIONS (ADD a 'b')",
    "ALTER STATISTICS s RENAME TO u",
    "ALTER SUBSCRIPTION s DISABLE",
    "ALTER TABLESPACE s RENAME TO u",
    "ALTER TEXT SEARCH CONFIGURATION c RENAME TO d",
    "ALTER TEXT SEARCH DICTIONARY c RENAME TO d",
    "ALTER TEXT SEARCH PARSER c RENAME TO d",
    "ALTER TEXT SEARCH TEMPLATE c RENAME TO d",
    "ALTER TRIGGER g ON t RENAME TO h",
    "ALTER USER MAPPING FOR u SERVER s OPTIONS (ADD a 'b')",
    "CREATE ACCESS METHOD m TYPE INDEX HANDLER h",
    "CREATE COLLATION c (locale = 'C')",
    "CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM f",
    "CREATE FOREIGN DATA WRAPPER w",
    "CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 1 <",
    "CREATE OPERATOR FAMILY f USING btree",
    "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
    "CREATE TEXT SEARCH CONFIGURATION c (PARSER = p)",
    "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = t)",
    "CREATE TEXT SEARCH PARSER p (START = a)",
    "CREATE TEXT SEARCH TEMPLATE t (LEXIZE = a)",
    "CREATE TRANSFORM FOR int LANGUAGE l (FROM SQL WITH FUNCTION f(internal))",
    "DROP ACCESS METHOD m",
    "DROP AGGREGATE f(int)",
    "DROP CAST (int AS text)",
    "DROP COLLATION c",
    "DROP CONVERSION c",
    "DROP DOMAIN d",
    "DROP EVENT TRIGGER e",
    "DROP FOREIGN DATA WRAPPER w",
    "DROP FOREIGN TABLE t",
    "DROP LANGUAGE l",
    "DROP MATERIALIZED VIEW v",
    "DROP OPERATOR +(int, int)",
    "DROP OPERATOR CLASS c USING btree",
    "DROP OPERATOR FAMILY f USING btree",
    "DROP PROCEDURE p(int)",
    "DROP PUBLICATION p",
    "DROP ROUTINE r(int)",
    "DROP RULE r ON t",
    "DROP SEQUENCE s",
    "DROP STATISTICS s",
    "DROP SUBSCRIPTION s",
    "DROP TEXT SEARCH CONFIGURATION c",
    "DROP TEXT SEARCH DICTIONARY d",
    "DROP TEXT SEARCH PARSER p",
    "DROP TEXT SEARCH TEMPLATE t",
    "DROP TRANSFORM FOR int LANGUAGE l",
    "DROP TYPE y",
    "DROP USER MAPPING FOR u SERVER s",
    // The same names, from other statements.
    "ALTER DOMAIN d RENAME CONSTRAINT c TO e",
    "ALTER TABLE t RENAME CONSTRAINT c TO e",
    "ALTER TABLE t RENAME COLUMN a TO b",
    "ALTER VIEW v RENAME COLUMN a TO b",
    "ALTER TYPE y RENAME ATTRIBUTE a TO b",
    "ALTER DATABASE d RENAME TO e",
    "ALTER EXTENSION e SET SCHEMA s",
    "ALTER FUNCTION f(int) DEPENDS ON EXTENSION e",
    "ALTER INDEX i DEPENDS ON EXTENSION e",
    "ALTER TRIGGER g ON t DEPENDS ON EXTENSION e",
    "ALTER SCHEMA s OWNER TO r",
    "ALTER SUBSCRIPTION s OWNER TO r",
    "ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b",
    "ALTER USER u RENAME TO v",
    "ALTER GROUP g ADD USER u",
    "CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE MATERIALIZED VIEW v AS SELECT 1",
    "CREATE SCHEMA s CREATE TABLE t (a int)",
];

/// Commands that no text is judged to be, or none that parses.
const WITHOUT_TEXT: [&str; 2] = ["EMPTY", "UNKNOWN"];

#[test]
fn the_table_has_what_judging_makes_and_nothing_else() {
    let texts: Vec<String> = [include_str!("statements.txt"), include_str!("adversarial.txt")]
        .into_iter()
        .flat_map(str::lines)
        .filter(|line| !line.is_empty() && !line.starts_with("# ") && !line.starts_with("    "))
        .map(characters)
        .chain(OTHERS.iter().map(ToString::to_string))
        .collect();
    let facts = on_a_large_stack(|| texts.iter().flat_map(|text| all_facts(text)).collect::<Vec<_>>());
    let mut met = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for facts in &facts {
        for command in &facts.commands {
            met.insert(command.as_str());
            match COMMANDS.binary_search_by(|(name, _)| (*name).cmp(command)) {
                Ok(at) if COMMANDS[at].1 <= facts.effect => {}
                Ok(_) => {
                    wrong.insert(format!(
                        "{command} is milder than the table says: {}",
                        facts.effect
                    ));
                }
                Err(_) => {
                    wrong.insert(format!("{command} is missing"));
                }
            }
        }
    }
    for (name, _) in COMMANDS {
        if !met.contains(name) && !WITHOUT_TEXT.contains(name) {
            wrong.insert(format!("{name} is the name of no statement here"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
