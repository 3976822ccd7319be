//! What may be the name of a user or a group, and what a password.

use stringprep::tables;

/// The longest name, in bytes: that of a PostgreSQL identifier (`NAMEDATALEN` - 1).
pub(super) const MAX_NAME: usize = 63;
/// The longest password, in bytes: one that PostgreSQL's own clients can send
/// (`PG_MAX_AUTH_TOKEN_LENGTH` in `libpq/auth.h` is far above it).
pub(super) const MAX_PASSWORD: usize = 1024;

/// What a name or a password must not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    /// It is empty or too long.
    #[error("a {what} name has 1 to 63 bytes; this one has {length}")]
    Length {
        /// "user" or "group".
        what: &'static str,
        /// In bytes.
        length: usize,
    },
    /// Somebody who reads it could not tell what it is.
    #[error("{name:?} cannot be a {what} name: {character:?} does not show, or is a space at an end")]
    Character {
        /// "user" or "group".
        what: &'static str,
        /// The name.
        name: String,
        /// The first offender.
        character: char,
    },
    /// The password is empty, also once prepared as SCRAM prescribes.
    #[error("the password is empty")]
    EmptyPassword,
    /// The password is too long.
    #[error("the password has {0} bytes; at most 1024 can be used")]
    LongPassword(usize),
    /// The password has a NUL byte, which no PostgreSQL client can send.
    #[error("the password contains a NUL character, which no PostgreSQL client can send")]
    NulInPassword,
}

/// Checks the name of a user.
pub fn check_user(name: &str) -> Result<(), InvalidInput> {
    check_name("user", name)
}

/// Checks the name of a group.
pub fn check_group(name: &str) -> Result<(), InvalidInput> {
    check_name("group", name)
}

/// Checks a password that is about to be set.
pub fn check_password(password: &str) -> Result<(), InvalidInput> {
    if password.len() > MAX_PASSWORD {
        return Err(InvalidInput::LongPassword(password.len()));
    }
    if password.contains('\0') {
        return Err(InvalidInput::NulInPassword);
    }
    // SASLprep drops characters that do not show. Where nothing remains, PostgreSQL's clients use the
    // password as it was and others the empty one: nobody could rely on it.
    if password.chars().all(tables::commonly_mapped_to_nothing) {
        return Err(InvalidInput::EmptyPassword);
    }
    Ok(())
}

fn check_name(what: &'static str, name: &str) -> Result<(), InvalidInput> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(InvalidInput::Length {
            what,
            length: name.len(),
        });
    }
    let at_an_end = name.starts_with(' ') || name.ends_with(' ');
    let offender = name
        .chars()
        .find(|&character| !shows(character))
        .or_else(|| at_an_end.then_some(' '));
    match offender {
        None => Ok(()),
        Some(character) => Err(InvalidInput::Character {
            what,
            name: name.to_owned(),
            character,
        }),
    }
}

/// Whether a reader sees the character as itself: what `SASLprep` (RFC 4013, section 2.3) prohibits or
/// drops, and spaces other than U+0020, are what lets one name pass for another.
fn shows(character: char) -> bool {
    !(character.is_control()
        || character.is_whitespace() && character != ' '
        || tables::commonly_mapped_to_nothing(character)
        || tables::non_ascii_space_character(character)
        || tables::non_ascii_control_character(character)
        || tables::private_use(character)
        || tables::non_character_code_point(character)
        || tables::inappropriate_for_plain_text(character)
        || tables::change_display_properties_or_deprecated(character)
        || tables::tagging_character(character)
        // Isolates (U+2066…) came after the Unicode 3.2 of those tables.
        || ('\u{2066}'..='\u{2069}').contains(&character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_reader_can_tell_are_taken() {
        for name in [
            "a",
            "alice",
            "Alice B.",
            "bob@example.com",
            "дба",
            "数据库",
            "o'neil",
            &"x".repeat(63),
        ] {
            assert_eq!(check_user(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_deceive_are_refused() {
        for name in [
            " alice",
            "alice ",
            "al\0ice",
            "al\nice",
            "al\tice",
            "al\u{7f}ice",
            "al\u{85}ice",
            "al\u{a0}ice",
            "al\u{ad}ice",
            "al\u{200b}ice",
            "al\u{202e}ice",
            "al\u{2066}ice",
            "al\u{feff}ice",
            "al\u{e000}ice",
            "al\u{fffd}ice",
            "al\u{e0041}ice",
            "al\u{2028}ice",
        ] {
            assert!(
                matches!(
                    check_group(name),
                    Err(InvalidInput::Character { what: "group", .. })
                ),
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_length_counts_in_bytes() {
        for name in ["", &"x".repeat(64), &"д".repeat(32)] {
            assert_eq!(
                check_user(name),
                Err(InvalidInput::Length {
                    what: "user",
                    length: name.len()
                })
            );
        }
    }

    #[test]
    fn passwords() {
        let long = "x".repeat(1025);
        for (password, expected) in [
            ("", Err(InvalidInput::EmptyPassword)),
            ("\u{ad}\u{200b}", Err(InvalidInput::EmptyPassword)),
            (long.as_str(), Err(InvalidInput::LongPassword(1025))),
            ("a\0b", Err(InvalidInput::NulInPassword)),
            ("x", Ok(())),
            (" ", Ok(())),
            ("tab\tbed", Ok(())),
            (&long[..1024], Ok(())),
        ] {
            assert_eq!(check_password(password), expected, "{password:?}");
        }
    }
}
