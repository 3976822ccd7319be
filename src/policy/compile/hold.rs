//! What a hold asks for, as a rule writes it.

use std::time::Duration;

use toml::Spanned;

use super::super::file::{Names, RawHold, Reader};
use super::{groups, plain_names};
use crate::model::quorum::MOST_SEATS;
use crate::model::{Asks, Justification, Quorum, ReviewMode, duration};

/// `None` where something is wrong with it: the problems say what.
pub(super) fn read(reader: &mut Reader<'_, '_>, raw: Spanned<RawHold>) -> Option<Asks> {
    let place = raw.span().start;
    let raw = raw.into_inner();
    let quorum = quorum(reader, &raw, place);
    let timeout = match &raw.timeout {
        None => Some(None),
        Some(text) => timeout(reader, text).map(Some),
    };
    let justification = justification(reader, raw.justification.as_ref());
    let break_glass = match &raw.break_glass {
        None => Some(Vec::new()),
        Some(names) => groups(reader, "break_glass", names),
    };
    let review = match raw.review.as_ref().map(|word| (word, word.as_ref().as_str())) {
        None => ReviewMode::AsRequested,
        Some((_, "statement")) => ReviewMode::Statement,
        Some((_, "transaction")) => ReviewMode::Transaction,
        Some((word, other)) => {
            let message = format!("review: \"{other}\" is neither \"statement\" nor \"transaction\"");
            reader.fail(word.span().start, message);
            return None;
        }
    };
    Some(Asks {
        quorum: quorum?,
        timeout: timeout?,
        justification: justification?,
        self_approval: raw.self_approval,
        exempt_admins: raw.exempt_admins,
        review,
        break_glass: break_glass?,
    })
}

fn quorum(reader: &mut Reader<'_, '_>, raw: &RawHold, place: usize) -> Option<Quorum> {
    if raw.groups.is_none() && raw.any_of.is_none() {
        let message = "a hold names who approves: `groups`, of which one member each must, or `any_of`";
        reader.fail(place, message);
        return None;
    }
    let named = |reader: &mut Reader<'_, '_>, key, names: Option<&Names>| match names {
        None => Some(Vec::new()),
        Some(names) => groups(reader, key, names),
    };
    let each = named(reader, "groups", raw.groups.as_ref());
    let any_of = named(reader, "any_of", raw.any_of.as_ref());
    let (each, any_of) = (each?, any_of?);
    let least = Quorum::new(&each, &any_of, 0).seats().len();
    let at_least = match &raw.min_approvals {
        None => 0,
        Some(number) => {
            let people = *number.as_ref();
            let problem = if people < least {
                format!("min_approvals = {people}, but the groups named ask for {least} people already")
            } else if people > MOST_SEATS {
                format!("min_approvals = {people}: more than {MOST_SEATS} people are not asked for")
            } else {
                String::new()
            };
            if !problem.is_empty() {
                reader.fail(number.span().start, problem);
                return None;
            }
            people
        }
    };
    if least > MOST_SEATS {
        reader.fail(
            place,
            format!("more than {MOST_SEATS} approvals are not asked for"),
        );
        return None;
    }
    Some(Quorum::new(&each, &any_of, at_least))
}

fn justification(reader: &mut Reader<'_, '_>, names: Option<&Names>) -> Option<Justification> {
    let mut justification = Justification::default();
    let Some(names) = names else {
        return Some(justification);
    };
    for (word, name) in plain_names(reader, "justification", Some(names))?
        .iter()
        .zip(names.as_ref())
    {
        match word.as_str() {
            "reason" => justification.reason = true,
            "ticket" => justification.ticket = true,
            other => {
                let message = format!("justification: \"{other}\" is neither \"reason\" nor \"ticket\"");
                reader.fail(name.span().start, message);
                return None;
            }
        }
    }
    Some(justification)
}

pub(super) fn timeout(reader: &mut Reader<'_, '_>, text: &Spanned<String>) -> Option<Duration> {
    let message = match duration::parse(text.as_ref()) {
        Ok(timeout) if timeout >= Duration::from_secs(1) => return Some(timeout),
        Ok(_) => "a timeout under a second: nobody could decide in that time".to_owned(),
        Err(error) => error.to_string(),
    };
    reader.fail(text.span().start, message);
    None
}
