//! What is recorded of a statement: a line of JSON, put together of three parts. What is the same for all records of a session
//! ([`Asker`]) and of a judgement ([`write_judged`]) is written once.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::pen::Pen;
use crate::model::{Effect, Judged, Shape, cut_text};

/// Whose statements they are, in a session.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Asked<'a> {
    /// The session, by the process id that its client was told: unique among the sessions that there are.
    pub session: i32,
    /// The user.
    pub user: &'a str,
    /// The NAME of `[databases.NAME]`.
    pub database: &'a str,
    /// Where the client is.
    pub client: &'a str,
    /// What it calls itself.
    pub application: &'a str,
}

/// A session, as it stands in each of its records, and how many of these there are.
#[derive(Debug)]
pub struct Asker {
    written: Box<[u8]>,
    recorded: u64,
}

impl Asker {
    /// That nothing is recorded of yet.
    #[must_use]
    pub fn new(asked: Asked<'_>) -> Self {
        Self {
            written: fields_of(asked),
            recorded: 0,
        }
    }

    /// It calls itself otherwise from now on; its records count on.
    pub fn is_now(&mut self, asked: Asked<'_>) {
        self.written = fields_of(asked);
    }
}

fn fields_of(asked: Asked<'_>) -> Box<[u8]> {
    let mut written = Vec::new();
    write_fields(&asked, &mut written);
    written.into()
}

/// A record, as it is written.
#[derive(Debug)]
pub struct Record<'a> {
    /// When it was asked.
    pub at: Timestamp,
    /// The judgement of its text.
    pub judged: &'a Arc<Judged>,
    /// What it does with what its names stand for in it; `None`: what it does by itself.
    pub joined: Option<&'a Judged>,
    /// What it executes by name, each once.
    pub executed: &'a [Executed<'a>],
}

impl Record<'_> {
    /// Appends it as a line, the next one of `asker`.
    pub(super) fn write(&self, asker: &mut Asker, pen: &mut Pen, out: &mut Vec<u8>) {
        asker.recorded += 1;
        out.extend_from_slice(b"{\"at\":\"");
        pen.time(self.at, out);
        // Writing to memory does not fail.
        let _ = write!(out, "\",\"number\":{},", asker.recorded);
        out.extend_from_slice(&asker.written);
        out.push(b',');
        pen.judged(self.judged, self.joined, self.executed, out);
        out.extend_from_slice(b"}\n");
    }
}

/// A prepared statement that a text executes by name.
#[derive(Debug, Clone, Copy)]
pub struct Executed<'a> {
    /// Its shape, if it has one.
    pub shape: Option<&'a Shape>,
    /// Its text, as far as it is kept.
    pub text: Option<&'a [u8]>,
}

/// Of commands, shapes and texts that are executed, so many are recorded.
const MOST: usize = 64;

/// What is recorded of a judgement.
#[derive(Debug, Serialize)]
struct About<'a> {
    effect: &'static str,
    commands: Vec<&'a str>,
    shapes: Vec<Hex<'a>>,
    text: Option<Readable<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    executes: Vec<Option<Readable<'a>>>,
}

/// Appends the fields of a text with this judgement, and of what its names stand for. However often a text repeats itself, that
/// is some kilobytes at most.
pub(super) fn write_judged(
    judged: &Judged,
    joined: Option<&Judged>,
    executed: &[Executed<'_>],
    out: &mut Vec<u8>,
) {
    let does = joined.unwrap_or(judged);
    let facts = does.statements.iter().map(|statement| &statement.facts);
    let (commands, more_commands) = some_of(facts.flat_map(|facts| &facts.commands).map(String::as_str));
    let own = judged
        .statements
        .iter()
        .map(|statement| statement.facts.shape.as_ref());
    let shapes = own
        .chain(executed.iter().map(|executed| executed.shape))
        .flatten();
    let (shapes, more_shapes) = some_of(shapes.map(Hex));
    let kept = judged.kept_text();
    let texts = executed
        .iter()
        .take(MOST)
        .map(|executed| executed.text.map(cut_text));
    let texts: Vec<_> = texts.collect();
    let about = About {
        effect: does.effect().as_str(),
        commands,
        shapes,
        text: kept.map(|(text, _)| Readable(text)),
        cut: kept.is_some_and(|(_, cut)| cut)
            || more_commands
            || more_shapes
            || executed.len() > MOST
            || texts.iter().flatten().any(|(_, cut)| *cut),
        executes: texts
            .into_iter()
            .map(|text| text.map(|(text, _)| Readable(text)))
            .collect(),
    };
    write_fields(&about, out);
}

/// Each of them once, up to [`MOST`]; and whether there were more.
fn some_of<T: PartialEq>(all: impl Iterator<Item = T>) -> (Vec<T>, bool) {
    let mut some = Vec::new();
    for one in all {
        if !some.contains(&one) {
            if some.len() == MOST {
                return (some, true);
            }
            some.push(one);
        }
    }
    (some, false)
}

/// Appends the fields of an object of JSON that has some, without its braces.
fn write_fields(object: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    // Writing to memory does not fail, nor do these values.
    if serde_json::to_writer(&mut *out, object).is_ok() && out.pop() == Some(b'}') {
        out.remove(start);
    } else {
        out.truncate(start);
    }
}

/// Whether a text of this effect is recorded where only changes are: it does more than read, or may do so.
pub(super) fn is_change(effect: Effect) -> bool {
    effect > Effect::Read
}

#[derive(Debug, PartialEq)]
struct Hex<'a>(&'a Shape);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Formatting each byte by itself would be the dearest part of a record.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0.bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        serializer.serialize_str(std::str::from_utf8(&hex).unwrap_or_default())
    }
}

/// A text for people: what is not UTF-8 is replaced, and so are masked numbers, by `?`.
#[derive(Debug)]
struct Readable<'a>(&'a [u8]);

impl Serialize for Readable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for (index, part) in chunk.valid().split('\0').enumerate() {
                if index > 0 {
                    f.write_str("?")?;
                }
                f.write_str(part)?;
            }
            if !chunk.invalid().is_empty() {
                f.write_str("\u{FFFD}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;
    use crate::model::{Facts, Gist};

    fn written(judged: Judged, executed: &[Executed<'_>]) -> Value {
        written_as(judged, None, executed)
    }

    fn written_as(judged: Judged, joined: Option<&Judged>, executed: &[Executed<'_>]) -> Value {
        let mut asker = Asker::new(Asked {
            session: 7,
            user: "ann\n\"a\"",
            database: "shop",
            client: "127.0.0.1:5555",
            application: "psql",
        });
        asker.recorded = 2;
        let mut out = b"before\n".to_vec();
        let record = Record {
            at: "2026-11-27T03:00:00.000001Z".parse().unwrap(),
            judged: &Arc::new(judged),
            joined,
            executed,
        };
        record.write(&mut asker, &mut Pen::default(), &mut out);
        let line = out.strip_prefix(b"before\n").unwrap();
        assert_eq!(line.split(|byte| *byte == b'\n').count(), 2, "one line");
        serde_json::from_slice(line).unwrap()
    }

    fn read_of(gist: Gist) -> Judged {
        let mut facts = Facts::unknown("");
        facts.effect = Effect::Read;
        facts.commands = vec!["SELECT".to_owned()];
        facts.shape = Some(Shape::new([0xAB; 32]));
        let mut judged = Judged::from_facts([facts]);
        judged.gist = gist;
        judged
    }

    #[test]
    fn a_record_says_who_asked_what_when() {
        let text: &[u8] = b"SELECT \0 FROM \"a\"\nWHERE b = \0";
        assert_eq!(
            written(read_of(Gist::Whole(text.into())), &[]),
            json!({
                "at": "2026-11-27T03:00:00.000001Z", "session": 7, "number": 3, "user": "ann\n\"a\"", "database": "shop",
                "client": "127.0.0.1:5555", "application": "psql", "effect": "read", "commands": ["SELECT"],
                "shapes": ["ab".repeat(32)], "text": "SELECT ? FROM \"a\"\nWHERE b = ?",
            })
        );
    }

    #[test]
    fn what_is_not_kept_whole_says_so_and_what_is_not_utf8_is_replaced() {
        let start = read_of(Gist::Start(b"SELECT '\xff'".as_slice().into()));
        let long = written(read_of(Gist::Instead(Arc::new(start))), &[]);
        assert_eq!(
            (&long["text"], &long["cut"]),
            (&json!("SELECT '\u{FFFD}'"), &json!(true))
        );
        let none = written(read_of(Gist::None), &[]);
        assert_eq!(none["text"], Value::Null);
    }

    #[test]
    fn what_is_executed_by_name_is_recorded_with_it() {
        let mut facts = Facts::unknown("");
        facts.effect = Effect::Write;
        facts.commands = vec!["EXECUTE".to_owned(), "INSERT".to_owned()];
        let shape = Shape::new([0xCD; 32]);
        let executed = [b"INSERT INTO a VALUES ($1)".as_slice().into(), None].map(|text| Executed {
            shape: Some(&shape),
            text,
        });
        let own = read_of(Gist::Whole(b"EXECUTE p".as_slice().into()));
        let record = written_as(own, Some(&Judged::from_facts([facts])), &executed);
        assert_eq!(
            (&record["effect"], &record["text"]),
            (&json!("write"), &json!("EXECUTE p"))
        );
        assert_eq!(record["commands"], json!(["EXECUTE", "INSERT"]));
        assert_eq!(record["executes"], json!(["INSERT INTO a VALUES ($1)", null]));
        assert_eq!(record["shapes"], json!(["ab".repeat(32), "cd".repeat(32)]));
        assert_eq!(record["cut"], Value::Null);
    }

    #[test]
    fn a_text_that_repeats_itself_is_not_recorded_at_length() {
        let read = read_of(Gist::None);
        let mut many = Judged::from_facts(std::iter::repeat_n(read.statements[0].facts.clone(), 1000));
        many.gist = Gist::Whole(b"EXECUTE p; EXECUTE p".as_slice().into());
        let record = written(many.clone(), &[]);
        assert_eq!(record["commands"], json!(["SELECT"]));
        assert_eq!(
            (&record["shapes"], &record["cut"]),
            (&json!(["ab".repeat(32)]), &Value::Null)
        );

        let long = "x".repeat(100_000);
        let one = Executed {
            shape: None,
            text: Some(long.as_bytes()),
        };
        let record = written(many, &vec![one; 1000]);
        let texts = record["executes"].as_array().unwrap();
        assert_eq!((texts.len(), texts[0].as_str().unwrap().len()), (MOST, 1024));
        assert_eq!(record["cut"], json!(true));
    }

    #[test]
    fn a_session_that_calls_itself_otherwise_counts_on() {
        let calls_itself = |application| Asked {
            session: 7,
            user: "ann",
            database: "shop",
            client: "",
            application,
        };
        let mut asker = Asker::new(calls_itself("psql"));
        asker.recorded = 2;
        asker.is_now(calls_itself("nightly"));
        let mut out = Vec::new();
        let record = Record {
            at: Timestamp::UNIX_EPOCH,
            judged: &Arc::new(read_of(Gist::None)),
            joined: None,
            executed: &[],
        };
        record.write(&mut asker, &mut Pen::default(), &mut out);
        let record: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&record["number"], &record["application"]),
            (&json!(3), &json!("nightly"))
        );
    }

    #[test]
    fn what_only_reads_is_no_change() {
        assert!(!is_change(Effect::Session) && !is_change(Effect::Read));
        assert!(is_change(Effect::Write) && is_change(Effect::Schema) && is_change(Effect::Unknown));
    }
}
