//! What judging found out about a text: per statement, its effect and the facts behind it.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Defines, Effect, RequestId};

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

/// A column that a statement writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnWrite {
    /// As in [`TableAccess::schema`].
    pub schema: Option<String>,
    /// The table's name, folded as PostgreSQL folds it.
    pub table: String,
    /// The column's name, folded; `None` where it may be any of the table's (an INSERT without a list of
    /// columns, a DELETE, a TRUNCATE, a COPY).
    pub column: Option<String>,
}

/// What stays of a query when its constants are masked and the places of its words dropped: a SHA-256 over
/// a canonical walk of its tree. Queries of one shape differ in constants (but for truth values), white space and comments alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape([u8; 32]);

impl Shape {
    /// The shape with this digest.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The bytes of the digest.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({self})")
    }
}

/// A text that is no [`Shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a shape is written as 64 hexadecimal digits")]
pub struct NoShape;

impl FromStr for Shape {
    type Err = NoShape;

    fn from_str(text: &str) -> Result<Self, NoShape> {
        let digits = text.as_bytes();
        let mut digest = [0; 32];
        if digits.len() != 2 * digest.len() {
            return Err(NoShape);
        }
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
            let (high, low) = (digit(pair[0]).ok_or(NoShape)?, digit(pair[1]).ok_or(NoShape)?);
            *byte = high << 4 | low;
        }
        Ok(Self(digest))
    }
}

impl Serialize for Shape {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Settings that a statement may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a statement"
)]
pub struct Sets {
    /// Where names without a schema are looked for: `search_path`, or the role that it depends on.
    pub search_path: bool,
    /// Whether transactions are read-only (`SET TRANSACTION`, `BEGIN READ WRITE`, `transaction_read_only`, …), also
    /// where it is only shown; or savepoints.
    pub read_only: bool,
    /// A cursor that outlives its transaction is declared: its query runs when the transaction commits.
    pub with_hold: bool,
    /// The seed of random numbers (`setseed`), which nothing takes back.
    pub seed: bool,
    /// `client_encoding`, or it may.
    pub encoding: bool,
}

impl Sets {
    /// Takes over what `other` sets.
    pub const fn absorb(&mut self, other: Self) {
        self.search_path |= other.search_path;
        self.read_only |= other.read_only;
        self.with_hold |= other.with_hold;
        self.seed |= other.seed;
        self.encoding |= other.encoding;
    }
}

/// The facts of one statement. Holds no constants of the text, so that texts which differ
/// only in integer literals can share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
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
    /// Columns that are written, sorted, without duplicates.
    #[serde(default)]
    pub columns: Vec<ColumnWrite>,
    /// Whether it gives its client all rows of a query over tables: a SELECT (or what prints one, COPY … TO) whose
    /// outermost query has no LIMIT or FETCH FIRST.
    #[serde(default)]
    pub unlimited: bool,
    /// The shape, of queries and DML alone.
    #[serde(default)]
    pub shape: Option<Shape>,
    /// Whether it names what the catalogue at hand does not know: it may be older than what is named.
    #[serde(skip)]
    pub unresolved: bool,
    /// What it may do to settings that judging, or the read shield, rests on.
    #[serde(skip)]
    pub sets: Sets,
    /// What it defines.
    #[serde(skip)]
    pub defines: Defines,
    /// It has to do with a type that acts as soon as a constant of it is read.
    #[serde(skip)]
    pub acts_when_read: bool,
    /// There is a constant in it that may become one of any type.
    #[serde(skip)]
    pub has_text: bool,
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
            columns: Vec::new(),
            unlimited: false,
            shape: None,
            unresolved: false,
            sets: Sets::default(),
            defines: Defines::Anything,
            acts_when_read: false,
            has_text: false,
            signals: vec![why.into()],
        }
    }

    /// Whether it may run code as soon as it is parsed: constants are read then.
    #[must_use]
    pub const fn acts_when_parsed(&self) -> bool {
        self.acts_when_read && self.has_text
    }

    /// What it were if it gave its client all that it reads, and what it writes to as well, and wrote nothing.
    #[must_use]
    pub fn as_read(&self) -> Self {
        let mut tables = self.tables.clone();
        for table in &mut tables {
            table.written = false;
        }
        tables.dedup();
        Self {
            effect: Effect::Read,
            commands: vec!["SELECT".to_owned()],
            tables,
            functions: self.functions.clone(),
            unlimited: true,
            defines: Defines::Nothing,
            signals: Vec::new(),
            ..Self::unknown("")
        }
    }

    /// Takes over what `other` adds, the more severe effect among it.
    pub fn absorb(&mut self, other: &Self) {
        self.absorb_all(std::iter::once(other));
    }

    /// Takes over what all of these add. Takes time in proportion to their size, and not to its square: a text may have
    /// tens of thousands of statements.
    pub fn absorb_all<'a>(&mut self, others: impl Iterator<Item = &'a Self>) {
        for other in others {
            self.effect = self.effect.max(other.effect);
            self.commands.extend_from_slice(&other.commands);
            self.tables.extend_from_slice(&other.tables);
            self.functions.extend_from_slice(&other.functions);
            self.signals.extend_from_slice(&other.signals);
            self.columns.extend_from_slice(&other.columns);
            self.unfiltered |= other.unfiltered;
            self.unlimited |= other.unlimited;
            self.unresolved |= other.unresolved;
            self.sets.absorb(other.sets);
            self.defines.absorb(&other.defines);
            self.acts_when_read |= other.acts_when_read;
            self.has_text |= other.has_text;
            if self.shape != other.shape {
                self.shape = None;
            }
        }
        keep_first(&mut self.commands);
        keep_first(&mut self.signals);
        self.tables.sort();
        self.tables.dedup();
        self.columns.sort();
        self.columns.dedup();
        self.functions.sort();
        self.functions.dedup();
    }
}

/// Keeps the first of those that are the same, in their order.
fn keep_first(texts: &mut Vec<String>) {
    if texts.len() <= 32 {
        // Mostly there are two or three.
        let mut kept: Vec<String> = Vec::with_capacity(texts.len());
        for text in texts.drain(..) {
            if !kept.contains(&text) {
                kept.push(text);
            }
        }
        *texts = kept;
        return;
    }
    let mut seen = HashSet::with_capacity(texts.len());
    texts.retain(|text| seen.insert(text.clone()));
}

/// What SQL `PREPARE name AS …` stored: the statement's own text and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedSql {
    /// The whole PREPARE statement as it was written.
    pub text: String,
    /// The facts of the statement inside.
    pub facts: Facts,
    /// The number of what the catalogue was, as far as it was asked; 0 where it was not.
    pub sight: u64,
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
    /// An empty text that stands in the place of a statement which holdpoint answers itself.
    Own {
        /// The tag of its CommandComplete.
        tag: &'static str,
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

/// The most of a text that is kept for people to read later, bytes.
pub const KEPT_TEXT: usize = 1024;

/// What may be kept of a text that has passed, so that people can read it later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Gist {
    /// Nothing.
    #[default]
    None,
    /// Text and judgement are small: this text, and the judgement with it. A NUL stands for a number that was masked.
    Whole(Arc<[u8]>),
    /// As much as is kept of a longer text: only what stands in a judgement's place has this.
    Start(Arc<[u8]>),
    /// They are large: this is kept in the judgement's place.
    Instead(Arc<Judged>),
    /// It is a request of its own, with its text for those who may see that: its commands alone.
    Request {
        /// Which.
        id: RequestId,
        /// As in [`Facts::commands`], joined by ", ".
        command: Box<str>,
    },
}

/// The first kilobyte of a text, up to between two characters, and whether there is more of it.
#[must_use]
pub fn cut_text(text: &[u8]) -> (&[u8], bool) {
    let mut end = text.len().min(KEPT_TEXT);
    while end < text.len() && text[end] & 0xC0 == 0x80 && end > 0 {
        end -= 1;
    }
    (&text[..end], end < text.len())
}

/// A text as judged: its statements in order; empty for an empty query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// In the order of the text.
    pub statements: Vec<Statement>,
    /// What may be kept of it.
    pub gist: Gist,
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
            gist: Gist::None,
        }
    }

    /// A text of whose statements nothing but the facts is known.
    #[must_use]
    pub fn from_facts(facts: impl IntoIterator<Item = Facts>) -> Self {
        let statement = |facts| Statement {
            facts,
            name_op: None,
            transaction_control: false,
        };
        Self {
            statements: facts.into_iter().map(statement).collect(),
            gist: Gist::None,
        }
    }

    /// What may be kept by whoever remembers what has passed: it is small. Allocates nothing. `None`: nothing may.
    #[must_use]
    pub fn into_remembered(self: Arc<Self>) -> Option<Arc<Self>> {
        match &self.gist {
            Gist::None => None,
            Gist::Whole(_) | Gist::Start(_) | Gist::Request { .. } => Some(self),
            Gist::Instead(other) => Some(Arc::clone(other)),
        }
    }

    /// The same with this text kept in its place, up to a kilobyte of it: for people, never to be found by it.
    #[must_use]
    pub fn with_text(mut self, text: &[u8]) -> Self {
        let gist = match cut_text(text) {
            (start, true) => Gist::Start(start.into()),
            (whole, false) => Gist::Whole(whole.into()),
        };
        self.gist = Gist::Instead(Arc::new(Self {
            statements: Vec::new(),
            gist,
        }));
        self
    }

    /// What is kept of its text, and whether there was more of it; a NUL stands for a number that was masked. `None`:
    /// nothing is.
    #[must_use]
    pub fn kept_text(&self) -> Option<(&[u8], bool)> {
        match &self.gist {
            Gist::None | Gist::Request { .. } => None,
            Gist::Whole(text) => Some((text, false)),
            Gist::Start(text) => Some((text, true)),
            Gist::Instead(other) => other.kept_text(),
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
                columns: Vec::new(),
                unlimited: false,
                shape: None,
                unresolved: false,
                sets: Sets::default(),
                defines: Defines::Nothing,
                acts_when_read: false,
                has_text: false,
                signals: Vec::new(),
            };
        };
        let mut facts = first.facts.clone();
        if statements.len() > 0 {
            facts.absorb_all(statements.map(|statement| &statement.facts));
        }
        facts
    }
}
