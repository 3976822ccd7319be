//! The types of PostgreSQL that the transcripts name.
//!
//! Source: `src/include/catalog/pg_type.dat`; these numbers never change.

const TYPES: &[(u32, &str)] = &[
    (16, "bool"),
    (17, "bytea"),
    (18, "char"),
    (19, "name"),
    (20, "int8"),
    (21, "int2"),
    (23, "int4"),
    (25, "text"),
    (26, "oid"),
    (114, "json"),
    (700, "float4"),
    (701, "float8"),
    (705, "unknown"),
    (1007, "int4[]"),
    (1009, "text[]"),
    (1042, "bpchar"),
    (1043, "varchar"),
    (1082, "date"),
    (1114, "timestamp"),
    (1184, "timestamptz"),
    (1186, "interval"),
    (1700, "numeric"),
    (1790, "refcursor"),
    (2249, "record"),
    (2278, "void"),
    (2950, "uuid"),
    (3802, "jsonb"),
];

/// The type's name, or its number.
pub(super) fn type_name(oid: u32) -> String {
    let known = TYPES.iter().find(|(number, _)| *number == oid);
    known.map_or_else(|| oid.to_string(), |(_, name)| (*name).to_owned())
}

/// The number of a type that is given as name or number; 0 leaves it to the server.
pub(super) fn type_number(name: &str) -> Result<u32, String> {
    let known = TYPES.iter().find(|(_, known)| *known == name);
    match known {
        Some((number, _)) => Ok(*number),
        None => name
            .parse()
            .map_err(|_| format!("{name} is no type that is known here; give its number")),
    }
}
