//! The kinds of objects that statements define: their names, and what defining them means.

use pg_query::protobuf::ObjectType;

use crate::model::Effect;

/// The kind of object behind a number of the parse tree.
pub(super) fn object_type(number: i32) -> ObjectType {
    ObjectType::try_from(number).unwrap_or_default()
}

/// The effect of creating, altering or dropping one.
pub(super) const fn effect_of_defining(object: ObjectType) -> Effect {
    match object {
        // Past the database: see the statements of these kinds in `kinds`.
        ObjectType::ObjectAccessMethod
        | ObjectType::ObjectDatabase
        | ObjectType::ObjectExtension
        | ObjectType::ObjectFdw
        | ObjectType::ObjectForeignServer
        | ObjectType::ObjectForeignTable
        | ObjectType::ObjectLanguage
        | ObjectType::ObjectPublication
        | ObjectType::ObjectPublicationNamespace
        | ObjectType::ObjectPublicationRel
        | ObjectType::ObjectSubscription
        | ObjectType::ObjectTablespace
        | ObjectType::ObjectUserMapping => Effect::Server,
        // Who may do what, and what runs with another's privileges.
        ObjectType::ObjectDefacl
        | ObjectType::ObjectEventTrigger
        | ObjectType::ObjectParameterAcl
        | ObjectType::ObjectPolicy
        | ObjectType::ObjectRole => Effect::Privilege,
        // A number that the grammar does not know.
        ObjectType::Undefined => Effect::Unknown,
        _ => Effect::Schema,
    }
}

/// Its name, as in command tags.
pub(super) const fn name(object: ObjectType) -> &'static str {
    match object {
        ObjectType::Undefined => "UNKNOWN",
        ObjectType::ObjectAccessMethod => "ACCESS METHOD",
        ObjectType::ObjectAggregate => "AGGREGATE",
        ObjectType::ObjectAmop | ObjectType::ObjectAmproc | ObjectType::ObjectOpfamily => "OPERATOR FAMILY",
        ObjectType::ObjectAttribute | ObjectType::ObjectType => "TYPE",
        ObjectType::ObjectCast => "CAST",
        ObjectType::ObjectColumn
        | ObjectType::ObjectDefault
        | ObjectType::ObjectTabconstraint
        | ObjectType::ObjectTable => "TABLE",
        ObjectType::ObjectCollation => "COLLATION",
        ObjectType::ObjectConversion => "CONVERSION",
        ObjectType::ObjectDatabase => "DATABASE",
        ObjectType::ObjectDefacl => "DEFAULT PRIVILEGES",
        ObjectType::ObjectDomain | ObjectType::ObjectDomconstraint => "DOMAIN",
        ObjectType::ObjectEventTrigger => "EVENT TRIGGER",
        ObjectType::ObjectExtension => "EXTENSION",
        ObjectType::ObjectFdw => "FOREIGN DATA WRAPPER",
        ObjectType::ObjectForeignServer => "SERVER",
        ObjectType::ObjectForeignTable => "FOREIGN TABLE",
        ObjectType::ObjectFunction => "FUNCTION",
        ObjectType::ObjectIndex => "INDEX",
        ObjectType::ObjectLanguage => "LANGUAGE",
        ObjectType::ObjectLargeobject => "LARGE OBJECT",
        ObjectType::ObjectMatview => "MATERIALIZED VIEW",
        ObjectType::ObjectOpclass => "OPERATOR CLASS",
        ObjectType::ObjectOperator => "OPERATOR",
        ObjectType::ObjectParameterAcl => "PARAMETER",
        ObjectType::ObjectPolicy => "POLICY",
        ObjectType::ObjectProcedure => "PROCEDURE",
        ObjectType::ObjectPublication
        | ObjectType::ObjectPublicationNamespace
        | ObjectType::ObjectPublicationRel => "PUBLICATION",
        ObjectType::ObjectRole => "ROLE",
        ObjectType::ObjectRoutine => "ROUTINE",
        ObjectType::ObjectRule => "RULE",
        ObjectType::ObjectSchema => "SCHEMA",
        ObjectType::ObjectSequence => "SEQUENCE",
        ObjectType::ObjectSubscription => "SUBSCRIPTION",
        ObjectType::ObjectStatisticExt => "STATISTICS",
        ObjectType::ObjectTablespace => "TABLESPACE",
        ObjectType::ObjectTransform => "TRANSFORM",
        ObjectType::ObjectTrigger => "TRIGGER",
        ObjectType::ObjectTsconfiguration => "TEXT SEARCH CONFIGURATION",
        ObjectType::ObjectTsdictionary => "TEXT SEARCH DICTIONARY",
        ObjectType::ObjectTsparser => "TEXT SEARCH PARSER",
        ObjectType::ObjectTstemplate => "TEXT SEARCH TEMPLATE",
        ObjectType::ObjectUserMapping => "USER MAPPING",
        ObjectType::ObjectView => "VIEW",
    }
}

/// How many of the parts of an object's name, counted from its end, do not name a relation:
/// none for a relation, one for what belongs to one. `None` for what has none.
pub(super) const fn parts_after_relation(object: ObjectType) -> Option<usize> {
    match object {
        ObjectType::ObjectTable
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectIndex
        | ObjectType::ObjectSequence
        | ObjectType::ObjectForeignTable => Some(0),
        ObjectType::ObjectColumn
        | ObjectType::ObjectTrigger
        | ObjectType::ObjectRule
        | ObjectType::ObjectPolicy
        | ObjectType::ObjectTabconstraint => Some(1),
        _ => None,
    }
}
