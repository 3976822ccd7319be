//! Statements as they are meant, of every kind: `statements.txt`.

#[test]
fn statements_are_what_they_are() {
    super::check(include_str!("statements.txt"));
}
