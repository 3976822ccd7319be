//! From the server's answers to definitions.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::queries::{self, Locking};
use crate::sql::{Callee, Definitions, Function, Node, Object, Operator, Use};
use crate::upstream::{self, Connected, Row, RowsError, Target};

/// All definitions of a database may take this many bytes on the wire. A database with more is not looked at.
const BUDGET: usize = 128 * 1024 * 1024;

/// How long a server may take to tell them.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a server told, with a digest of it: the same definitions have the same.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) definitions: Definitions,
    pub(super) digest: [u8; 32],
}

/// Why it told nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error("no answer within {PATIENCE:?}")]
    Timeout,
    #[error("the server's answer about {0} is not what was asked for")]
    Unexpected(&'static str),
}

/// Asks the server for the definitions of the target's database, on a connection of its own.
pub(super) async fn load(target: &Arc<Target>) -> Result<Told, LoadError> {
    let loading = async {
        let parameters = vec![("application_name", "holdpoint"), ("client_encoding", "UTF8")];
        let connected = upstream::connect(target, 0, parameters).await;
        let mut asking = Asking {
            connected: connected.map_err(RowsError::Connection)?,
            budget: BUDGET,
            digest: Sha256::new(),
            has_waited: false,
        };
        let definitions = asking.definitions().await?;
        Ok(Told {
            definitions,
            digest: asking.digest.finalize().into(),
        })
    };
    crate::timer::timeout(PATIENCE, loading)
        .await
        .unwrap_or(Err(LoadError::Timeout))
}

struct Asking {
    connected: Connected,
    budget: usize,
    digest: Sha256,
    /// For somebody's lock, in vain: it is not waited for again.
    has_waited: bool,
}

impl Asking {
    async fn rows(&mut self, query: &str) -> Result<Vec<Row>, LoadError> {
        let rows = upstream::rows(&mut self.connected, query, &mut self.budget).await?;
        for value in rows.iter().flatten() {
            let value = value.as_deref().unwrap_or("\u{0}");
            self.digest.update((value.len() as u64).to_le_bytes());
            self.digest.update(value);
        }
        self.digest.update([0xff; 8]);
        Ok(rows)
    }

    async fn read<T>(
        &mut self,
        what: &'static str,
        query: &str,
        read: impl Fn(&Columns<'_>) -> Option<T>,
    ) -> Result<Vec<T>, LoadError> {
        let rows = self.rows(query).await?;
        rows.iter()
            .map(|row| read(&Columns(row)).ok_or(LoadError::Unexpected(what)))
            .collect()
    }

    /// Those that would wait for somebody's lock come without their text, or all of them do.
    async fn read_locking<T>(
        &mut self,
        what: &'static str,
        query: &Locking,
        read: impl Fn(&Columns<'_>) -> Option<T>,
    ) -> Result<Vec<T>, LoadError> {
        let whole = (!self.has_waited).then(|| query.whole());
        for query in whole.into_iter().chain([query.of_unlocked()]) {
            self.rows("SAVEPOINT texts").await?;
            match self.read(what, &query, &read).await {
                Err(LoadError::Rows(RowsError::Refused(_, sqlstate))) if sqlstate == LOCK_NOT_AVAILABLE => {
                    self.has_waited = true;
                    self.rows("ROLLBACK TO texts").await?;
                }
                rows => return rows,
            }
        }
        self.read(what, &query.without(), read).await
    }

    async fn definitions(&mut self) -> Result<Definitions, LoadError> {
        let mut definitions = Definitions::default();
        for query in queries::BEGIN {
            for row in self.rows(query).await? {
                if let Some(Some(path)) = row.first() {
                    definitions.path = path.lines().map(str::to_owned).collect();
                }
            }
        }
        for (function, is_locked) in self
            .read_locking("functions", &queries::FUNCTIONS, function)
            .await?
        {
            if is_locked {
                definitions.locked.push(Node::Function(function.object.oid));
            }
            definitions.functions.push(function);
        }
        definitions.symbols = self
            .read("internal functions", queries::SYMBOLS, |row| {
                Some((row.string(0)?, row.object(1)?))
            })
            .await?;
        let types = self
            .read("types", queries::TYPES, |row| {
                Some((row.object(0)?, row.text(3)? == "t", row.text(4)? == "t"))
            })
            .await?;
        for (r#type, is_open, has_parts) in types {
            if has_parts {
                definitions.composed.insert(r#type.oid);
            }
            if is_open {
                definitions.open.insert(r#type.oid);
            }
            definitions.types.push(r#type);
        }
        definitions.writing = self
            .read("changes", queries::WRITING, |row| {
                Some((row.oid(0)?, row.string(1)?))
            })
            .await?;
        definitions.changed_with = self
            .read("foreign keys", queries::CHANGED_WITH, |row| {
                Some((row.oid(0)?, row.oid(1)?))
            })
            .await?;
        definitions.operators = self.read("operators", queries::OPERATORS, operator).await?;
        definitions.calls = self.read("calls", queries::CALLS, call).await?;
        definitions.casts = self.read("casts", queries::CASTS, cast).await?;
        for (of, sql) in self
            .read_locking("expressions", &queries::EXPRESSIONS, expression)
            .await?
        {
            definitions.note(of, sql, true);
        }
        definitions.uses = self.read("dependencies", queries::USES, used).await?;
        let relations = self.read_locking("tables", &queries::RELATIONS, relation).await?;
        for relation in relations {
            relation.note(&mut definitions);
        }
        Ok(definitions)
    }
}

/// `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// A row as it was asked for.
struct Columns<'r>(&'r Row);

impl Columns<'_> {
    fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    fn string(&self, column: usize) -> Option<String> {
        self.text(column).map(str::to_owned)
    }

    fn oid(&self, column: usize) -> Option<u32> {
        self.text(column)?.parse().ok()
    }

    fn count(&self, column: usize) -> Option<usize> {
        self.text(column)?.parse().ok()
    }

    /// OID, schema, name.
    fn object(&self, first: usize) -> Option<Object> {
        Some(Object {
            oid: self.oid(first)?,
            schema: self.string(first + 1)?,
            name: self.string(first + 2)?,
        })
    }

    /// A kind and an OID.
    fn node(&self, kind: usize, oid: usize) -> Option<Node> {
        let oid = self.oid(oid)?;
        Some(match self.text(kind)? {
            "f" => Node::Function(oid),
            "r" => Node::Relation(oid),
            "o" => Node::Operator(oid),
            "t" => Node::Type(oid),
            _ => return None,
        })
    }
}

/// And whether its body is not told, because it would have to wait.
fn function(row: &Columns<'_>) -> Option<(Function, bool)> {
    let function = Function {
        object: row.object(0)?,
        is_volatile: row.text(3)? == "v",
        language: row.string(4)?,
        arguments: (row.count(5)?, row.count(6)?),
        source: row.string(7).unwrap_or_default(),
        is_bound: row.text(8)? == "t",
        has_path: row.text(9)? == "t",
        takes_row: row.text(10)? == "t",
    };
    Some((function, row.text(7).is_none()))
}

fn operator(row: &Columns<'_>) -> Option<Operator> {
    Some(Operator {
        object: row.object(0)?,
        operands: [row.oid(3)?, row.oid(4)?],
        is_beside_own: row.text(5)? == "t",
    })
}

fn call(row: &Columns<'_>) -> Option<(Node, Callee)> {
    let object = row.object(2)?;
    Some((row.node(0, 1)?, Callee { object }))
}

fn cast(row: &Columns<'_>) -> Option<([u32; 2], Callee)> {
    let object = row.object(2)?;
    Some(([row.oid(0)?, row.oid(1)?], Callee { object }))
}

fn expression(row: &Columns<'_>) -> Option<(Node, Option<String>)> {
    Some((row.node(0, 1)?, row.string(2)))
}

fn used(row: &Columns<'_>) -> Option<Use> {
    Some(Use {
        by: row.node(0, 1)?,
        of: row.node(2, 3)?,
    })
}

struct Relation {
    object: Object,
    is_foreign: bool,
    is_view: bool,
    query: Option<String>,
}

fn relation(row: &Columns<'_>) -> Option<Relation> {
    Some(Relation {
        object: row.object(0)?,
        is_foreign: row.text(3)? == "f",
        is_view: row.text(3)? == "v",
        query: row.string(4),
    })
}

impl Relation {
    fn note(self, definitions: &mut Definitions) {
        let node = Node::Relation(self.object.oid);
        if node.is_own() {
            definitions.system.push((self.object.schema, self.object.name));
            return;
        }
        if self.is_foreign {
            definitions.foreign.push(self.object.oid);
        }
        if self.is_view {
            definitions.note(node, self.query, false);
        }
        definitions.relations.push(self.object);
    }
}
