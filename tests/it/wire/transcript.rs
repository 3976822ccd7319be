//! A transcript: a file that says what clients send and what comes back. Its format is told in
//! `tests/wire/README.md`.

use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::reply::NAMES;
use super::send::Send;
use super::words::Words;

/// The file, read.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) path: PathBuf,
    /// Its lines as they are.
    pub(super) lines: Vec<String>,
    /// Why holdpoint does not do as PostgreSQL does, where it is known that it does not.
    pub(super) differs: Option<String>,
    /// Why the errors are holdpoint's own and have other words, the same severity and the same SQLSTATE.
    pub(super) words: Option<String>,
    /// The major versions of PostgreSQL that it is about.
    pub(super) versions: RangeInclusive<u32>,
    pub(super) steps: Vec<Step>,
}

/// Lines that belong together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Written at once.
    Send {
        /// The number of its last line.
        line: usize,
        /// Of the connection; empty where it has none.
        label: String,
        sends: Vec<Send>,
    },
    /// Awaited so many times.
    Expect {
        line: usize,
        label: String,
        times: usize,
        reply: String,
    },
}

impl Transcript {
    /// Reads the file. The error has a line for everything that is wrong, each with its place.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::read(path, &text)
    }

    fn read(path: &Path, text: &str) -> Result<Self, String> {
        let mut transcript = Self {
            path: path.to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
            differs: None,
            words: None,
            versions: 0..=u32::MAX,
            steps: Vec::new(),
        };
        let mut errors = String::new();
        let mut fresh = true;
        let mut lines = text.lines().enumerate().peekable();
        while let Some((first, line)) = lines.next() {
            let (mut whole, mut last) = (line.to_owned(), first);
            while let Some((at, more)) = lines.next_if(|(_, line)| is_continuation(line)) {
                whole = format!("{whole}\n{more}");
                last = at;
            }
            match transcript.take(&whole, last + 1, fresh) {
                Ok(()) => {
                    // A blank line parts two writes; a comment does not.
                    fresh = whole.trim().is_empty() || fresh && whole.starts_with('#');
                }
                Err(error) => {
                    let _ = writeln!(errors, "{}:{}: {error}", path.display(), first + 1);
                }
            }
        }
        if !text.starts_with("# ") {
            let place = path.display();
            let _ = writeln!(
                errors,
                "{place}:1: the first line is a comment that says what this is about"
            );
        }
        if transcript.steps.is_empty() && errors.is_empty() {
            let _ = writeln!(errors, "{}:1: nothing is sent", path.display());
        }
        if errors.is_empty() {
            Ok(transcript)
        } else {
            Err(errors)
        }
    }

    /// Takes a line, with those that continue it.
    fn take(&mut self, text: &str, line: usize, fresh: bool) -> Result<(), String> {
        let text = text.trim_end();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if let Some((label, rest)) = labelled(text, '>') {
            return self.take_send(label, rest, line, fresh);
        }
        if let Some((label, rest)) = labelled(text, '<') {
            let (times, reply) = repeated(rest)?;
            check_reply(reply)?;
            self.steps.push(Step::Expect {
                line,
                label,
                times,
                reply: reply.to_owned(),
            });
            return Ok(());
        }
        match text.split_once(':') {
            Some(_) if !self.steps.is_empty() => {
                Err("directives stand before the first message, messages behind > or <".to_owned())
            }
            Some(("differs", reason)) if !reason.trim().is_empty() => {
                self.differs = Some(reason.trim().to_owned());
                Ok(())
            }
            Some(("words", reason)) if !reason.trim().is_empty() => {
                self.words = Some(reason.trim().to_owned());
                Ok(())
            }
            Some(("postgres", range)) => {
                self.versions = versions(range.trim())?;
                Ok(())
            }
            _ => Err(format!(
                "{text:?} is neither a comment (#), nor a message sent (>) or awaited (<), nor differs: REASON, \
                 nor words: REASON, nor postgres: FIRST..LAST"
            )),
        }
    }

    fn take_send(&mut self, label: String, rest: &str, line: usize, fresh: bool) -> Result<(), String> {
        let (times, rest) = repeated(rest)?;
        let send = Send::read(rest)?;
        let more = vec![send; times];
        match self.steps.last_mut() {
            Some(Step::Send {
                line: last,
                label: same,
                sends,
            }) if *same == label && !fresh => {
                *last = line;
                sends.extend(more);
            }
            _ => self.steps.push(Step::Send {
                line,
                label,
                sends: more,
            }),
        }
        Ok(())
    }

    /// A name for people: the file's, without its folder and extension.
    pub(super) fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    /// The path from the project's folder, as editors understand it.
    pub(super) fn place(&self, line: usize) -> String {
        let path = self.path.strip_prefix(env!("CARGO_MANIFEST_DIR"));
        format!("{}:{line}", path.unwrap_or(&self.path).display())
    }

    /// Everything that is sent as bytes, message by message.
    pub(super) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let sends = self.steps.iter().flat_map(|step| match step {
            Step::Send { sends, .. } => &sends[..],
            Step::Expect { .. } => &[],
        });
        sends.filter_map(|send| match send {
            Send::Bytes(bytes) | Send::Question(bytes) => Some(&bytes[..]),
            _ => None,
        })
    }
}

/// Whether what came is what a line awaits: `…` in it stands for anything.
pub(super) fn matches(expected: &str, shown: &str) -> bool {
    let Some((start, rest)) = expected.split_once('…') else {
        return expected == shown;
    };
    let Some(mut behind) = shown.strip_prefix(start) else {
        return false;
    };
    let mut parts = rest.split('…').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return behind.ends_with(part);
        }
        let Some(at) = behind.find(part) else {
            return false;
        };
        behind = &behind[at + part.len()..];
    }
    true
}

/// A line that goes on with the one before it is indented.
fn is_continuation(line: &str) -> bool {
    line.starts_with([' ', '\t']) && !line.trim().is_empty()
}

/// `> …` or `A> …`.
fn labelled(text: &str, arrow: char) -> Option<(String, &str)> {
    let (label, rest) = text.split_once(arrow)?;
    let is_label = label.is_empty() || label.len() == 1 && label.chars().all(|c| c.is_ascii_uppercase());
    is_label.then(|| (label.to_owned(), rest.trim()))
}

/// `3 * Sync` is three of them.
fn repeated(text: &str) -> Result<(usize, &str), String> {
    let Some((times, rest)) = text.split_once(" * ") else {
        return Ok((1, text));
    };
    if !times.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok((1, text));
    }
    match times.parse() {
        Ok(times @ 1..=100_000) => Ok((times, rest.trim())),
        _ => Err(format!("{times} times is not between 1 and 100000")),
    }
}

fn check_reply(reply: &str) -> Result<(), String> {
    let (name, rest) = reply.split_once(char::is_whitespace).unwrap_or((reply, ""));
    if !NAMES.contains(&name) {
        return Err(format!("no server sends {name}; there are {}", NAMES.join(", ")));
    }
    // Not taken apart further, but what cannot be read cannot have come.
    Words::of(rest).map(|_| ())
}

fn versions(range: &str) -> Result<RangeInclusive<u32>, String> {
    let number = |text: &str, otherwise: u32| match text.trim() {
        "" => Ok(otherwise),
        text => text
            .parse()
            .map_err(|_| format!("{text} is no major version, such as 17")),
    };
    let (first, last) = range
        .split_once("..")
        .ok_or_else(|| format!("{range} is no range such as 14.. or ..17 or 14..17"))?;
    Ok(number(first, 0)?..=number(last, u32::MAX)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Transcript, String> {
        Transcript::read(Path::new("x.pt"), text)
    }

    #[test]
    fn lines_become_steps() {
        let text = "# A title.\npostgres: 14..17\ndiffers: because\nwords: more\n\n> Parse \"SELECT\n  1\"\n# why\n> 2 * Sync\n\
                    < ParseComplete\n\nA> Sync\n\nA> Flush\nB> Sync\nA< 2 * ReadyForQuery …\n";
        let transcript = read(text).unwrap();
        assert_eq!(transcript.differs.as_deref(), Some("because"));
        assert_eq!(transcript.words.as_deref(), Some("more"));
        assert_eq!(transcript.versions, 14..=17);
        let sync = Send::read("Sync").unwrap();
        let step = |line, label: &str, sends| Step::Send {
            line,
            label: label.to_owned(),
            sends,
        };
        let expect = |line, label: &str, times, reply: &str| Step::Expect {
            line,
            label: label.to_owned(),
            times,
            reply: reply.to_owned(),
        };
        let parse = Send::read("Parse \"SELECT\n  1\"").unwrap();
        assert_eq!(
            transcript.steps,
            [
                step(9, "", vec![parse, sync.clone(), sync.clone()]),
                expect(10, "", 1, "ParseComplete"),
                step(12, "A", vec![sync.clone()]),
                step(14, "A", vec![Send::read("Flush").unwrap()]),
                step(15, "B", vec![sync]),
                expect(16, "A", 2, "ReadyForQuery …"),
            ]
        );
    }

    #[test]
    fn errors_have_their_place() {
        for (text, error) in [
            ("", "x.pt:1: the first line is a comment"),
            ("# t\n", "x.pt:1: nothing is sent"),
            ("# t\n\n> Sink\n", "x.pt:3: there is no message Sink"),
            ("# t\n> Query \"x\n", "x.pt:2: a text has no closing quote"),
            (
                "# t\n> Sync\n< ReadyForQuary I\n",
                "x.pt:3: no server sends ReadyForQuary",
            ),
            (
                "# t\n> Sync\n< DataRow \"x\n",
                "x.pt:3: a text has no closing quote",
            ),
            ("# t\n> Sync\ndiffers: late\n", "x.pt:3: directives stand before"),
            ("# t\ndiffers:\n> Sync\n", "x.pt:2: \"differs:\" is neither"),
            ("# t\npostgres: 15\n> Sync\n", "x.pt:2: 15 is no range"),
            ("# t\npostgres: x..\n> Sync\n", "x.pt:2: x is no major version"),
            ("# t\nSync\n", "x.pt:2: \"Sync\" is neither"),
            ("# t\n> 0 * Sync\n", "x.pt:2: 0 times"),
            ("# t\nab> Sync\n", "x.pt:2: \"ab> Sync\" is neither"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(error), "{text:?}: {said}");
        }
        let two = read("# t\n> Sink\n> Sank\n").unwrap_err();
        assert!(two.contains("x.pt:2") && two.contains("x.pt:3"), "{two}");
    }

    #[test]
    fn dots_stand_for_anything() {
        for (expected, shown, yes) in [
            ("a b", "a b", true),
            ("a b", "a b c", false),
            ("a …", "a b c", true),
            ("… c", "a b c", true),
            ("a … c", "a b c", true),
            ("a … c … e", "a b c d e", true),
            ("a … x … e", "a b c d e", false),
            ("a … d", "a b c", false),
            ("b …", "a b", false),
        ] {
            assert_eq!(matches(expected, shown), yes, "{expected:?} {shown:?}");
        }
    }
}
