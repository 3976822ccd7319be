//! What the walk over one statement has found so far, and the facts that it makes.

use std::collections::{BTreeMap, BTreeSet};

use super::references::{Eyes, Reference};
use super::settings;
use crate::model::{ColumnWrite, Defines, Effect, Facts, Sets, Shape, TableAccess};

/// More signals than a person would read are only counted.
const MAX_SIGNALS: usize = 20;

/// What becomes of the part of a statement that is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// It is executed.
    Now,
    /// It is planned only (EXPLAIN): what it would do does not happen, but planning may call
    /// its functions.
    Planned,
    /// It is only stored, as a definition (CREATE VIEW).
    Stored,
}

/// What has been found.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Findings {
    runs: Runs,
    effect: Effect,
    commands: Vec<String>,
    tables: BTreeMap<(Option<String>, String), bool>,
    functions: BTreeSet<String>,
    unfiltered: bool,
    columns: BTreeSet<ColumnWrite>,
    unlimited: bool,
    shape: Option<Shape>,
    references: BTreeSet<Reference>,
    unresolved: bool,
    sets: Sets,
    defines: Defines,
    /// It has to do with a type that acts as soon as a constant of it is read.
    acts_when_read: bool,
    /// There is a constant in it that may become one of any type.
    has_text: bool,
    /// A constant in it may be what it acts on.
    acts_on_constants: bool,
    signals: Vec<String>,
    signals_left_out: usize,
}

impl Findings {
    /// Nothing yet, but that it is this command and has this effect at least.
    pub(super) fn new(command: impl Into<String>, effect: Effect, runs: Runs) -> Self {
        Self {
            runs,
            effect,
            commands: vec![command.into()],
            tables: BTreeMap::new(),
            functions: BTreeSet::new(),
            unfiltered: false,
            columns: BTreeSet::new(),
            unlimited: false,
            shape: None,
            references: BTreeSet::new(),
            unresolved: false,
            sets: Sets::default(),
            defines: Defines::Anything,
            acts_when_read: false,
            has_text: false,
            acts_on_constants: false,
            signals: Vec::new(),
            signals_left_out: 0,
        }
    }

    /// It is a part of the statement that does this, if it runs.
    pub(super) fn does(&mut self, effect: Effect) {
        if self.runs == Runs::Now {
            self.effect = self.effect.max(effect);
        }
    }

    /// As [`Self::does`], where the command does not say why.
    pub(super) fn does_since(&mut self, effect: Effect, why: impl Into<String>) {
        if self.runs == Runs::Now {
            self.does(effect);
            self.signal(why);
        }
    }

    /// It calls something that does this, also when it is only planned.
    pub(super) fn calls(&mut self, effect: Effect, why: impl Into<String>) {
        if self.runs != Runs::Stored {
            self.effect = self.effect.max(effect);
            self.signal(why);
        }
    }

    /// It refers to something in the database, and runs or plans it.
    pub(super) fn refers(&mut self, reference: Reference) {
        if self.runs != Runs::Stored {
            self.references.insert(reference);
        }
    }

    /// What a reference turned out to do.
    pub(super) fn resolved(&mut self, effect: Effect, why: String) {
        self.effect = self.effect.max(effect);
        self.signal(why);
    }

    /// It may change this setting (`*`: any), if it runs.
    pub(super) fn sets(&mut self, setting: &str) {
        if self.runs == Runs::Now {
            self.sets.absorb(settings::sets_of(setting));
        }
    }

    /// It declares a cursor that outlives its transaction.
    pub(super) fn declares_with_hold(&mut self) {
        self.sets.with_hold = true;
    }

    /// It seeds random numbers.
    pub(super) fn seeds(&mut self) {
        self.sets.seed = true;
    }

    /// A reference is to something that the catalogue does not know.
    pub(super) fn unresolved(&mut self) {
        self.unresolved = true;
    }

    /// The statement as a whole has this effect, whatever of it runs now.
    pub(super) fn raise(&mut self, effect: Effect, why: impl Into<String>) {
        self.effect = self.effect.max(effect);
        self.signal(why);
    }

    /// Another command inside.
    pub(super) fn command(&mut self, command: &str) {
        if self.runs == Runs::Now && !self.commands.iter().any(|c| c == command) {
            self.commands.push(command.to_owned());
        }
    }

    /// It names a table.
    pub(super) fn table(&mut self, schema: &str, name: &str, written: bool) {
        let schema = (!schema.is_empty()).then(|| schema.to_owned());
        let entry = self.tables.entry((schema, name.to_owned())).or_default();
        *entry |= written && self.runs != Runs::Planned;
    }

    /// It calls a function of that name.
    pub(super) fn function(&mut self, name: &[&str]) {
        self.functions.insert(name.join("."));
    }

    /// An UPDATE or DELETE without WHERE.
    pub(super) fn unfiltered(&mut self) {
        self.unfiltered |= self.runs == Runs::Now;
    }

    /// It writes a column of a table; `None` is any of them.
    pub(super) fn column(&mut self, schema: &str, table: &str, column: Option<&str>) {
        if self.runs == Runs::Now {
            self.columns.insert(ColumnWrite {
                schema: (!schema.is_empty()).then(|| schema.to_owned()),
                table: table.to_owned(),
                column: column.map(str::to_owned),
            });
        }
    }

    /// It gives its client all rows that there are.
    pub(super) fn unlimited(&mut self) {
        self.unlimited |= self.runs == Runs::Now;
    }

    /// It calls something that does what its arguments say, which may be constants: what is like it but for these may do
    /// something else.
    pub(super) fn acts_on_constants(&mut self) {
        self.acts_on_constants = true;
    }

    /// It has to do with a type that acts as soon as a constant of it is read.
    pub(super) fn acts_when_read(&mut self) {
        self.acts_when_read = true;
    }

    /// There is a constant in quotes in it: the server reads it as one of the type that is wanted there, and does what
    /// the type does, when it parses the text.
    pub(super) fn has_text(&mut self) {
        self.has_text = true;
    }

    /// It defines this, if it is a definition.
    pub(super) fn defines(&mut self, what: Defines) {
        self.defines = what;
    }

    /// It has this shape.
    pub(super) fn shaped(&mut self, shape: Shape) {
        self.shape = Some(shape);
    }

    /// Whether what is being looked at is executed.
    pub(super) fn is_run(&self) -> bool {
        self.runs == Runs::Now
    }

    /// Something for the approver to know. Must hold no constant of the text.
    pub(super) fn signal(&mut self, signal: impl Into<String>) {
        let signal = signal.into();
        if self.signals.contains(&signal) {
            return;
        }
        if self.signals.len() < MAX_SIGNALS {
            self.signals.push(signal);
        } else {
            self.signals_left_out += 1;
        }
    }

    /// The facts, what is referred to looked up.
    pub(super) fn into_facts(mut self, eyes: Eyes<'_>) -> Facts {
        for reference in std::mem::take(&mut self.references) {
            reference.resolve(eyes, &mut self);
        }
        if self.signals_left_out > 0 {
            self.signals
                .push(format!("and {} more findings like these", self.signals_left_out));
        }
        let mut facts = Facts {
            effect: self.effect,
            commands: self.commands,
            tables: self
                .tables
                .into_iter()
                .map(|((schema, name), written)| TableAccess {
                    schema,
                    name,
                    written,
                })
                .collect(),
            functions: self.functions.into_iter().collect(),
            unfiltered: self.unfiltered,
            columns: self.columns.into_iter().collect(),
            unlimited: self.unlimited,
            shape: self.shape.filter(|_| !self.acts_on_constants),
            unresolved: self.unresolved,
            sets: self.sets,
            defines: match self.effect {
                Effect::Session | Effect::Read | Effect::Write => Defines::Nothing,
                Effect::Schema | Effect::Privilege => self.defines,
                Effect::Server | Effect::Unknown => Defines::Anything,
            },
            acts_when_read: self.acts_when_read,
            has_text: self.has_text,
            signals: self.signals,
        };
        if let Eyes::Open(sight) = eyes {
            sight.name_schemas(&mut facts);
        }
        facts
    }
}
