//! What a statement refers to that is not PostgreSQL's own, or need not be.
//!
//! Noted while the tree is walked, and looked up at its end: with a catalogue by what it says ([`Sight`]);
//! without one by name alone, and then what is not PostgreSQL's own is not known.

use super::catalogue::Sight;
use super::findings::Findings;
use crate::model::Effect;

/// A name that stands for something in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) kind: Kind,
    /// As written; empty where there is none.
    pub(super) schema: String,
    pub(super) name: String,
    /// PostgreSQL has one of this name itself: another may hide behind it, by the types of its arguments.
    pub(super) is_own: bool,
    /// An array of the type is meant.
    pub(super) is_array: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A call with so many arguments; `None` where they cannot be counted.
    Function(Option<usize>),
    /// `q.name`, which calls a function where `q` has no such column.
    Attribute,
    /// The same, where `q` need not be a row at all.
    Call,
    Operator,
    Type,
    /// To be read.
    Relation,
}

/// What is known of a reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Reading it, or calling it, only reads.
    Reads,
    /// It may do more, and why.
    Acts(String),
    /// Likewise, and as soon as a constant of the type is read.
    ActsWhenRead(String),
    /// There is no such thing as far as the catalogue knows.
    Missing,
}

/// By what names are looked up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Eyes<'a> {
    /// There is no catalogue.
    Blind,
    /// What is not PostgreSQL's own is looked at by somebody else.
    OwnOnly,
    /// A catalogue.
    Open(&'a Sight),
}

impl Eyes<'_> {
    /// The number of the sight; 0 where there is none.
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Blind | Self::OwnOnly => 0,
            Self::Open(sight) => sight.number(),
        }
    }
}

impl Reference {
    pub(super) fn new(kind: Kind, name: &[&str], is_own: bool) -> Self {
        let (schema, name) = match name {
            [name] => ("", *name),
            [.., schema, name] => (*schema, *name),
            [] => ("", ""),
        };
        Self {
            kind,
            schema: schema.to_owned(),
            name: name.to_owned(),
            is_own,
            is_array: false,
        }
    }

    /// As written.
    pub(super) fn written(&self) -> String {
        if self.schema.is_empty() {
            self.name.clone()
        } else {
            format!("{}.{}", self.schema, self.name)
        }
    }

    /// Looks it up, and notes what comes of it.
    pub(super) fn resolve(&self, eyes: Eyes<'_>, findings: &mut Findings) {
        match eyes {
            Eyes::OwnOnly => {}
            Eyes::Blind => self.resolve_blindly(findings),
            Eyes::Open(sight) => match sight.look_up(self) {
                Found::Reads => {}
                Found::Acts(why) => findings.resolved(Effect::Unknown, why),
                Found::ActsWhenRead(why) => {
                    findings.acts_when_read();
                    findings.resolved(Effect::Unknown, why);
                }
                // A column, or a slip that the server will tell.
                Found::Missing if matches!(self.kind, Kind::Attribute | Kind::Call) => {}
                Found::Missing => {
                    findings.unresolved();
                    findings.resolved(
                        Effect::Unknown,
                        format!("{} {} is not known", self.kind.noun(), self.written()),
                    );
                }
            },
        }
    }

    fn resolve_blindly(&self, findings: &mut Findings) {
        if self.is_own {
            return;
        }
        match self.kind {
            Kind::Function(_) | Kind::Operator => {
                let why = format!(
                    "{} {} is not known to only read",
                    self.kind.noun(),
                    self.written()
                );
                findings.resolved(Effect::Unknown, why);
            }
            // A cast to it can run code (a domain's CHECK, a cast's function), as reading from a view can, and
            // a parser sees neither. Such code comes into being only through a definition, which is never a
            // read; and drivers cast to enums in the most ordinary queries.
            Kind::Type => findings.signal(format!(
                "the type {} is not PostgreSQL's own: casts to it may run code",
                self.written()
            )),
            Kind::Call => {
                let name = &self.name;
                findings.resolved(
                    Effect::Unknown,
                    format!(
                        "\".{name}\" may call a function of that name: write {name}(…) or name the table's column"
                    ),
                );
            }
            Kind::Attribute | Kind::Relation => {}
        }
    }
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Function(_) => "the function",
            Self::Attribute | Self::Call => "the column or function",
            Self::Operator => "the operator",
            Self::Type => "the type",
            Self::Relation => "the table or view",
        }
    }
}
