//! What a definition does beyond defining: rights and code that its options hand out.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableStmt, AlterTableType, CreateFunctionStmt, DefElem, Node};

use super::findings::Findings;
use super::objects::{object_type, parts_after_relation};
use crate::model::Effect;

/// Notes what the options of a definition do, and the tables that it names as plain words.
pub(super) fn judge(statement: &NodeEnum, findings: &mut Findings) {
    match statement {
        NodeEnum::AlterTableStmt(alter) => altered_table(alter, findings),
        NodeEnum::CreateFunctionStmt(create) => created_function(create, findings),
        NodeEnum::AlterFunctionStmt(alter) => {
            elements(&alter.actions).for_each(|option| security(option, findings));
        }
        NodeEnum::DropStmt(drop) => {
            let parts = parts_after_relation(object_type(drop.remove_type));
            drop.objects
                .iter()
                .for_each(|object| named(object, parts, findings));
        }
        NodeEnum::CommentStmt(comment) => {
            if let Some(object) = &comment.object {
                named(
                    object,
                    parts_after_relation(object_type(comment.objtype)),
                    findings,
                );
            }
        }
        NodeEnum::SecLabelStmt(label) => {
            if let Some(object) = &label.object {
                named(object, parts_after_relation(object_type(label.objtype)), findings);
            }
        }
        _ => {}
    }
}

fn altered_table(alter: &AlterTableStmt, findings: &mut Findings) {
    for command in &alter.cmds {
        let Some(NodeEnum::AlterTableCmd(command)) = &command.node else {
            continue;
        };
        match AlterTableType::try_from(command.subtype).unwrap_or_default() {
            AlterTableType::AtChangeOwner => {
                findings.does_since(Effect::Privilege, "it changes the owner");
            }
            AlterTableType::AtEnableRowSecurity
            | AlterTableType::AtDisableRowSecurity
            | AlterTableType::AtForceRowSecurity
            | AlterTableType::AtNoForceRowSecurity => {
                findings.does_since(Effect::Privilege, "it changes row level security");
            }
            AlterTableType::Undefined => {
                findings.does_since(Effect::Unknown, "it alters the table in a way that is not known");
            }
            _ => {}
        }
    }
}

/// Languages that anyone may use; code in others (C, internal, untrusted ones) can do whatever
/// the server's process can.
const TRUSTED: [&str; 5] = ["sql", "plpgsql", "plperl", "pltcl", "plv8"];

fn created_function(create: &CreateFunctionStmt, findings: &mut Findings) {
    for option in elements(&create.options) {
        match (
            option.defname.as_str(),
            option.arg.as_ref().and_then(|arg| arg.node.as_ref()),
        ) {
            ("language", Some(NodeEnum::String(name)))
                if TRUSTED.contains(&name.sval.to_ascii_lowercase().as_str()) => {}
            ("language", _) => {
                findings.raise(Effect::Server, "its language is not one that confines its code");
            }
            _ => security(option, findings),
        }
    }
}

/// `SECURITY DEFINER`: whoever calls it acts as its owner.
fn security(option: &DefElem, findings: &mut Findings) {
    let invoker = matches!(
        option.arg.as_ref().and_then(|arg| arg.node.as_ref()),
        Some(NodeEnum::Boolean(definer)) if !definer.boolval
    );
    if option.defname == "security" && !invoker {
        findings.raise(
            Effect::Privilege,
            "it runs with its owner's privileges (SECURITY DEFINER)",
        );
    }
}

fn elements(options: &[Node]) -> impl Iterator<Item = &DefElem> {
    options.iter().filter_map(|option| match &option.node {
        Some(NodeEnum::DefElem(element)) => Some(element.as_ref()),
        _ => None,
    })
}

/// A relation named by a list of words, of which the last `parts` are not its own.
fn named(object: &Node, parts: Option<usize>, findings: &mut Findings) {
    let (Some(parts), Some(NodeEnum::List(list))) = (parts, &object.node) else {
        return;
    };
    let words: Vec<&str> = list
        .items
        .iter()
        .filter_map(|item| match &item.node {
            Some(NodeEnum::String(word)) => Some(word.sval.as_str()),
            _ => None,
        })
        .collect();
    match &words[..words.len().saturating_sub(parts)] {
        [name] => findings.table("", name, true),
        [schema, name] | [_, schema, name] => findings.table(schema, name, true),
        _ => {}
    }
}
