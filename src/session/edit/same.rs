//! Whether two statements take the same parameters and give the same columns.

use crate::session::inquiry::Description;
use crate::session::values::type_name;

/// Whether a program that counts on the one can have the other.
///
/// # Errors
/// What differs, for the approver. Modifiers of types (as the 10 of `varchar(10)`) may: values are read alike.
pub(super) fn is_same(original: &Description, changed: &Description) -> Result<(), String> {
    let (had, has) = (&original.parameters, &changed.parameters);
    if had.len() != has.len() {
        let (had, has) = (had.len(), has.len());
        return Err(format!(
            "it takes {has} parameters, and the program gives values for {had}"
        ));
    }
    for (place, (had, has)) in had.iter().zip(has).enumerate() {
        if had != has {
            return Err(format!(
                "its parameter ${} is {} where the original takes {}",
                place + 1,
                type_name(*has),
                type_name(*had)
            ));
        }
    }
    let (had, has) = match (&original.columns, &changed.columns) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err("it gives rows, and the original gives none".to_owned()),
        (Some(_), None) => return Err("it gives no rows, and its program expects some".to_owned()),
        (Some(had), Some(has)) => (had, has),
    };
    if had.len() != has.len() {
        let (had, has) = (had.len(), has.len());
        return Err(format!("it gives {has} columns where the original gives {had}"));
    }
    for (place, (had, has)) in had.iter().zip(has).enumerate() {
        let place = place + 1;
        if had.oid != has.oid {
            return Err(format!(
                "column {place} is {} where the original gives {}",
                type_name(has.oid),
                type_name(had.oid)
            ));
        }
        if had.name != has.name {
            return Err(format!(
                "column {place} is called \"{}\" where the original calls it \"{}\"",
                String::from_utf8_lossy(&has.name),
                String::from_utf8_lossy(&had.name)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::backend::Column;

    fn description(parameters: &[u32], columns: Option<&[(&str, u32)]>) -> Description {
        Description {
            parameters: parameters.to_vec(),
            columns: columns.map(|columns| {
                let column = |(name, oid): &(&str, u32)| Column {
                    name: name.as_bytes().to_vec(),
                    oid: *oid,
                };
                columns.iter().map(column).collect()
            }),
        }
    }

    #[test]
    fn what_a_program_counts_on_is_told_from_what_it_does_not() {
        let rowless = description(&[23], None);
        let rows = description(&[], Some(&[("id", 23), ("name", 25)]));
        let cases = [
            (&rowless, rowless.clone(), ""),
            (&rows, rows.clone(), ""),
            (
                &rowless,
                description(&[23, 23], None),
                "takes 2 parameters, and the program gives values for 1",
            ),
            (&rowless, description(&[], None), "takes 0 parameters"),
            (
                &rowless,
                description(&[25], None),
                "parameter $1 is text where the original takes int4",
            ),
            (
                &rowless,
                description(&[23], Some(&[])),
                "gives rows, and the original gives none",
            ),
            (&rows, description(&[], None), "gives no rows"),
            (&rows, description(&[], Some(&[("id", 23)])), "gives 1 columns"),
            (
                &rows,
                description(&[], Some(&[("id", 23), ("name", 16_401)])),
                "column 2 is type 16401 where the original gives text",
            ),
            (
                &rows,
                description(&[], Some(&[("no", 23), ("name", 25)])),
                "column 1 is called \"no\" where the original calls it \"id\"",
            ),
        ];
        for (original, changed, why) in cases {
            let same = is_same(original, &changed);
            assert_eq!(same.is_ok(), why.is_empty(), "{changed:?}");
            assert!(same.err().unwrap_or_default().contains(why), "{changed:?}");
        }
    }
}
