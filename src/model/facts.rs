//! What judging found out about a text: per statement, its effect and the facts behind it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Effect;

/// A table (or view) named in a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableAccess {
    /// The schema as written; `None` where the session's `search_path` decides.
    pub schema: Option<String>,
    /// The relation's name, folded as PostgreSQL folds it.
    pub name: String,
    /// Whether the statement changes it (data or definition).
    pub written: bool,
}

impl TableAccess {
    /// `schema.name`, or `name` where no schema was written.
    #[must_use]
    pub fn qualified(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The facts of one statement. Holds no constants of the text, so that texts which differ
/// only in integer literals can share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The most severe thing that the statement does.
    pub effect: Effect,
    /// What it is, as in command tags, upper case: `UPDATE`, `CREATE TABLE`, `COPY PROGRAM`,
    /// `COPY FILE`, … First the statement's own, then those inside it (CTEs, EXPLAIN ANALYZE).
    /// Without duplicates, never empty; `UNKNOWN` where it could not be parsed.
    pub commands: Vec<String>,
    /// Tables and views named, sorted, without duplicates; CTE names are not among them.
    pub tables: Vec<TableAccess>,
    /// Functions called, as written and folded (`f` or `schema.f`), sorted, without duplicates.
    pub functions: Vec<String>,
    /// Whether an UPDATE or DELETE anywhere inside lacks a WHERE.
    pub unfiltered: bool,
    /// Why the effect is what it is, where that is not plain from the command; for the
    /// approver's eyes. Sentences without a full stop.
    pub signals: Vec<String>,
}

impl Facts {
    /// Facts of a text that could not be judged, and why.
    #[must_use]
    pub fn unknown(why: impl Into<String>) -> Self {
        Self {
            effect: Effect::Unknown,
            commands: vec!["UNKNOWN".to_owned()],
            tables: Vec::new(),
            functions: Vec::new(),
            unfiltered: false,
            signals: vec![why.into()],
        }
    }

    /// Takes over what `other` adds, the more severe effect among it.
    pub fn absorb(&mut self, other: &Self) {
        self.effect = self.effect.max(other.effect);
        extend_unique(&mut self.commands, &other.commands);
        extend_unique(&mut self.tables, &other.tables);
        extend_unique(&mut self.functions, &other.functions);
        extend_unique(&mut self.signals, &other.signals);
        self.unfiltered |= other.unfiltered;
        self.tables.sort();
        self.functions.sort();
    }
}

fn extend_unique<T: Clone + PartialEq>(into: &mut Vec<T>, from: &[T]) {
    for item in from {
        if !into.contains(item) {
            into.push(item.clone());
        }
    }
}

/// What SQL `PREPARE name AS …` stored: the statement's own text and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedSql {
    /// The whole PREPARE statement as it was written.
    pub text: String,
    /// The facts of the statement inside.
    pub facts: Facts,
}

/// What a statement does to the session's names of prepared statements and portals.
/// SQL and protocol share one namespace; the session keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameOp {
    /// `PREPARE name AS …`.
    Prepare {
        /// The folded name.
        name: String,
        /// What it stores.
        prepared: Arc<PreparedSql>,
    },
    /// `EXECUTE name` (also inside EXPLAIN and CREATE TABLE AS): the effect is that of the
    /// statement behind the name, joined with this statement's own facts.
    Execute {
        /// The folded name.
        name: String,
    },
    /// `DEALLOCATE name`.
    Deallocate {
        /// The folded name.
        name: String,
    },
    /// `DEALLOCATE ALL`.
    DeallocateAll,
    /// `DISCARD ALL` (prepared statements and portals).
    DiscardAll,
    /// `DECLARE name CURSOR FOR …`; judged by its query when it is declared.
    Declare {
        /// The folded name.
        name: String,
    },
    /// `FETCH` or `MOVE` from a portal.
    Fetch {
        /// The folded name.
        name: String,
    },
}

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it does.
    pub facts: Facts,
    /// What it does to the session's names, if anything.
    pub name_op: Option<NameOp>,
    /// Whether it is transaction control (`BEGIN`, `COMMIT`, `ROLLBACK TO`, …), the only
    /// kind that a server accepts in an aborted transaction.
    pub transaction_control: bool,
}

/// The command of a text that could not be parsed.
const UNPARSED: &str = "UNPARSED";

/// A text as judged: its statements in order; empty for an empty query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// In the order of the text.
    pub statements: Vec<Statement>,
}

impl Judged {
    /// A text that could not be judged, and why.
    #[must_use]
    pub fn unknown(why: impl Into<String>) -> Self {
        Self {
            statements: vec![Statement {
                facts: Facts::unknown(why),
                name_op: None,
                // It may be anything, also a ROLLBACK.
                transaction_control: true,
            }],
        }
    }

    /// A text that is not SQL as far as the grammar here knows; the server may know better.
    #[must_use]
    pub fn unparsed(why: impl Into<String>) -> Self {
        let mut judged = Self::unknown(why);
        for statement in &mut judged.statements {
            statement.facts.commands = vec![UNPARSED.to_owned()];
        }
        judged
    }

    /// Whether it was made by [`Judged::unparsed`].
    #[must_use]
    pub fn is_unparsed(&self) -> bool {
        matches!(&self.statements[..], [only] if only.facts.commands == [UNPARSED])
    }

    /// The most severe effect of its statements; `Session` for an empty text.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.statements
            .iter()
            .map(|s| s.facts.effect)
            .max()
            .unwrap_or(Effect::Session)
    }

    /// All facts joined: what an approver sees of a text with several statements.
    #[must_use]
    pub fn joined_facts(&self) -> Facts {
        let mut statements = self.statements.iter();
        let Some(first) = statements.next() else {
            return Facts {
                effect: Effect::Session,
                commands: vec!["EMPTY".to_owned()],
                tables: Vec::new(),
                functions: Vec::new(),
                unfiltered: false,
                signals: Vec::new(),
            };
        };
        let mut facts = first.facts.clone();
        for statement in statements {
            facts.absorb(&statement.facts);
        }
        facts
    }
}
