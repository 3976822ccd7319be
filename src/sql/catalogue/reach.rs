//! What in a database does more than read, by itself or through what it reaches.
//!
//! Leaves first: what is VOLATILE, what calls one of PostgreSQL's own functions that act, what reads from
//! elsewhere. Then whatever reaches a leaf, to any depth. The bodies of functions are not parsed: every word in
//! one counts, wherever it stands, so that no way to write a call is missed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::definitions::{Callee, Definitions, Function, Node, Object};
use crate::model::Effect;
use crate::sql::Meaning;
use crate::sql::grammar::judge_text;
use crate::sql::names;
use crate::sql::references::Eyes;

/// Longer definitions are not looked into: they act.
const MAX_TEXT: usize = 1024 * 1024;

/// What acts, and why.
pub(super) type Acts = HashMap<Node, Arc<str>>;

/// Follows what reaches what: where names in the bodies of functions are looked for in the default path, and where
/// they are looked for anywhere.
pub(super) fn follow(definitions: &Definitions) -> (Acts, Acts) {
    let mut ways = Ways::default();
    let mut acts = Acts::default();
    let mut leaf = |node: Node, why: String| {
        acts.entry(node).or_insert_with(|| why.into());
    };
    let of_users = |function: &&Function| !Node::Function(function.object.oid).is_own();
    for function in definitions.functions.iter().filter(of_users) {
        if let Some(why) = why_by_itself(function, &definitions.symbols) {
            leaf(Node::Function(function.object.oid), why);
        }
    }
    for oid in &definitions.foreign {
        leaf(
            Node::Relation(*oid),
            "which reads from outside of the database (a foreign table)".to_owned(),
        );
    }
    for node in &definitions.locked {
        leaf(
            *node,
            "which could not be looked into while a table of its is locked".to_owned(),
        );
    }
    for text in &definitions.texts {
        if let Some(why) = why_of_text(&text.sql, text.is_expression) {
            leaf(text.of, why);
        }
    }
    for (by, callee) in &definitions.calls {
        match why_of_own(callee) {
            Some(why) => leaf(*by, why),
            None => ways.note(*by, Node::Function(callee.object.oid)),
        }
    }
    for (types, callee) in &definitions.casts {
        let function = Node::Function(callee.object.oid);
        for oid in signs_of_cast(*types) {
            match why_of_own(callee) {
                Some(why) => leaf(Node::Type(oid), why),
                None => ways.note(Node::Type(oid), function),
            }
        }
    }
    for used in &definitions.uses {
        ways.note(used.by, used.of);
    }
    // Operators too are used without a word: by ORDER BY, joins, and those of PostgreSQL's own name.
    for operator in &definitions.operators {
        for oid in operator
            .operands
            .into_iter()
            .filter(|oid| !Node::Type(*oid).is_own())
        {
            ways.note(Node::Type(oid), Node::Operator(operator.object.oid));
        }
    }
    let anywhere = Bodies::of(definitions, None).spread(definitions, &ways, acts.clone());
    // What a function calls that sets a path of its own runs in that path as well.
    for function in definitions.functions.iter().filter(|function| function.has_path) {
        let node = Node::Function(function.object.oid);
        if let Some(why) = anywhere.get(&node) {
            acts.entry(node).or_insert_with(|| Arc::clone(why));
        }
    }
    let by_path = Bodies::of(definitions, Some(&definitions.path)).spread(definitions, &ways, acts);
    (by_path, anywhere)
}

/// The types without which a cast between these two is not used: of users' own, each; of PostgreSQL's own, the one
/// that is less common, and both where both are common: a constant has a type that nothing names. A cast is used without a word of it, by whatever has to do with values of its types.
fn signs_of_cast(types: [u32; 2]) -> Vec<u32> {
    let of_users: Vec<u32> = types
        .into_iter()
        .filter(|oid| !Node::Type(*oid).is_own())
        .collect();
    if !of_users.is_empty() {
        return of_users;
    }
    let [source, target] = types;
    let is_rare = |oid: u32| !COMMON.contains(&oid);
    match (is_rare(source), is_rare(target)) {
        (false, true) => vec![target],
        (false, false) => vec![source, target],
        (true, _) => vec![source],
    }
}

/// Types that most tables have: bool, bytea, name, the integers, text, oid, json, xml, floats, strings, dates and
/// times, numeric, uuid, jsonb, as `src/include/catalog/pg_type.dat` numbers them.
const COMMON: [u32; 24] = [
    16, 17, 18, 19, 20, 21, 23, 25, 26, 114, 142, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266,
    1700, 2950, 3802,
];

/// Languages whose functions run their statements read-only unless they are VOLATILE, and hold nothing else.
const FOLLOWED: [&str; 2] = ["sql", "plpgsql"];

fn why_by_itself(function: &Function, symbols: &[(String, Object)]) -> Option<String> {
    let name = format!("{}.{}", function.object.schema, function.object.name);
    if function.language == "c" && HARMLESS.contains(&function.object.name.as_str()) {
        return None;
    }
    if function.is_volatile {
        return Some(format!(
            "the function {name}, which is VOLATILE: it may change data"
        ));
    }
    match function.language.as_str() {
        "c" if RUN_TEXTS.contains(&function.source.as_str()) => Some(format!(
            "the function {name}, which runs a text that it is given, and says that it only reads"
        )),
        "c" => None,
        // An aggregate: its functions are called, and are looked at themselves.
        "internal" if function.source == "aggregate_dummy" => None,
        "internal" if is_reading_symbol(&function.source, symbols) => None,
        "internal" => Some(format!(
            "the function {name}, which is one of the server's own under another name"
        )),
        language if FOLLOWED.contains(&language) => {
            acting_word(&function.source).map(|word| format!("the function {name}, whose body says {word}"))
        }
        language => Some(format!(
            "the function {name}, whose language {language} is not looked into"
        )),
    }
}

/// What is behind functions of the extensions tablefunc and xml2 that are declared STABLE and run what they are given; anybody
/// can give them other names.
const RUN_TEXTS: [&str; 5] = [
    "crosstab",
    "crosstab_hash",
    "connectby_text",
    "connectby_text_serial",
    "xpath_table",
];

/// Functions of PostgreSQL's extensions in C that are VOLATILE because each call gives something else (pgcrypto,
/// uuid-ossp, tablefunc) or because they look at the server (`pg_stat_statements`, `pg_buffercache`), and change nothing.
const HARMLESS: [&str; 14] = [
    "gen_random_bytes",
    "gen_random_uuid",
    "gen_salt",
    "normal_rand",
    "pg_buffercache_pages",
    "pg_buffercache_summary",
    "pg_buffercache_usage_counts",
    "pg_stat_statements",
    "pg_stat_statements_info",
    "pgp_sym_encrypt",
    "pgp_sym_encrypt_bytea",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
];

/// Whether all of PostgreSQL's own functions that this C function is behind only read.
fn is_reading_symbol(symbol: &str, symbols: &[(String, Object)]) -> bool {
    let mut own = symbols
        .iter()
        .filter(|(behind, _)| behind == symbol)
        .map(|(_, object)| names::function(&[&object.schema, &object.name]))
        .peekable();
    // In no list of ours: what reads and writes values of a type.
    let is_of_a_type = ["in", "out", "recv", "send"]
        .iter()
        .any(|end| symbol.ends_with(end));
    own.peek().is_some()
        && own.all(|what| match what {
            names::Function::Reading => true,
            names::Function::Foreign => is_of_a_type,
            _ => false,
        })
}

/// A word of a body that is one of PostgreSQL's functions that act, or runs a text as a statement.
fn acting_word(source: &str) -> Option<String> {
    if source.len() > MAX_TEXT {
        return Some("more than is looked into".to_owned());
    }
    // An escaped name is not the word that it is written with.
    let is_escaped = source.contains("U&\"") || source.contains("u&\"");
    let acts = |word: &&str| {
        *word == "execute"
            || matches!(
                names::function(&[word]),
                names::Function::Acting(_) | names::Function::SetConfig
            )
    };
    let lower = source.to_ascii_lowercase();
    let found = words(&lower).find(acts).map(str::to_owned);
    found.or_else(|| is_escaped.then(|| "names with escapes".to_owned()))
}

/// Runs of characters that names are made of.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' && c != '$')
        .filter(|word| !word.is_empty())
}

fn why_of_text(sql: &str, is_expression: bool) -> Option<String> {
    let text = if is_expression {
        format!("SELECT {sql}")
    } else {
        sql.to_owned()
    };
    let meaning = Meaning {
        standard_conforming_strings: true,
        encoding_is_safe: true,
    };
    let judged = judge_text(text.as_bytes(), meaning, MAX_TEXT, Eyes::OwnOnly);
    (judged.effect() > Effect::Read).then(|| {
        let signals = judged.joined_facts().signals;
        format!("a definition of which is to say: {}", signals.join(", "))
    })
}

/// Why a call of one of PostgreSQL's own functions acts.
fn why_of_own(callee: &Callee) -> Option<String> {
    let Callee { object } = callee;
    if !Node::Function(object.oid).is_own() {
        return None;
    }
    match names::function(&[&object.schema, &object.name]) {
        names::Function::Reading => None,
        // Used by what comes with PostgreSQL itself, as the functions that read and write values of a type are.
        names::Function::Foreign if object.schema == "pg_catalog" => None,
        names::Function::Acting(acting) => {
            Some(format!("the function {}, which {}", object.name, acting.does))
        }
        _ => Some(format!("the function {}", object.name)),
    }
}

/// What is reached from where, by what is reached.
#[derive(Debug, Default)]
struct Ways {
    back: HashMap<Node, Vec<Node>>,
}

impl Ways {
    fn note(&mut self, by: Node, of: Node) {
        if by != of {
            self.back.entry(of).or_default().push(by);
        }
    }

    /// Whatever reaches something that acts acts for the same reason.
    fn spread(&self, acts: &mut Acts) {
        let mut queue: VecDeque<(Node, Arc<str>)> =
            acts.iter().map(|(node, why)| (*node, Arc::clone(why))).collect();
        while let Some((node, why)) = queue.pop_front() {
            for by in self.back.get(&node).into_iter().flatten() {
                if !acts.contains_key(by) {
                    acts.insert(*by, Arc::clone(&why));
                    queue.push_back((*by, Arc::clone(&why)));
                }
            }
        }
    }
}

/// The bodies of functions that are looked into.
struct Bodies<'d> {
    functions: Vec<&'d Function>,
    /// Where what they name is looked for; `None`: anywhere.
    path: Option<&'d [String]>,
    /// What their bodies name.
    ways: Ways,
}

impl<'d> Bodies<'d> {
    /// Notes for each what it names, by any word in it: of the schemas of `path`, or of any.
    fn of(definitions: &'d Definitions, path: Option<&'d [String]>) -> Self {
        let is_followed = |function: &&Function| {
            FOLLOWED.contains(&function.language.as_str()) && !function.is_volatile && !function.is_bound
        };
        let functions: Vec<&Function> = definitions.functions.iter().filter(is_followed).collect();
        let mut named = Named::default();
        for function in &definitions.functions {
            named.note(&function.object, Node::Function(function.object.oid));
        }
        for relation in &definitions.relations {
            named.note(relation, Node::Relation(relation.oid));
        }
        for r#type in &definitions.types {
            named.note(r#type, Node::Type(r#type.oid));
        }
        let mut ways = Ways::default();
        let quoted = (!named.quoted.is_empty())
            .then(|| AhoCorasick::new(&named.quoted).ok())
            .flatten();
        for function in &functions {
            let path = path_of(function, path);
            named.in_body(function, path, quoted.as_ref(), |node| {
                ways.note(Node::Function(function.object.oid), node);
            });
        }
        Self {
            functions,
            path,
            ways,
        }
    }

    /// All that acts: what reaches one of `acts`, by `others` or by what the bodies name.
    fn spread(&self, definitions: &Definitions, others: &Ways, mut acts: Acts) -> Acts {
        loop {
            let before = acts.len();
            others.spread(&mut acts);
            self.ways.spread(&mut acts);
            self.find_operators(definitions, &mut acts);
            if acts.len() == before {
                return acts;
            }
        }
    }

    /// Functions in whose body the characters of an operator that acts stand act. One that takes types of users' alone,
    /// behind a name of PostgreSQL's own, is left to these.
    fn find_operators(&self, definitions: &Definitions, acts: &mut Acts) {
        let acting: Vec<(&Object, Arc<str>)> = definitions
            .operators
            .iter()
            .filter(|operator| {
                !(names::is_own_operator(&[&operator.object.name]) && definitions.is_found_by_type(operator))
            })
            .filter_map(|operator| {
                let why = acts.get(&Node::Operator(operator.object.oid))?;
                Some((&operator.object, Arc::clone(why)))
            })
            .collect();
        for function in &self.functions {
            let node = Node::Function(function.object.oid);
            if acts.contains_key(&node) {
                continue;
            }
            let path = path_of(function, self.path);
            let mut schemas = Schemas::of(&function.source, path);
            let named = acting.iter().find(|(operator, _)| {
                function.source.contains(&operator.name) && schemas.are_looked_for(&operator.schema)
            });
            if let Some((_, why)) = named {
                acts.insert(node, Arc::clone(why));
            }
        }
    }
}

/// Where what a function's body names is looked for.
fn path_of<'p>(function: &Function, path: Option<&'p [String]>) -> Option<&'p [String]> {
    path.filter(|_| !function.has_path)
}

/// Which schemas things can be of that are named in a body: those of the path, and those that are named as well.
struct Schemas<'d> {
    path: Option<&'d [String]>,
    body: String,
    known: HashMap<&'d str, bool>,
}

impl<'d> Schemas<'d> {
    fn of(body: &str, path: Option<&'d [String]>) -> Self {
        Self {
            path,
            body: body.to_lowercase(),
            known: HashMap::new(),
        }
    }

    fn are_looked_for(&mut self, schema: &'d str) -> bool {
        let Self { path, body, known } = self;
        let is_in_path = |path: &[String]| path.iter().any(|s| s == schema);
        path.is_none_or(is_in_path)
            || *known.entry(schema).or_insert_with(|| {
                schema.len() >= CUT || body.contains(&schema.to_lowercase().replace('"', "\"\""))
            })
    }
}

/// Names are cut off at 63 bytes (`NAMEDATALEN`), and not in the middle of a character: whatever is as long as this
/// may be written longer than it is.
const CUT: usize = 60;

/// Things by how a body has to write their names.
#[derive(Debug, Default)]
struct Named<'d> {
    /// By a word, whatever its case.
    by_word: HashMap<&'d str, Vec<(&'d str, Node)>>,
    /// In quotes alone, as written here, without the last one where the name may have been cut off.
    quoted: Vec<String>,
    quoted_nodes: Vec<Node>,
}

impl<'d> Named<'d> {
    fn note(&mut self, object: &'d Object, node: Node) {
        let name = object.name.as_str();
        let is_word = words(name).eq([name]) && !name.contains(|c: char| c.is_ascii_uppercase());
        if is_word {
            self.by_word.entry(name).or_default().push((&object.schema, node));
            return;
        }
        let end = if name.len() >= CUT { "" } else { "\"" };
        self.quoted.push(format!("\"{}{end}", name.replace('"', "\"\"")));
        self.quoted_nodes.push(node);
    }

    fn in_body(
        &self,
        function: &Function,
        path: Option<&'d [String]>,
        quoted: Option<&AhoCorasick>,
        mut found: impl FnMut(Node),
    ) {
        // Servers fold ASCII; with an encoding of one byte per character, all letters.
        let (ascii, lower) = (
            function.source.to_ascii_lowercase(),
            function.source.to_lowercase(),
        );
        let said: HashSet<&str> = words(&ascii)
            .chain(words(&lower))
            .flat_map(|word| [word, cut(word)])
            .filter(|word| !RESERVED.contains(word) || may_be_name(&ascii, word))
            .collect();
        let mut schemas = Schemas::of(&function.source, path);
        for (schema, node) in said.iter().filter_map(|word| self.by_word.get(word)).flatten() {
            if schemas.are_looked_for(schema) {
                found(*node);
            }
        }
        let quoted = quoted.into_iter().flat_map(|quoted| {
            quoted
                .find_overlapping_iter(&function.source)
                .map(|one| one.pattern())
                .collect::<HashSet<_>>()
        });
        for pattern in quoted {
            found(self.quoted_nodes[pattern.as_usize()]);
        }
    }
}

/// A word as the server cuts it off.
fn cut(word: &str) -> &str {
    &word[..word.floor_char_boundary(63)]
}

/// Whether a reserved word may stand for a name in a body: in quotes, or behind a schema.
fn may_be_name(body: &str, word: &str) -> bool {
    body.match_indices(word).any(|(at, _)| {
        let before = body[..at].trim_end();
        before.ends_with(['.', '"', '/'])
    })
}

/// Words that no name is without quotes (`reserved` in `src/include/parser/kwlist.h`), as far as bodies are full of
/// them.
const RESERVED: [&str; 46] = [
    "all",
    "and",
    "any",
    "as",
    "asc",
    "case",
    "cast",
    "check",
    "column",
    "constraint",
    "create",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "into",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "primary",
    "references",
    "returning",
    "select",
    "table",
    "then",
    "to",
    "true",
    "union",
    "user",
    "when",
    "where",
];
