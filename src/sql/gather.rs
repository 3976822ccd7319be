//! The walk over a statement's tree: every node is visited, and what it does is noted.
//!
//! Inside a query (SELECT, INSERT, UPDATE, DELETE, MERGE) the walk is strict: a kind of node
//! that is not [plain](nodes::is_plain) and has no arm of its own in [`Gatherer::node`] makes the effect
//! Unknown. Outside, in the many statements that define things, nodes of any kind may stand:
//! those statements are more than a read by their own kind (see [`super::kinds`]).

use super::aliases::Aliases;
use super::findings::Findings;
use super::references::{Kind, Reference};
use super::tree::{Tree, Value};
use super::{calls, columns, names, nodes, operators, writes};
use crate::model::Effect;

/// What a statement that is no query does with the tables that it names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tables {
    /// It changes their definition or fills them.
    Defined,
    /// It does neither.
    Read,
}

/// A walk over one statement.
pub(super) struct Gatherer<'t> {
    pub(super) findings: Findings,
    aliases: Aliases<'t>,
    /// Names of the WITH clauses around, innermost last.
    scopes: Vec<Vec<&'t str>>,
    mode: Mode,
}

const QUERY: Mode = Mode {
    strict: true,
    defining: false,
};
const DEFINITION: Mode = Mode {
    strict: false,
    defining: true,
};

/// How nodes count where the walk is.
#[derive(Debug, Clone, Copy)]
struct Mode {
    /// Inside a query: only known kinds of nodes.
    strict: bool,
    /// Tables are named to be defined, not to be read.
    defining: bool,
}

impl<'t> Gatherer<'t> {
    /// `tables` says what naming a table outside of a query means.
    pub(super) const fn new(findings: Findings, aliases: Aliases<'t>, tables: Tables) -> Self {
        let defining = matches!(tables, Tables::Defined);
        Self {
            findings,
            aliases,
            scopes: Vec::new(),
            mode: Mode {
                strict: false,
                defining,
            },
        }
    }

    /// Visits all of it.
    pub(super) fn value(&mut self, value: &'t Value) {
        match value {
            Value::Node(node) => self.node(node),
            Value::List(values) => values.iter().for_each(|value| self.value(value)),
            Value::Nothing | Value::Yes | Value::Number(_) | Value::Text(_) => {}
        }
    }

    fn node(&mut self, node: &'t Tree) {
        match node.kind {
            "AConst" => {
                if node.node("val").is_some_and(|value| value.kind == "String") {
                    self.findings.has_text();
                }
            }
            "SelectStmt" => self.select(node),
            "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => self.change(node),
            "IntoClause" => self.new_table(node),
            "LockingClause" => self
                .findings
                .does_since(Effect::Write, "it locks rows (FOR UPDATE or the like)"),
            "RangeVar" => self.table(node),
            "Constraint" | "TableLikeClause" => self.reference(node),
            "FuncCall" => {
                calls::judge(node, &mut self.findings);
                self.children(node);
            }
            "ColumnRef" => columns::judge_reference(node, &self.aliases, &mut self.findings),
            "AIndirection" => {
                columns::judge_indirection(node, &mut self.findings);
                self.children(node);
            }
            // What is executed is given these values.
            "ExecuteStmt" => self.in_mode(QUERY, |this| this.children(node)),
            "AExpr" => self.operator(node, "name"),
            "SubLink" => self.operator(node, "oper_name"),
            "SortBy" => self.operator(node, "use_op"),
            "CaseExpr" | "JoinExpr" => self.operator(node, ""),
            "TypeName" => {
                if self.mode.strict {
                    calls::judge_type(node, &mut self.findings);
                }
                self.children(node);
            }
            "RangeTableSample" => {
                calls::judge_sampling(node, &mut self.findings);
                self.children(node);
            }
            "JsonFuncExpr"
            | "JsonParseExpr"
            | "JsonScalarExpr"
            | "JsonSerializeExpr"
            | "JsonArrayAgg"
            | "JsonArrayConstructor"
            | "MergeSupportFunc" => self.newer_syntax(node),
            "JsonObjectConstructor" if node.list("exprs").is_empty() => self.newer_syntax(node),
            "JsonObjectConstructor" => self.children(node),
            kind if !self.mode.strict || nodes::is_plain(kind) => self.children(node),
            kind => {
                self.findings.calls(
                    Effect::Unknown,
                    format!("it contains {kind}, which is not known to only read"),
                );
                self.children(node);
            }
        }
    }

    fn children(&mut self, node: &'t Tree) {
        for (name, value) in node.fields() {
            // Parents of a new table: named, not changed.
            if name == "inh_relations" {
                self.in_mode(
                    Mode {
                        defining: false,
                        ..self.mode
                    },
                    |this| this.value(value),
                );
            } else {
                self.value(value);
            }
        }
    }

    fn in_mode(&mut self, mode: Mode, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.mode, mode);
        visit(self);
        self.mode = before;
    }

    fn select(&mut self, node: &'t Tree) {
        if node.node("into_clause").is_some() {
            self.findings.command("SELECT INTO");
        }
        self.in_mode(QUERY, |this| this.with_names(node, |_, _| false));
    }

    fn change(&mut self, node: &'t Tree) {
        let command = match node.kind {
            "InsertStmt" => "INSERT",
            "UpdateStmt" => "UPDATE",
            "DeleteStmt" => "DELETE",
            _ => "MERGE",
        };
        self.findings.command(command);
        self.findings.does(Effect::Write);
        if matches!(command, "UPDATE" | "DELETE") && node.node("where_clause").is_none() {
            self.findings.unfiltered();
        }
        writes::note(node, &mut self.findings);
        self.in_mode(QUERY, |this| {
            this.with_names(node, |this, (field, value)| {
                let target = value.as_node().filter(|_| field == "relation");
                if let Some(table) = target {
                    let written = this.findings.is_run();
                    this.named_table(table, written);
                }
                target.is_some()
            });
        });
    }

    /// Visits a query's fields, its WITH clause first, whose names hide tables while it lasts.
    /// `own` visits a field in its own way and says whether it did.
    fn with_names(&mut self, query: &'t Tree, own: impl Fn(&mut Self, (&'t str, &'t Value)) -> bool) {
        self.scopes.push(Vec::new());
        if let Some(with) = query.node("with_clause") {
            self.with_clause(with);
        }
        for (field, value) in query.fields() {
            if field != "with_clause" && !own(self, (field, value)) {
                self.value(value);
            }
        }
        self.scopes.pop();
    }

    /// `WITH RECURSIVE` names are known in all of its queries, others from the next one on.
    fn with_clause(&mut self, with: &'t Tree) {
        let name = |cte: &'t Value| cte.as_node().map(|cte| cte.text("ctename"));
        let ctes = with.list("ctes");
        if with.is("recursive") {
            self.bring_into_scope(ctes.iter().filter_map(name));
        }
        for cte in ctes {
            self.value(cte);
            self.bring_into_scope(name(cte));
        }
    }

    fn bring_into_scope(&mut self, names: impl IntoIterator<Item = &'t str>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names);
        }
    }

    /// A table, in a query to be read, in a definition to be defined.
    fn table(&mut self, table: &'t Tree) {
        let name = table.text("relname");
        if !self.mode.defining
            && table.text("schemaname").is_empty()
            && self.scopes.iter().flatten().any(|n| *n == name)
        {
            return;
        }
        self.named_table(table, self.mode.defining);
    }

    fn named_table(&mut self, table: &'t Tree, written: bool) {
        let (schema, name) = (table.text("schemaname"), table.text("relname"));
        self.findings.table(schema, name, written);
        if self.mode.strict && !self.mode.defining && !written {
            self.findings
                .refers(Reference::new(Kind::Relation, &[schema, name], false));
        }
        let of_the_system = match schema {
            "" => name.starts_with("pg_"),
            "pg_catalog" | "pg_toast" | "information_schema" => true,
            _ => false,
        };
        if of_the_system && names::shows_files(name) {
            self.findings.calls(
                Effect::Server,
                format!("{name} shows what files of the server say"),
            );
        }
        if written && of_the_system {
            if name == "pg_settings" {
                self.findings.sets("*");
            }
            // An UPDATE of pg_settings is a SET, also of the role; pg_authid holds the passwords.
            self.findings.does_since(
                Effect::Privilege,
                format!("it changes {name}, which belongs to the system"),
            );
        }
    }

    fn new_table(&mut self, into: &'t Tree) {
        self.findings.does(Effect::Schema);
        self.in_mode(DEFINITION, |this| this.children(into));
    }

    /// What refers to other tables without changing them (`REFERENCES`, `LIKE`).
    fn reference(&mut self, node: &'t Tree) {
        self.in_mode(
            Mode {
                defining: false,
                ..self.mode
            },
            |this| this.children(node),
        );
    }

    fn operator(&mut self, node: &'t Tree, field: &str) {
        let name = node.names(field);
        operators::judge(node, &name, &mut self.findings);
        self.children(node);
    }

    fn newer_syntax(&mut self, node: &'t Tree) {
        let why = "it uses SQL/JSON or MERGE syntax that a server before PostgreSQL 17 takes for a call of a \
                   user's function";
        self.findings.calls(Effect::Unknown, why);
        self.children(node);
    }
}
