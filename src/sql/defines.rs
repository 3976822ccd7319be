//! What a definition gives a meaning to: names that may hide PostgreSQL's own.
//!
//! Invariant: a kind of statement that is not named here may give any name a meaning.

use pg_query::protobuf::ObjectType;

use super::objects::object_type;
use super::tree::{Tree, Value};
use crate::model::Defines;

/// What a statement defines, if it runs and is a definition.
pub(super) fn of(statement: &Tree) -> Defines {
    match statement.kind {
        "CreateStmt" => relation(statement.node("relation")),
        "ViewStmt" => relation(statement.node("view")),
        "CreateTableAsStmt" => relation(statement.node("into").and_then(|into| into.node("rel"))),
        "SelectStmt" => relation(statement.node("into_clause").and_then(|into| into.node("rel"))),
        "CompositeTypeStmt" => relation(statement.node("typevar")),
        "CreateEnumStmt" => named(statement.list("type_name"), false),
        "CreateDomainStmt" => named(statement.list("domainname"), true),
        "CreateFunctionStmt" => named(statement.list("funcname"), true),
        // Aggregates, operators and types among them.
        "DefineStmt" => named(statement.list("defnames"), true),
        // They change what is there under its name, or are called by none.
        "RenameStmt" => renamed(statement),
        // An attribute of another type may do what the type has not done.
        "AlterTableStmt"
            if i32::try_from(statement.number("objtype")).map(object_type) == Ok(ObjectType::ObjectType) =>
        {
            relation(statement.node("relation"))
        }
        "AlterDefaultPrivilegesStmt"
        | "AlterEnumStmt"
        | "AlterOwnerStmt"
        | "AlterPolicyStmt"
        | "AlterRoleSetStmt"
        | "AlterRoleStmt"
        | "AlterSeqStmt"
        | "AlterStatsStmt"
        | "AlterTableMoveAllStmt"
        | "AlterTableStmt"
        | "ClusterStmt"
        | "CommentStmt"
        | "CreatePolicyStmt"
        | "CreateRoleStmt"
        | "CreateSeqStmt"
        | "CreateStatsStmt"
        | "CreateTrigStmt"
        | "DropRoleStmt"
        | "DropStmt"
        | "GrantRoleStmt"
        | "GrantStmt"
        | "IndexStmt"
        | "RefreshMatViewStmt"
        | "ReindexStmt"
        | "RuleStmt"
        | "VariableSetStmt" => Defines::Nothing,
        "CreateSchemaStmt" if statement.list("schema_elts").is_empty() => Defines::Nothing,
        _ => Defines::Anything,
    }
}

fn renamed(rename: &Tree) -> Defines {
    let names = |is_code| Defines::Names {
        names: vec![rename.text("newname").to_owned()],
        is_code,
    };
    match i32::try_from(rename.number("rename_type")).map(object_type) {
        Ok(
            ObjectType::ObjectAttribute
            | ObjectType::ObjectColumn
            | ObjectType::ObjectDomconstraint
            | ObjectType::ObjectPolicy
            | ObjectType::ObjectRole
            | ObjectType::ObjectRule
            | ObjectType::ObjectSequence
            | ObjectType::ObjectTabconstraint
            | ObjectType::ObjectTrigger,
        ) => Defines::Nothing,
        // ALTER INDEX renames whatever has the name.
        Ok(
            ObjectType::ObjectIndex
            | ObjectType::ObjectMatview
            | ObjectType::ObjectTable
            | ObjectType::ObjectView,
        ) => names(false),
        Ok(
            ObjectType::ObjectAggregate
            | ObjectType::ObjectDomain
            | ObjectType::ObjectFunction
            | ObjectType::ObjectType,
        ) => names(true),
        _ => Defines::Anything,
    }
}

/// A table or a view, and the type of its rows.
fn relation(name: Option<&Tree>) -> Defines {
    match name.map(|name| name.text("relname")) {
        None | Some("") => Defines::Anything,
        Some(name) => Defines::Names {
            names: vec![name.to_owned()],
            is_code: false,
        },
    }
}

fn named(name: &[Value], is_code: bool) -> Defines {
    match name.last().and_then(Value::name) {
        None => Defines::Anything,
        Some(name) => Defines::Names {
            names: vec![name.to_owned()],
            is_code,
        },
    }
}
