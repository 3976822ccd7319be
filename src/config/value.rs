//! How single values are read: from a text, as variables always are, or from a TOML number.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::roles::Member;
use super::size;
use crate::model::duration;
use crate::model::nearest::nearest;

/// A duration, as in `"1h30m"`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parsed(deserializer, "a duration, as in \"30m\"", |text| {
        duration::parse(text).map_err(|error| error.to_string())
    })
}

/// A size in bytes, as in `"64MiB"` or `1048576`.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    parsed(deserializer, "a size, as in \"64MiB\"", |text| {
        size::parse(text).and_then(|bytes| {
            usize::try_from(bytes).map_err(|_| format!("\"{text}\" is more than this machine can address"))
        })
    })
}

/// A whole number.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    parsed(deserializer, "a whole number", |text| {
        text.parse()
            .map_err(|_| format!("\"{text}\" is no whole number in range"))
    })
}

/// Yes or no.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(FlagVisitor)
}

/// A text, or a number that stands for one.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    parsed(deserializer, "a text", |text| Ok(Some(text.to_owned())))
}

/// A type that reads itself from text.
pub(super) fn word<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = String>,
{
    parsed(deserializer, "a text", T::from_str)
}

/// One of a few words; the error names them all.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, String> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let advice = nearest(text, &known).map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
    Err(format!("\"{text}\" is none of {}{advice}", known.join(", ")))
}

/// Users and groups: a text (several separated by commas) or a list of texts, as in `["alice", "@dba"]`.
pub(super) fn members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Member>, D::Error> {
    deserializer.deserialize_any(ListVisitor {
        expected: "users and @groups, as in [\"alice\", \"@dba\"]",
        parse: Member::from_str,
        value: PhantomData,
    })
}

/// A text that no error and no `Debug` shows.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(SecretString::from(text)))
}

/// An address to listen on.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parsed(
        deserializer,
        "an address, as in \"127.0.0.1:6432\"",
        parse_address,
    )
}

/// One or several addresses to listen on: a text (several separated by commas) or a list of texts.
pub(super) fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    deserializer.deserialize_any(ListVisitor {
        expected: "an address, as in \"127.0.0.1:6432\", or a list of them",
        parse: parse_address,
        value: PhantomData,
    })
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<bool, E> {
        Ok(flag)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        text.parse()
            .map_err(|_| E::custom(format!("\"{text}\" is neither true nor false")))
    }
}

struct ListVisitor<T, F> {
    expected: &'static str,
    parse: F,
    value: PhantomData<T>,
}

impl<'de, T, F: Fn(&str) -> Result<T, String>> Visitor<'de> for ListVisitor<T, F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.split(',')
            .map(|part| (self.parse)(part.trim()).map_err(E::custom))
            .collect()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            values.push((self.parse)(&text).map_err(de::Error::custom)?);
        }
        Ok(values)
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "\"{text}\" is no address to listen on: write IP:PORT, as in 127.0.0.1:6432, \
             [::1]:6432, or 0.0.0.0:6432 for every interface"
        )
    })
}

fn parsed<'de, D, T, F>(deserializer: D, expected: &'static str, parse: F) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    F: Fn(&str) -> Result<T, String>,
{
    deserializer.deserialize_any(ParsedVisitor {
        expected,
        parse,
        value: PhantomData,
    })
}

struct ParsedVisitor<T, F> {
    expected: &'static str,
    parse: F,
    value: PhantomData<T>,
}

impl<T, F: Fn(&str) -> Result<T, String>> Visitor<'_> for ParsedVisitor<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}
