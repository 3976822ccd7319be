//! What in a database does more than read, by itself or through what it reaches.
//!
//! Leaves first: what is VOLATILE, what calls one of PostgreSQL's own functions that act, what reads from
//! elsewhere. Then whatever reaches a leaf, to any depth. The bodies of functions are not parsed: every word in
//! one counts, wherever it stands, so that no way to write a call is missed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::definitions::{Callee, Definitions, Function, Node};
use crate::model::Effect;
use crate::sql::Meaning;
use crate::sql::grammar::judge_text;
use crate::sql::names;
use crate::sql::references::Eyes;

/// Longer definitions are not looked into: they act.
const MAX_TEXT: usize = 1024 * 1024;

/// Operators that the server uses by itself: for ORDER BY, GROUP BY, joins and IN.
const COMPARING: [&str; 6] = ["=", "<>", "<", ">", "<=", ">="];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// What acts, and why.
    pub(super) acts: HashMap<Node, Arc<str>>,
    /// Why everything does.
    pub(super) all_acts: Option<Arc<str>>,
}

/// Follows what reaches what.
pub(super) fn follow(definitions: &Definitions) -> Reached {
    let mut ways = Ways::default();
    let mut reached = Reached::default();
    let mut leaf = |node: Node, why: String| {
        reached.acts.entry(node).or_insert_with(|| why.into());
    };
    for function in &definitions.functions {
        if let Some(why) = why_by_itself(function) {
            leaf(Node::Function(function.object.oid), why);
        }
    }
    for oid in &definitions.foreign {
        leaf(
            Node::Relation(*oid),
            "which reads from outside of the database (a foreign table)".to_owned(),
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
    let mut everywhere = Vec::new();
    for (types, callee) in &definitions.casts {
        let function = Node::Function(callee.object.oid);
        // A cast is used without a word of it: by whatever has values of its types.
        for oid in types {
            match why_of_own(callee) {
                Some(why) => leaf(Node::Type(*oid), why),
                None => ways.note(Node::Type(*oid), function),
            }
        }
        if types.iter().all(|oid| Node::Type(*oid).is_own()) {
            everywhere.push(Node::Type(types[0]));
        }
    }
    for used in &definitions.uses {
        ways.note(used.by, used.of);
    }
    for operator in &definitions.operators {
        if COMPARING.contains(&operator.object.name.as_str()) {
            for oid in operator
                .operands
                .into_iter()
                .filter(|oid| !Node::Type(*oid).is_own())
            {
                ways.note(Node::Type(oid), Node::Operator(operator.object.oid));
            }
        }
    }
    let bodies = Bodies::of(definitions, &mut ways);
    ways.spread(&mut reached.acts);
    while bodies.find_operators(definitions, &mut reached.acts) {
        ways.spread(&mut reached.acts);
    }
    reached.all_acts = everywhere.iter().find_map(|node| reached.acts.get(node).cloned());
    reached
}

/// Languages whose functions run their statements read-only unless they are VOLATILE, and hold nothing else.
const FOLLOWED: [&str; 2] = ["sql", "plpgsql"];

fn why_by_itself(function: &Function) -> Option<String> {
    let name = format!("{}.{}", function.object.schema, function.object.name);
    if function.is_volatile {
        return Some(format!(
            "the function {name}, which is VOLATILE: it may change data"
        ));
    }
    match function.language.as_str() {
        "c" => None,
        "internal" => match names::function(&["pg_catalog", &function.source]) {
            names::Function::Reading => None,
            _ => Some(format!(
                "the function {name}, which is one of the server's own under another name"
            )),
        },
        language if FOLLOWED.contains(&language) => {
            acting_word(&function.source).map(|word| format!("the function {name}, whose body says {word}"))
        }
        language => Some(format!(
            "the function {name}, whose language {language} is not looked into"
        )),
    }
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
    fn spread(&self, acts: &mut HashMap<Node, Arc<str>>) {
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
    functions: Vec<(&'d Function, String)>,
}

impl<'d> Bodies<'d> {
    /// Notes for each what it names, by any word in it.
    fn of(definitions: &'d Definitions, ways: &mut Ways) -> Self {
        let functions: Vec<(&Function, String)> = definitions
            .functions
            .iter()
            .filter(|function| FOLLOWED.contains(&function.language.as_str()) && !function.is_volatile)
            .map(|function| (function, function.source.to_lowercase()))
            .collect();
        let mut by_name: HashMap<String, Vec<Node>> = HashMap::new();
        // Those whose name is no word must be looked for one by one.
        let mut odd: Vec<(String, Node)> = Vec::new();
        let mut note = |name: &str, node: Node| {
            let name = name.to_lowercase();
            if words(&name).eq([name.as_str()]) {
                by_name.entry(name).or_default().push(node);
            } else {
                odd.push((name.replace('"', "\"\""), node));
            }
        };
        for function in &definitions.functions {
            note(&function.object.name, Node::Function(function.object.oid));
        }
        for relation in &definitions.relations {
            note(&relation.name, Node::Relation(relation.oid));
        }
        for r#type in &definitions.types {
            note(&r#type.name, Node::Type(r#type.oid));
        }
        for (function, body) in &functions {
            let by = Node::Function(function.object.oid);
            let said: HashSet<&str> = words(body).collect();
            for node in said.iter().filter_map(|word| by_name.get(*word)).flatten() {
                ways.note(by, *node);
            }
            for (name, node) in &odd {
                if body.contains(name.as_str()) {
                    ways.note(by, *node);
                }
            }
        }
        Self { functions }
    }

    /// Functions in whose body the characters of an operator that acts stand act. Says whether any was found.
    fn find_operators(&self, definitions: &Definitions, acts: &mut HashMap<Node, Arc<str>>) -> bool {
        let acting: Vec<(&str, Arc<str>)> = definitions
            .operators
            .iter()
            .filter_map(|operator| {
                let why = acts.get(&Node::Operator(operator.object.oid))?;
                Some((operator.object.name.as_str(), Arc::clone(why)))
            })
            .collect();
        let mut found = false;
        for (function, body) in &self.functions {
            let node = Node::Function(function.object.oid);
            if acts.contains_key(&node) {
                continue;
            }
            if let Some((_, why)) = acting.iter().find(|(name, _)| body.contains(name)) {
                acts.insert(node, Arc::clone(why));
                found = true;
            }
        }
        found
    }
}
