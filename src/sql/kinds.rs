//! Where each kind of statement of PostgreSQL 18's grammar stands, by itself.
//!
//! What stands inside a statement (queries, calls, options) comes on top, in
//! [`super::statement`] and [`super::gather`]. A kind that is not placed here is Unknown.

use std::borrow::Cow;

use pg_query::NodeEnum;
use pg_query::protobuf::{ObjectType, TransactionStmtKind};

use super::objects::{self, object_type};
use crate::model::Effect;
use crate::model::Effect::{Privilege, Read, Schema, Server, Session, Unknown, Write};

/// A kind of statement.
#[derive(Debug)]
pub(super) struct Kind {
    /// As in its command tag.
    pub(super) command: Cow<'static, str>,
    /// What it does at the least.
    pub(super) effect: Effect,
}

/// The kind of a statement.
pub(super) fn kind_of(statement: &NodeEnum) -> Kind {
    let by_name = |command: &'static str, effect| Kind {
        command: Cow::Borrowed(command),
        effect,
    };
    session(statement)
        .or_else(|| data(statement))
        .or_else(|| server(statement))
        .or_else(|| privilege(statement))
        .or_else(|| definition(statement))
        .map(|(command, effect)| by_name(command, effect))
        .or_else(|| by_object(statement))
        .unwrap_or_else(|| by_name("UNKNOWN", Unknown))
}

/// This session alone: its settings, transactions, names, and what it waits for.
fn session(statement: &NodeEnum) -> Option<(&'static str, Effect)> {
    Some(match statement {
        // By the setting, see `set`.
        NodeEnum::VariableSetStmt(_) => ("SET", Session),
        NodeEnum::VariableShowStmt(_) => ("SHOW", Session),
        // When deferred constraints are checked, not whether.
        NodeEnum::ConstraintsSetStmt(_) => ("SET CONSTRAINTS", Session),
        NodeEnum::TransactionStmt(transaction) => {
            transaction_kind(TransactionStmtKind::try_from(transaction.kind).unwrap_or_default())
        }
        // What they carry is judged when it is executed; DECLARE's query when it is declared.
        NodeEnum::PrepareStmt(_) => ("PREPARE", Session),
        NodeEnum::ExecuteStmt(_) => ("EXECUTE", Session),
        NodeEnum::DeallocateStmt(_) => ("DEALLOCATE", Session),
        NodeEnum::FetchStmt(fetch) if fetch.ismove => ("MOVE", Session),
        NodeEnum::FetchStmt(_) => ("FETCH", Session),
        NodeEnum::ClosePortalStmt(_) => ("CLOSE CURSOR", Session),
        // Temporary tables, plans and settings are the session's own.
        NodeEnum::DiscardStmt(_) => ("DISCARD", Session),
        NodeEnum::ListenStmt(_) => ("LISTEN", Session),
        NodeEnum::UnlistenStmt(_) => ("UNLISTEN", Session),
        _ => return None,
    })
}

fn transaction_kind(kind: TransactionStmtKind) -> (&'static str, Effect) {
    match kind {
        TransactionStmtKind::TransStmtBegin => ("BEGIN", Session),
        TransactionStmtKind::TransStmtStart => ("START TRANSACTION", Session),
        TransactionStmtKind::TransStmtCommit => ("COMMIT", Session),
        TransactionStmtKind::TransStmtRollback | TransactionStmtKind::TransStmtRollbackTo => {
            ("ROLLBACK", Session)
        }
        TransactionStmtKind::TransStmtSavepoint => ("SAVEPOINT", Session),
        TransactionStmtKind::TransStmtRelease => ("RELEASE", Session),
        // A prepared transaction outlives its session, holds its locks, and may be another's.
        TransactionStmtKind::TransStmtPrepare => ("PREPARE TRANSACTION", Write),
        TransactionStmtKind::TransStmtCommitPrepared => ("COMMIT PREPARED", Write),
        TransactionStmtKind::TransStmtRollbackPrepared => ("ROLLBACK PREPARED", Write),
        TransactionStmtKind::Undefined => ("UNKNOWN", Unknown),
    }
}

/// Data, and what runs on it.
fn data(statement: &NodeEnum) -> Option<(&'static str, Effect)> {
    Some(match statement {
        // INTO, locks, writing WITH and calls come on top.
        NodeEnum::SelectStmt(_) => ("SELECT", Read),
        NodeEnum::DeclareCursorStmt(_) => ("DECLARE CURSOR", Read),
        NodeEnum::ExplainStmt(_) => ("EXPLAIN", Read),
        // By direction, program and file, see `statement`.
        NodeEnum::CopyStmt(_) => ("COPY", Read),
        NodeEnum::InsertStmt(_) => ("INSERT", Write),
        NodeEnum::UpdateStmt(_) => ("UPDATE", Write),
        NodeEnum::DeleteStmt(_) => ("DELETE", Write),
        NodeEnum::MergeStmt(_) => ("MERGE", Write),
        NodeEnum::TruncateStmt(_) => ("TRUNCATE TABLE", Write),
        NodeEnum::RefreshMatViewStmt(_) => ("REFRESH MATERIALIZED VIEW", Write),
        // Others wait for it, in every mode: ACCESS SHARE blocks DROP and ALTER.
        NodeEnum::LockStmt(_) => ("LOCK TABLE", Write),
        NodeEnum::NotifyStmt(_) => ("NOTIFY", Write),
        // Both write: pages and the visibility map, statistics; they call index expressions.
        NodeEnum::VacuumStmt(vacuum) if vacuum.is_vacuumcmd => ("VACUUM", Write),
        NodeEnum::VacuumStmt(_) => ("ANALYZE", Write),
        // Code in a language of its own, which nothing here reads.
        NodeEnum::DoStmt(_) => ("DO", Unknown),
        NodeEnum::CallStmt(_) => ("CALL", Unknown),
        _ => return None,
    })
}

/// Past the database: files, code, other servers, other databases, the cluster's settings.
fn server(statement: &NodeEnum) -> Option<(&'static str, Effect)> {
    Some(match statement {
        NodeEnum::AlterSystemStmt(_) => ("ALTER SYSTEM", Server),
        NodeEnum::CheckPointStmt(_) => ("CHECKPOINT", Server),
        NodeEnum::LoadStmt(_) => ("LOAD", Server),
        NodeEnum::CreatedbStmt(_) => ("CREATE DATABASE", Server),
        NodeEnum::DropdbStmt(_) => ("DROP DATABASE", Server),
        NodeEnum::AlterDatabaseStmt(_)
        | NodeEnum::AlterDatabaseSetStmt(_)
        | NodeEnum::AlterDatabaseRefreshCollStmt(_) => ("ALTER DATABASE", Server),
        NodeEnum::CreateTableSpaceStmt(_) => ("CREATE TABLESPACE", Server),
        NodeEnum::DropTableSpaceStmt(_) => ("DROP TABLESPACE", Server),
        NodeEnum::AlterTableSpaceOptionsStmt(_) => ("ALTER TABLESPACE", Server),
        // Scripts of the server's file system, run as its owner.
        NodeEnum::CreateExtensionStmt(_) => ("CREATE EXTENSION", Server),
        NodeEnum::AlterExtensionStmt(_) | NodeEnum::AlterExtensionContentsStmt(_) => {
            ("ALTER EXTENSION", Server)
        }
        NodeEnum::CreatePlangStmt(_) => ("CREATE LANGUAGE", Server),
        // Other servers, and with file_fdw this one's files and programs.
        NodeEnum::CreateFdwStmt(_) => ("CREATE FOREIGN DATA WRAPPER", Server),
        NodeEnum::AlterFdwStmt(_) => ("ALTER FOREIGN DATA WRAPPER", Server),
        NodeEnum::CreateForeignServerStmt(_) => ("CREATE SERVER", Server),
        NodeEnum::AlterForeignServerStmt(_) => ("ALTER SERVER", Server),
        NodeEnum::CreateForeignTableStmt(_) => ("CREATE FOREIGN TABLE", Server),
        NodeEnum::ImportForeignSchemaStmt(_) => ("IMPORT FOREIGN SCHEMA", Server),
        NodeEnum::CreateUserMappingStmt(_) => ("CREATE USER MAPPING", Server),
        NodeEnum::AlterUserMappingStmt(_) => ("ALTER USER MAPPING", Server),
        NodeEnum::DropUserMappingStmt(_) => ("DROP USER MAPPING", Server),
        NodeEnum::CreatePublicationStmt(_) => ("CREATE PUBLICATION", Server),
        NodeEnum::AlterPublicationStmt(_) => ("ALTER PUBLICATION", Server),
        NodeEnum::CreateSubscriptionStmt(_) => ("CREATE SUBSCRIPTION", Server),
        NodeEnum::AlterSubscriptionStmt(_) => ("ALTER SUBSCRIPTION", Server),
        NodeEnum::DropSubscriptionStmt(_) => ("DROP SUBSCRIPTION", Server),
        // Its handler is C code that the server trusts.
        NodeEnum::CreateAmStmt(_) => ("CREATE ACCESS METHOD", Server),
        _ => return None,
    })
}

/// Who may do what.
fn privilege(statement: &NodeEnum) -> Option<(&'static str, Effect)> {
    Some(match statement {
        NodeEnum::GrantStmt(grant) if grant.is_grant => ("GRANT", Privilege),
        NodeEnum::GrantStmt(_) => ("REVOKE", Privilege),
        NodeEnum::GrantRoleStmt(grant) if grant.is_grant => ("GRANT ROLE", Privilege),
        NodeEnum::GrantRoleStmt(_) => ("REVOKE ROLE", Privilege),
        NodeEnum::AlterDefaultPrivilegesStmt(_) => ("ALTER DEFAULT PRIVILEGES", Privilege),
        NodeEnum::CreateRoleStmt(_) => ("CREATE ROLE", Privilege),
        NodeEnum::AlterRoleStmt(_) | NodeEnum::AlterRoleSetStmt(_) => ("ALTER ROLE", Privilege),
        NodeEnum::DropRoleStmt(_) => ("DROP ROLE", Privilege),
        NodeEnum::DropOwnedStmt(_) => ("DROP OWNED", Privilege),
        NodeEnum::ReassignOwnedStmt(_) => ("REASSIGN OWNED", Privilege),
        NodeEnum::CreatePolicyStmt(_) => ("CREATE POLICY", Privilege),
        NodeEnum::AlterPolicyStmt(_) => ("ALTER POLICY", Privilege),
        NodeEnum::SecLabelStmt(_) => ("SECURITY LABEL", Privilege),
        // Runs in whoever changes a definition next, with their privileges.
        NodeEnum::CreateEventTrigStmt(_) => ("CREATE EVENT TRIGGER", Privilege),
        NodeEnum::AlterEventTrigStmt(_) => ("ALTER EVENT TRIGGER", Privilege),
        _ => return None,
    })
}

/// Definitions of objects.
fn definition(statement: &NodeEnum) -> Option<(&'static str, Effect)> {
    Some(match statement {
        NodeEnum::CreateStmt(_) => ("CREATE TABLE", Schema),
        NodeEnum::CreateSchemaStmt(_) => ("CREATE SCHEMA", Schema),
        NodeEnum::IndexStmt(_) => ("CREATE INDEX", Schema),
        NodeEnum::ViewStmt(_) => ("CREATE VIEW", Schema),
        NodeEnum::RuleStmt(_) => ("CREATE RULE", Schema),
        NodeEnum::CreateTrigStmt(_) => ("CREATE TRIGGER", Schema),
        NodeEnum::CreateFunctionStmt(function) if function.is_procedure => ("CREATE PROCEDURE", Schema),
        NodeEnum::CreateFunctionStmt(_) => ("CREATE FUNCTION", Schema),
        NodeEnum::AlterFunctionStmt(_) => ("ALTER FUNCTION", Schema),
        NodeEnum::CreateSeqStmt(_) => ("CREATE SEQUENCE", Schema),
        NodeEnum::AlterSeqStmt(_) => ("ALTER SEQUENCE", Schema),
        NodeEnum::CreateDomainStmt(_) => ("CREATE DOMAIN", Schema),
        NodeEnum::AlterDomainStmt(_) => ("ALTER DOMAIN", Schema),
        NodeEnum::CompositeTypeStmt(_) | NodeEnum::CreateEnumStmt(_) | NodeEnum::CreateRangeStmt(_) => {
            ("CREATE TYPE", Schema)
        }
        NodeEnum::AlterEnumStmt(_) | NodeEnum::AlterTypeStmt(_) => ("ALTER TYPE", Schema),
        NodeEnum::CreateCastStmt(_) => ("CREATE CAST", Schema),
        NodeEnum::CreateConversionStmt(_) => ("CREATE CONVERSION", Schema),
        NodeEnum::CreateTransformStmt(_) => ("CREATE TRANSFORM", Schema),
        NodeEnum::CreateOpClassStmt(_) => ("CREATE OPERATOR CLASS", Schema),
        NodeEnum::CreateOpFamilyStmt(_) => ("CREATE OPERATOR FAMILY", Schema),
        NodeEnum::AlterOpFamilyStmt(_) => ("ALTER OPERATOR FAMILY", Schema),
        NodeEnum::AlterOperatorStmt(_) => ("ALTER OPERATOR", Schema),
        NodeEnum::AlterCollationStmt(_) => ("ALTER COLLATION", Schema),
        NodeEnum::CreateStatsStmt(_) => ("CREATE STATISTICS", Schema),
        NodeEnum::AlterStatsStmt(_) => ("ALTER STATISTICS", Schema),
        NodeEnum::AlterTsdictionaryStmt(_) => ("ALTER TEXT SEARCH DICTIONARY", Schema),
        NodeEnum::AlterTsconfigurationStmt(_) => ("ALTER TEXT SEARCH CONFIGURATION", Schema),
        NodeEnum::CommentStmt(_) => ("COMMENT", Schema),
        NodeEnum::AlterTableMoveAllStmt(_) => ("ALTER TABLE", Schema),
        // They rewrite tables and indexes under an exclusive lock; the data stays.
        NodeEnum::ClusterStmt(_) => ("CLUSTER", Schema),
        NodeEnum::ReindexStmt(_) => ("REINDEX", Schema),
        _ => return None,
    })
}

/// Statements that stand for many kinds of object.
fn by_object(statement: &NodeEnum) -> Option<Kind> {
    let (verb, object) = match statement {
        NodeEnum::DropStmt(drop) => ("DROP", object_type(drop.remove_type)),
        NodeEnum::DefineStmt(define) => ("CREATE", object_type(define.kind)),
        NodeEnum::AlterTableStmt(alter) => ("ALTER", object_type(alter.objtype)),
        NodeEnum::AlterObjectSchemaStmt(alter) => ("ALTER", object_type(alter.object_type)),
        NodeEnum::AlterObjectDependsStmt(alter) => ("ALTER", object_type(alter.object_type)),
        NodeEnum::AlterOwnerStmt(alter) => ("ALTER", object_type(alter.object_type)),
        NodeEnum::RenameStmt(rename) => ("ALTER", renamed(rename)),
        NodeEnum::CreateTableAsStmt(create) if create.is_select_into => {
            return Some(Kind {
                command: "SELECT INTO".into(),
                effect: Schema,
            });
        }
        NodeEnum::CreateTableAsStmt(create) => {
            let object = object_type(create.objtype);
            let suffix = if object == ObjectType::ObjectTable {
                " AS"
            } else {
                ""
            };
            let command = format!("CREATE {}{suffix}", objects::name(object));
            return Some(Kind {
                command: command.into(),
                effect: Schema,
            });
        }
        _ => return None,
    };
    let effect = match statement {
        // Ownership is the right to everything.
        NodeEnum::AlterOwnerStmt(_) => Privilege.max(objects::effect_of_defining(object)),
        _ => objects::effect_of_defining(object),
    };
    Some(Kind {
        command: format!("{verb} {}", objects::name(object)).into(),
        effect,
    })
}

/// What a RENAME alters: for a column or a constraint, what it belongs to.
fn renamed(rename: &pg_query::protobuf::RenameStmt) -> ObjectType {
    let object = object_type(rename.rename_type);
    match object {
        ObjectType::ObjectColumn | ObjectType::ObjectAttribute => object_type(rename.relation_type),
        ObjectType::ObjectTabconstraint => ObjectType::ObjectTable,
        ObjectType::ObjectDomconstraint => ObjectType::ObjectDomain,
        other => other,
    }
}
