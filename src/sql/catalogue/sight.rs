//! A catalogue seen through a search path.

use std::sync::Arc;

use super::entries::{ByName, Entry};
use super::{Catalogue, Node};
use crate::model::{Defines, Facts, TableAccess};
use crate::sql::references::{Found, Kind, Reference};

/// What names stand for, for sessions with the same catalogue and search path.
#[derive(Debug, Clone)]
pub struct Sight {
    catalogue: Arc<Catalogue>,
    /// `None`: not known, a name without a schema is any of that name.
    path: Option<Vec<String>>,
    /// The path is the one that sessions begin with: what bodies of functions name is looked for there alone.
    has_default_path: bool,
    /// Definitions may be others by now; these for certain, where the session itself changes them.
    doubt: Option<Defines>,
    number: u64,
}

impl Sight {
    pub(super) fn new(
        catalogue: Arc<Catalogue>,
        path: Option<Vec<String>>,
        doubt: Option<Defines>,
        number: u64,
    ) -> Self {
        let default = &catalogue.default_path;
        let has_default_path = path
            .as_ref()
            .is_some_and(|path| path.iter().map(String::as_str).eq(default.iter().map(|s| &**s)));
        Self {
            catalogue,
            path,
            has_default_path,
            doubt,
            number,
        }
    }

    /// The same catalogue, where names are looked for being not known.
    pub(in crate::sql) fn without_path(&self) -> Arc<Self> {
        if self.doubt.is_some() {
            // It has no path, and is the same.
            return Arc::new(self.clone());
        }
        self.catalogue.through(None)
    }

    /// What the session has defined by itself so far.
    #[must_use]
    pub fn defined(&self) -> Defines {
        self.doubt.clone().unwrap_or_default()
    }

    /// What a change of this table runs beside itself, or may run, for all that is known.
    #[must_use]
    pub fn runs_when_written(&self, table: &TableAccess) -> Option<String> {
        let schema = table.schema.as_deref().unwrap_or("");
        let named = self.catalogue.relations.get(table.name.as_str());
        let mut named = named
            .into_iter()
            .flatten()
            .filter(|entry| self.is_in_sight(schema, &entry.schema))
            .peekable();
        if self.doubt.is_some() || named.peek().is_none() {
            return Some(format!(
                "what a change of {} runs is not known",
                table.qualified()
            ));
        }
        named.find_map(|entry| {
            let runs = match (&entry.when_written, entry.why(self.has_default_path)) {
                (Some(what), _) => what,
                (None, Some(why)) => &**why,
                (None, None) => return None,
            };
            Some(format!("a change of {}.{} runs {runs}", entry.schema, table.name))
        })
    }

    /// Why values of the type with this OID may do more than be read.
    #[must_use]
    pub fn why_type_acts(&self, oid: u32) -> Option<&str> {
        let is_changing = self
            .doubt
            .as_ref()
            .is_some_and(|defined| *defined != Defines::Nothing);
        if is_changing && !Node::Type(oid).is_own() {
            return Some("a type that the transaction may have made, or made to do something else");
        }
        self.catalogue.acting_types.get(&oid).map(|why| &**why)
    }

    /// Whether values of the type with this OID have parts, which are made when a constant is read.
    #[must_use]
    pub fn has_parts(&self, oid: u32) -> bool {
        self.doubt.is_some() || self.catalogue.composed.contains(&oid)
    }

    /// Its number, which no other sight of this process has.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// What a reference stands for, at worst.
    pub(in crate::sql) fn look_up(&self, reference: &Reference) -> Found {
        let found = self.look_up_as_known(reference);
        match &self.doubt {
            Some(defined) => self.doubted(reference, found, defined),
            None => found,
        }
    }

    /// What is said to act does. Beyond that, only what comes with PostgreSQL is known to be what it was, where the session has
    /// put nothing in its way; and where there was no catalogue at all, a column may be a call.
    fn doubted(&self, reference: &Reference, found: Found, defined: &Defines) -> Found {
        let name = &reference.name;
        let may_be_called = || {
            Found::Acts(format!(
                "\".{}\" may call a function, and what the server defines is not known",
                reference.name
            ))
        };
        match (reference.kind, found) {
            (_, found @ (Found::Acts(_) | Found::ActsWhenRead(_))) => found,
            (Kind::Call, _) | (Kind::Attribute, Found::Reads) => may_be_called(),
            (Kind::Attribute, Found::Missing) if self.catalogue.is_empty() || defined.has(name) => {
                may_be_called()
            }
            // Said to be PostgreSQL's own, it is.
            (Kind::Type, _) if reference.schema != "pg_catalog" && self.may_be_made(reference, defined) => {
                let why =
                    format!("the type {name} may be one that the transaction has made, and do anything");
                // Where anything may have been made, one of PostgreSQL's names is most likely its own, and held like the rest.
                if *defined == Defines::Anything && reference.is_own && !reference.is_array {
                    Found::Acts(why)
                } else {
                    Found::ActsWhenRead(why)
                }
            }
            (_, Found::Reads) if reference.schema != "pg_catalog" && self.is_hidden(reference, defined) => {
                Found::Missing
            }
            (Kind::Relation, Found::Reads) if self.system_schema(&reference.schema, name).is_some() => {
                Found::Reads
            }
            (_, Found::Reads) if reference.is_own => Found::Reads,
            _ => Found::Missing,
        }
    }

    /// Whether a type of this name may be one that the session has just made, or made to do something else.
    fn may_be_made(&self, reference: &Reference, defined: &Defines) -> bool {
        let has_parts = || {
            reference.is_array
                || self
                    .entries(&self.catalogue.types, reference)
                    .any(|entry| entry.has_parts)
        };
        defined.has(&reference.name) || (!reference.is_own && defined.is_code() && has_parts())
    }

    /// Whether something else than PostgreSQL's own may have this name by now, or have had it and do something else.
    fn is_hidden(&self, reference: &Reference, defined: &Defines) -> bool {
        let all = match reference.kind {
            Kind::Function(_) | Kind::Call | Kind::Attribute => &self.catalogue.functions,
            Kind::Operator => &self.catalogue.operators,
            Kind::Type => &self.catalogue.types,
            Kind::Relation => &self.catalogue.relations,
        };
        defined.has(&reference.name)
            || (defined.is_code()
                && self
                    .entries(all, reference)
                    .any(|entry| !entry.is_found_by_type && !entry.is_fixed))
    }

    fn look_up_as_known(&self, reference: &Reference) -> Found {
        match reference.kind {
            Kind::Function(arguments) => self.function(reference, arguments),
            Kind::Attribute | Kind::Call => self.attribute(reference),
            Kind::Operator => self.operator(reference),
            Kind::Type => self.type_of(reference),
            Kind::Relation => self.relation(reference),
        }
    }

    fn function(&self, reference: &Reference, arguments: Option<usize>) -> Found {
        let fits =
            |entry: &&Entry| arguments.is_none_or(|n| (entry.arguments.0..=entry.arguments.1).contains(&n));
        let all = self
            .entries(&self.catalogue.functions, reference)
            .collect::<Vec<_>>();
        let candidates = Candidates::of(self, all.iter().copied().filter(fits));
        // A cast in function's clothes, where a type has the name, too.
        let casts = self.named(&self.catalogue.types, reference);
        if casts.acts() {
            return self.cast(reference, &casts, "uses");
        }
        if !candidates.is_empty() {
            return candidates.found(reference, "calls");
        }
        // Called with a number of arguments that none has, the server refuses it.
        if reference.is_own || !all.is_empty() {
            return Found::Reads;
        }
        casts.found(reference, "uses")
    }

    /// A column, unless it calls a function that takes the row, or the value, before it. What is certainly a row is
    /// only given to what can take one.
    fn attribute(&self, reference: &Reference) -> Found {
        let is_row = reference.kind == Kind::Attribute;
        let takes_one = |entry: &&Entry| {
            (entry.arguments.0..=entry.arguments.1).contains(&1) && (entry.takes_row || !is_row)
        };
        // A cast in the clothes of a column.
        let casts = self.named(&self.catalogue.types, reference);
        if casts.acts() {
            return self.cast(reference, &casts, "may use");
        }
        let functions = self
            .entries(&self.catalogue.functions, reference)
            .filter(takes_one);
        let candidates = Candidates::of(self, functions);
        if candidates.is_empty() {
            return Found::Missing;
        }
        candidates.found(reference, "may call")
    }

    fn type_of(&self, reference: &Reference) -> Found {
        let candidates = self.named(&self.catalogue.types, reference);
        if candidates.is_empty() && reference.is_own {
            return Found::Reads;
        }
        self.cast(reference, &candidates, "uses")
    }

    /// What a cast to any of these types does: where the type has parts, what acts are they, and they are made when a constant
    /// is read.
    fn cast(&self, reference: &Reference, types: &Candidates<'_>, does: &str) -> Found {
        let has_parts = || {
            reference.is_array
                || self
                    .entries(&self.catalogue.types, reference)
                    .any(|entry| entry.has_parts)
        };
        match types.found(reference, does) {
            Found::Acts(why) if has_parts() => Found::ActsWhenRead(why),
            found => found,
        }
    }

    /// Behind a name of PostgreSQL's own, one that is found by the types of its operands is not looked for: where it acts,
    /// they do.
    fn operator(&self, reference: &Reference) -> Found {
        let named = self.entries(&self.catalogue.operators, reference);
        let candidates = Candidates::of(
            self,
            named.filter(|entry| !reference.is_own || !entry.is_found_by_type),
        );
        if candidates.is_empty() && reference.is_own {
            return Found::Reads;
        }
        candidates.found(reference, "calls")
    }

    fn relation(&self, reference: &Reference) -> Found {
        let candidates = self.named(&self.catalogue.relations, reference);
        if candidates.is_empty() && self.system_schema(&reference.schema, &reference.name).is_some() {
            return Found::Reads;
        }
        candidates.found(reference, "reads")
    }

    fn named<'c>(&'c self, map: &'c ByName, reference: &'c Reference) -> Candidates<'c> {
        Candidates::of(self, self.entries(map, reference))
    }

    fn entries<'c>(&'c self, map: &'c ByName, reference: &'c Reference) -> impl Iterator<Item = &'c Entry> {
        map.get(reference.name.as_str())
            .into_iter()
            .flatten()
            .filter(|entry| self.is_in_sight(&reference.schema, &entry.schema))
    }

    /// Whether a name with this schema as written can stand for something in that one.
    fn is_in_sight(&self, written: &str, schema: &str) -> bool {
        match (written, &self.path) {
            ("", None) => true,
            ("", Some(path)) => {
                schema == "pg_catalog" || is_temporary(schema) || path.iter().any(|s| s == schema)
            }
            ("pg_temp", _) => is_temporary(schema),
            (written, _) => written == schema,
        }
    }

    /// The schema of a table or view that comes with PostgreSQL.
    fn system_schema(&self, written: &str, name: &str) -> Option<&str> {
        let schema = self.catalogue.system.get(name)?;
        match written {
            "" => (&**schema == "pg_catalog").then_some(schema),
            written => (written == &**schema).then_some(schema),
        }
    }

    /// Says the schemas of tables and columns that are named without one, where it is certain which they are.
    pub(in crate::sql) fn name_schemas(&self, facts: &mut Facts) {
        for table in facts.tables.iter_mut().filter(|table| table.schema.is_none()) {
            table.schema = self.schema_of(&table.name).map(str::to_owned);
        }
        for column in facts.columns.iter_mut().filter(|column| column.schema.is_none()) {
            column.schema = self.schema_of(&column.table).map(str::to_owned);
        }
        // What was written both ways is one table.
        facts.tables.sort();
        facts.tables.dedup_by(|next, first| {
            let is_same = next.schema == first.schema && next.name == first.name;
            first.written |= is_same && next.written;
            is_same
        });
        facts.columns.sort();
        facts.columns.dedup();
    }

    fn schema_of(&self, name: &str) -> Option<&str> {
        if self.doubt.is_some() {
            return None;
        }
        let named = self.catalogue.relations.get(name).map_or(&[][..], Vec::as_slice);
        if named.iter().any(|entry| is_temporary(&entry.schema)) {
            return None;
        }
        if let Some(schema) = self.system_schema("", name) {
            return named.is_empty().then_some(schema);
        }
        match &self.path {
            Some(path) => path
                .iter()
                .find(|schema| named.iter().any(|entry| &*entry.schema == schema.as_str()))
                .map(String::as_str),
            // Wherever names are looked for, there is but one.
            None => match named {
                [only] => Some(&only.schema),
                _ => None,
            },
        }
    }
}

/// Schemas of sessions' temporary objects: `pg_temp_5`.
fn is_temporary(schema: &str) -> bool {
    schema.starts_with("pg_temp")
}

/// What a name can stand for.
struct Candidates<'c> {
    any: bool,
    acting: Option<(&'c Entry, &'c Arc<str>)>,
}

impl<'c> Candidates<'c> {
    fn of(sight: &Sight, entries: impl Iterator<Item = &'c Entry>) -> Self {
        let mut candidates = Self {
            any: false,
            acting: None,
        };
        for entry in entries {
            candidates.any = true;
            if candidates.acting.is_none() {
                candidates.acting = entry.why(sight.has_default_path).map(|why| (entry, why));
            }
        }
        candidates
    }

    const fn is_empty(&self) -> bool {
        !self.any
    }

    const fn acts(&self) -> bool {
        self.acting.is_some()
    }

    /// `does` is what the statement does with it.
    fn found(&self, reference: &Reference, does: &str) -> Found {
        match self.acting {
            Some((entry, why)) => {
                Found::Acts(format!("it {does} {}.{}: {why}", entry.schema, reference.name))
            }
            None if self.any => Found::Reads,
            None => Found::Missing,
        }
    }
}
