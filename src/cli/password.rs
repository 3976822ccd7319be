//! A password from the person at the terminal, or from standard input; never from an argument, and never echoed.

use std::io::Read;

use secrecy::{ExposeSecret, SecretString};

use super::Failure;

/// More than any password that the directory takes; less than what would fill the memory.
const MAX_INPUT: u64 = 64 * 1024;

/// The password for `user`: the one line of standard input, or asked for twice on the terminal.
pub(super) fn obtain(user: &str, from_stdin: bool) -> Result<SecretString, Failure> {
    if from_stdin {
        one_line(std::io::stdin().lock())
    } else {
        ask_twice(user)
    }
}

fn one_line(input: impl Read) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = input.take(MAX_INPUT).read_to_string(&mut text);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let refused = |why: &str| Err(Failure::Refused(format!("standard input {why}")));
    match read {
        Err(e) => refused(&format!("holds no password that can be read: {e}")),
        Ok(_) if line.is_empty() => refused("holds no password"),
        Ok(_) if line.contains(['\n', '\r']) => refused("holds more than one line; a password is one"),
        Ok(_) => Ok(SecretString::from(line)),
    }
}

fn ask_twice(user: &str) -> Result<SecretString, Failure> {
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt)
            .map(SecretString::from)
            .map_err(|e| {
                Failure::Refused(format!(
                    "cannot ask for the password on a terminal ({e}); pass it with --password-stdin"
                ))
            })
    };
    let user = super::output::visible(user);
    let password = ask(format!("Password for {user}: "))?;
    let again = ask("Once more: ".to_owned())?;
    if password.expose_secret() == again.expose_secret() {
        Ok(password)
    } else {
        Err(Failure::Refused(
            "the two passwords differ; nothing was changed".into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_exactly_one_line() {
        for (input, expected) in [
            ("secret", Some("secret")),
            ("secret\n", Some("secret")),
            ("secret\r\n", Some("secret")),
            (" se cret \n", Some(" se cret ")),
            ("", None),
            ("\n", None),
            ("\r\n", None),
            ("one\ntwo\n", None),
            ("secret\n\n", None),
        ] {
            let got = one_line(input.as_bytes()).ok();
            let got = got.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(got, expected, "{input:?}");
        }
        assert!(one_line(&b"\xff\n"[..]).is_err());
    }
}
