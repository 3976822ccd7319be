//! The types that PostgreSQL is born with: their OIDs never change, those of all others differ from database
//! to database.
//!
//! Source: `src/include/catalog/pg_type.dat`, versions 14 to 18.

use crate::wire::{Fields, Malformed};

use super::out::Out;
use super::{arrays, geometry, network, numbers, scalars, search, text, times};

/// A type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub(super) oid: u32,
    /// The OID of its arrays' type; 0 if there is none, or none that is the same everywhere.
    pub(super) array: u32,
    pub(super) name: &'static str,
    pub(super) form: Form,
}

/// Reads a value's binary form, which it need not consume once the output is cut.
pub(super) type Decoder = fn(&mut Fields<'_>, &mut Out) -> Result<(), Malformed>;

/// What a type's binary form is like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// A value in itself.
    Plain(Decoder),
    /// A range of values of the type with this OID.
    Range(u32),
    /// Ranges of the type with this OID.
    Multirange(u32),
    /// A row: values with their types.
    Record,
    /// The server takes no binary values of it.
    None,
}

/// A type's OID, read as what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The type, or the type of an array's elements.
    pub(super) r#type: &'static Type,
    pub(super) is_array: bool,
}

impl Known {
    /// The type with this OID, if it is one that is always there.
    pub(super) fn of(oid: u32) -> Option<Self> {
        if oid == 0 {
            return None;
        }
        let r#type = TYPES.iter().find(|t| t.oid == oid || t.array == oid)?;
        Some(Self {
            r#type,
            is_array: r#type.array == oid,
        })
    }

    /// As people call it: `int4`, `int4[]`.
    pub(super) fn name(self) -> String {
        format!("{}{}", self.r#type.name, if self.is_array { "[]" } else { "" })
    }
}

/// `bool`.
pub(super) const BOOL: u32 = 16;
/// `int2`.
pub(super) const INT2: u32 = 21;
/// `oid`.
pub(super) const OID: u32 = 26;
/// `box`, the one type whose arrays are not separated by commas.
pub(super) const BOX: u32 = 603;
/// OIDs from here on differ from database to database (`FirstGenbkiObjectId`).
pub(super) const FIRST_UNSTABLE: u32 = 10_000;

const fn plain(oid: u32, array: u32, name: &'static str, decoder: Decoder) -> Type {
    with(oid, array, name, Form::Plain(decoder))
}

const fn with(oid: u32, array: u32, name: &'static str, form: Form) -> Type {
    Type {
        oid,
        array,
        name,
        form,
    }
}

/// All of them, by OID, without the pseudo-types that no parameter can have.
pub(super) const TYPES: &[Type] = &[
    plain(16, 1000, "bool", scalars::bool),
    plain(17, 1001, "bytea", text::bytea),
    plain(18, 1002, "\"char\"", text::one_byte),
    plain(19, 1003, "name", text::text),
    plain(20, 1016, "int8", numbers::int8),
    plain(21, 1005, "int2", numbers::int2),
    plain(22, 1006, "int2vector", arrays::int2vector),
    plain(23, 1007, "int4", numbers::int4),
    plain(24, 1008, "regproc", numbers::unsigned4),
    plain(25, 1009, "text", text::text),
    plain(26, 1028, "oid", numbers::unsigned4),
    plain(27, 1010, "tid", scalars::tid),
    plain(28, 1011, "xid", numbers::unsigned4),
    plain(29, 1012, "cid", numbers::unsigned4),
    plain(30, 1013, "oidvector", arrays::oidvector),
    with(71, 210, "pg_type", Form::Record),
    with(75, 270, "pg_attribute", Form::Record),
    with(81, 272, "pg_proc", Form::Record),
    with(83, 273, "pg_class", Form::Record),
    plain(114, 199, "json", text::text),
    plain(142, 143, "xml", text::xml),
    with(194, 0, "pg_node_tree", Form::None),
    plain(600, 1017, "point", geometry::point),
    plain(601, 1018, "lseg", geometry::lseg),
    plain(602, 1019, "path", geometry::path),
    plain(603, 1020, "box", geometry::r#box),
    plain(604, 1027, "polygon", geometry::polygon),
    plain(628, 629, "line", geometry::line),
    plain(650, 651, "cidr", network::cidr),
    plain(700, 1021, "float4", numbers::float4),
    plain(701, 1022, "float8", numbers::float8),
    plain(705, 0, "unknown", text::text),
    plain(718, 719, "circle", geometry::circle),
    plain(774, 775, "macaddr8", network::macaddr8),
    plain(790, 791, "money", numbers::money),
    plain(829, 1040, "macaddr", network::macaddr),
    plain(869, 1041, "inet", network::inet),
    with(1033, 1034, "aclitem", Form::None),
    plain(1042, 1014, "bpchar", text::text),
    plain(1043, 1015, "varchar", text::text),
    plain(1082, 1182, "date", times::date),
    plain(1083, 1183, "time", times::time),
    plain(1114, 1115, "timestamp", times::timestamp),
    plain(1184, 1185, "timestamptz", times::timestamptz),
    plain(1186, 1187, "interval", times::interval),
    with(1248, 0, "pg_database", Form::Record),
    plain(1266, 1270, "timetz", times::timetz),
    plain(1560, 1561, "bit", scalars::bits),
    plain(1562, 1563, "varbit", scalars::bits),
    plain(1700, 1231, "numeric", numbers::numeric),
    plain(1790, 2201, "refcursor", text::text),
    plain(2202, 2207, "regprocedure", numbers::unsigned4),
    plain(2203, 2208, "regoper", numbers::unsigned4),
    plain(2204, 2209, "regoperator", numbers::unsigned4),
    plain(2205, 2210, "regclass", numbers::unsigned4),
    plain(2206, 2211, "regtype", numbers::unsigned4),
    with(2249, 2287, "record", Form::Record),
    plain(2275, 1263, "cstring", text::text),
    plain(2278, 0, "void", scalars::void),
    with(2842, 0, "pg_authid", Form::Record),
    with(2843, 0, "pg_auth_members", Form::Record),
    plain(2950, 2951, "uuid", scalars::uuid),
    plain(2970, 2949, "txid_snapshot", scalars::snapshot),
    plain(3220, 3221, "pg_lsn", scalars::pg_lsn),
    with(3361, 0, "pg_ndistinct", Form::None),
    with(3402, 0, "pg_dependencies", Form::None),
    plain(3614, 3643, "tsvector", search::tsvector),
    plain(3615, 3645, "tsquery", search::tsquery),
    with(3642, 3644, "gtsvector", Form::None),
    plain(3734, 3735, "regconfig", numbers::unsigned4),
    plain(3769, 3770, "regdictionary", numbers::unsigned4),
    plain(3802, 3807, "jsonb", text::versioned),
    with(3904, 3905, "int4range", Form::Range(23)),
    with(3906, 3907, "numrange", Form::Range(1700)),
    with(3908, 3909, "tsrange", Form::Range(1114)),
    with(3910, 3911, "tstzrange", Form::Range(1184)),
    with(3912, 3913, "daterange", Form::Range(1082)),
    with(3926, 3927, "int8range", Form::Range(20)),
    with(4066, 0, "pg_shseclabel", Form::Record),
    plain(4072, 4073, "jsonpath", text::versioned),
    plain(4089, 4090, "regnamespace", numbers::unsigned4),
    plain(4096, 4097, "regrole", numbers::unsigned4),
    plain(4191, 4192, "regcollation", numbers::unsigned4),
    with(4451, 6150, "int4multirange", Form::Multirange(3904)),
    with(4532, 6151, "nummultirange", Form::Multirange(3906)),
    with(4533, 6152, "tsmultirange", Form::Multirange(3908)),
    with(4534, 6153, "tstzmultirange", Form::Multirange(3910)),
    with(4535, 6155, "datemultirange", Form::Multirange(3912)),
    with(4536, 6157, "int8multirange", Form::Multirange(3926)),
    with(4600, 0, "pg_brin_bloom_summary", Form::None),
    with(4601, 0, "pg_brin_minmax_multi_summary", Form::None),
    with(5017, 0, "pg_mcv_list", Form::None),
    plain(5038, 5039, "pg_snapshot", scalars::snapshot),
    plain(5069, 271, "xid8", numbers::unsigned8),
    with(6101, 0, "pg_subscription", Form::Record),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oid_has_one_meaning_and_refers_to_known_types() {
        let mut oids: Vec<u32> = TYPES.iter().flat_map(|t| [t.oid, t.array]).collect();
        oids.retain(|&oid| oid != 0);
        let all = oids.len();
        oids.sort_unstable();
        oids.dedup();
        assert_eq!(oids.len(), all);
        assert!(oids.last().is_some_and(|&last| last < FIRST_UNSTABLE));
        assert!(TYPES.is_sorted_by_key(|t| t.oid));
        for t in TYPES {
            if let Form::Range(of) | Form::Multirange(of) = t.form {
                assert!(Known::of(of).is_some_and(|known| !known.is_array), "{}", t.name);
            }
        }
        assert!(Known::of(0).is_none());
    }
}
