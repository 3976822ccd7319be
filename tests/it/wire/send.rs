//! What a client does, written as one line: a message, or something that is none.
//!
//! Source: PostgreSQL manual, "Message Formats".

use super::types::type_number;
use super::words::{Value, Words, hex};

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Send {
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Sends these bytes, a question that is answered with a single byte.
    Question(Vec<u8>),
    /// Sends a startup packet and logs in. User, database and options are added where they are not given.
    Startup {
        version: u32,
        parameters: Vec<(String, Vec<u8>)>,
    },
    /// Asks for the cancellation of what another connection runs.
    Cancel { of: String },
    /// Connects, without logging in.
    Connect,
    /// Closes its half of the connection.
    Shutdown,
}

impl Send {
    /// Whether a connection that begins with this does not log in by itself.
    pub(super) fn opens_by_hand(&self) -> bool {
        !matches!(self, Self::Bytes(_) | Self::Shutdown)
    }

    /// Reads what stands behind `>`.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let mut words = Words::of(rest)?;
        let send = Self::named(name, &mut words)?;
        words.end()?;
        Ok(send)
    }

    fn named(name: &str, words: &mut Words) -> Result<Self, String> {
        let body = Body::default();
        Ok(match name {
            "Query" => body.text(&words.needs("the SQL")?).message(b'Q'),
            "Parse" => parse(words)?,
            "Bind" => bind(words)?,
            "Describe" => target(words)?.message(b'D'),
            "Close" => target(words)?.message(b'C'),
            "Execute" => body
                .text(&words.name("portal"))
                .int(words.number("rows")?)
                .message(b'E'),
            "Sync" => body.message(b'S'),
            "Flush" => body.message(b'H'),
            "Terminate" => body.message(b'X'),
            "CopyData" => body.bytes(&words.needs("the data")?).message(b'd'),
            "CopyDone" => body.message(b'c'),
            "CopyFail" => body.text(&words.needs("the reason")?).message(b'f'),
            "FunctionCall" => function_call(words)?,
            "PasswordMessage" => body.text(&words.needs("the password")?).message(b'p'),
            "Frame" => frame(words)?,
            "Raw" => Self::Bytes(raw(words)?),
            "SSLRequest" => Self::Question(packet(80_877_103, &[])),
            "GSSENCRequest" => Self::Question(packet(80_877_104, &[])),
            "CancelRequest" => cancel(words)?,
            "Startup" => startup(words)?,
            "connect" => Self::Connect,
            "shutdown" => Self::Shutdown,
            other => return Err(format!("there is no message {other}; see tests/wire/README.md")),
        })
    }
}

/// The body of a message.
#[derive(Debug, Default)]
struct Body(Vec<u8>);

impl Body {
    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, text: &[u8]) -> Self {
        self.bytes(text).bytes(&[0])
    }

    fn int(self, number: i32) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// A count, as two bytes.
    fn count(self, number: usize) -> Result<Self, String> {
        let number = u16::try_from(number).map_err(|_| "too many of them".to_owned())?;
        Ok(self.bytes(&number.to_be_bytes()))
    }

    fn formats(mut self, names: &[String]) -> Result<Self, String> {
        self = self.count(names.len())?;
        for name in names {
            self = self.count(match name.as_str() {
                "text" => 0,
                "binary" => 1,
                other => {
                    let wrong = |_| format!("a format is text, binary or a number, not {other}");
                    other.parse().map_err(wrong)?
                }
            })?;
        }
        Ok(self)
    }

    fn values(mut self, values: Vec<Value>) -> Result<Self, String> {
        self = self.count(values.len())?;
        for value in values {
            self = match value {
                Value::Bare(word) if word == "NULL" => self.int(-1),
                Value::Bare(word) => {
                    return Err(format!(
                        "values are written \"{word}\" or \\x00ff, or they are NULL"
                    ));
                }
                Value::Bytes(bytes) => {
                    let length = i32::try_from(bytes.len()).map_err(|_| "too long".to_owned())?;
                    self.int(length).bytes(&bytes)
                }
            };
        }
        Ok(self)
    }

    fn message(self, tag: u8) -> Send {
        let length = u32::try_from(self.0.len() + 4).unwrap_or(u32::MAX);
        let mut bytes = vec![tag];
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.0);
        Send::Bytes(bytes)
    }
}

fn parse(words: &mut Words) -> Result<Send, String> {
    let types = words.list("types");
    let mut body = Body::default()
        .text(&words.name("statement"))
        .text(&words.needs("the SQL")?)
        .count(types.len())?;
    for name in types {
        body = body.bytes(&type_number(&name)?.to_be_bytes());
    }
    Ok(body.message(b'P'))
}

fn bind(words: &mut Words) -> Result<Send, String> {
    let body = Body::default()
        .text(&words.name("portal"))
        .text(&words.name("statement"))
        .formats(&words.list("formats"))?
        .values(words.all())?
        .formats(&words.list("results"))?;
    Ok(body.message(b'B'))
}

/// Of Describe and Close: `statement` or `portal`, with a name if it has one.
fn target(words: &mut Words) -> Result<Body, String> {
    for (key, kind) in [("statement", b"S"), ("portal", b"P")] {
        if let Some(name) = words.keyed(key) {
            return Ok(Body::default().bytes(kind).text(&name.bytes()));
        }
    }
    Err("it needs statement=NAME or portal=NAME; an empty name is the unnamed one".to_owned())
}

fn function_call(words: &mut Words) -> Result<Send, String> {
    let function = words.number("function")?;
    let result = words.list("result");
    let format = u8::from(result.first().is_some_and(|name| name == "binary"));
    let body = Body::default()
        .int(function)
        .formats(&words.list("formats"))?
        .values(words.all())?
        .bytes(&[0, format]);
    Ok(body.message(b'F'))
}

/// A message of any type and body, its length right.
fn frame(words: &mut Words) -> Result<Send, String> {
    let tag = words.needs("the type, as Q or \\x51,")?;
    let [tag] = tag[..] else {
        return Err("the type is one byte, as Q or \\x51".to_owned());
    };
    let mut body = Body::default();
    for value in words.all() {
        match value {
            Value::Bytes(bytes) => body = body.bytes(&bytes),
            Value::Bare(word) => return Err(format!("the body is written \"{word}\" or \\x00ff")),
        }
    }
    Ok(body.message(tag))
}

/// Digits without a prefix, and texts.
fn raw(words: &mut Words) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for value in words.all() {
        bytes.extend(match value {
            Value::Bytes(bytes) => bytes,
            Value::Bare(digits) => hex(&digits)?,
        });
    }
    Ok(bytes)
}

fn cancel(words: &mut Words) -> Result<Send, String> {
    if let Some(of) = words.next() {
        let of = String::from_utf8_lossy(&of.bytes()).into_owned();
        return Ok(Send::Cancel { of });
    }
    let pid = words.number("pid")?;
    let key = words.name("key");
    let mut rest = pid.to_be_bytes().to_vec();
    rest.extend(key);
    Ok(Send::Bytes(packet(80_877_102, &rest)))
}

fn startup(words: &mut Words) -> Result<Send, String> {
    let version = words.keyed("version").map_or(b"3.0".to_vec(), Value::bytes);
    let version = String::from_utf8_lossy(&version).into_owned();
    let numbers = version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?)));
    let (major, minor) = numbers.ok_or_else(|| format!("{version} is no version such as 3.0"))?;
    Ok(Send::Startup {
        version: u32::from(major) << 16 | u32::from(minor),
        parameters: words.pairs(),
    })
}

/// A packet without a type: its length, a code, and the rest.
pub(super) fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(rest.len() + 8).unwrap_or(u32::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(code.to_be_bytes());
    bytes.extend(rest);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::raw::Frames;

    #[test]
    fn messages_are_those_of_the_library() {
        let e = Frames::new;
        for (line, frames) in [
            ("Query \"SELECT 1\"", e().query("SELECT 1")),
            ("Parse \"SELECT 1\"", e().parse("", "SELECT 1")),
            ("Parse statement=s \"SELECT 1\"", e().parse("s", "SELECT 1")),
            ("Bind", e().bind("", "", &[])),
            (
                "Bind portal=p statement=s \"1\" \"\"",
                e().bind("p", "s", &["1", ""]),
            ),
            ("Execute", e().execute("", 0)),
            ("Execute portal=p rows=2", e().execute("p", 2)),
            ("Describe portal=", e().describe_portal("")),
            ("Describe statement=s", e().describe_statement("s")),
            ("Close statement=s", e().close_statement("s")),
            ("Sync", e().sync()),
            ("Flush", e().flush()),
            ("Terminate", e().terminate()),
            ("CopyData \"1\\n\"", e().frame(b'd', b"1\n")),
            ("CopyFail \"no\"", e().frame(b'f', b"no\0")),
            ("Frame Q \"SELECT 1\" \\x00", e().query("SELECT 1")),
            ("Raw 53 00000004", e().sync()),
            (
                "Parse \"SELECT $1\" types=int4,0",
                e().frame(b'P', b"\0SELECT $1\0\0\x02\0\0\0\x17\0\0\0\0"),
            ),
            (
                "Bind formats=binary,text \\x01 NULL results=binary",
                e().frame(
                    b'B',
                    b"\0\0\0\x02\0\x01\0\0\0\x02\0\0\0\x01\x01\xff\xff\xff\xff\0\x01\0\x01",
                ),
            ),
            (
                "FunctionCall function=1 result=binary \"x\"",
                e().frame(b'F', b"\0\0\0\x01\0\0\0\x01\0\0\0\x01x\0\x01"),
            ),
        ] {
            let expected = Send::Bytes(frames.as_ref().to_vec());
            assert_eq!(Send::read(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, said) in [
            ("Querry \"SELECT 1\"", "no message Querry"),
            ("Query", "the SQL is missing"),
            ("Query \"a\" \"b\"", "takes no \"b\""),
            ("Sync statement=s", "no statement="),
            ("Bind 1", "in quotes"),
            ("Describe s", "statement=NAME"),
            ("Bind formats=hex", "not hex"),
            ("Parse \"x\" types=integer", "integer is no type"),
            ("Frame QQ", "one byte"),
            ("Startup version=3", "no version"),
        ] {
            let error = Send::read(line).unwrap_err();
            let said = said.replace("in quotes", "\"1\" or");
            assert!(error.contains(&said), "{line}: {error}");
        }
    }
}
