//! `SET holdpoint.request = 'write for 1h: incident 42'`: asking for a time window from within a session.

use std::time::Duration;

use crate::approval::{AccessAsked, AskError};
use crate::model::{Effect, Grant, Scope, duration};
use crate::session::relay::Session;
use crate::wire::{Report, sqlstate};

const FORM: &str = "Write it as in: SET holdpoint.request = 'write for 1h: incident 42'";

/// What was written.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    up_to: Effect,
    length: Duration,
    reason: Option<String>,
}

fn read(text: &str) -> Result<Wish, String> {
    let (what, reason) = match text.split_once(':') {
        Some((what, reason)) => (
            what,
            Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty()),
        ),
        None => (text, None),
    };
    let words: Vec<&str> = what.split_whitespace().collect();
    let [effect, "for", length] = words[..] else {
        return Err(format!("\"{}\" does not say what for how long", what.trim()));
    };
    Ok(Wish {
        up_to: effect.parse::<Effect>().map_err(|error| error.to_string())?,
        length: duration::parse(length).map_err(|error| error.to_string())?,
        reason,
    })
}

impl Session {
    /// Asks for the window, and tells how it stands.
    pub(super) async fn ask_access(&mut self, text: &str) -> Result<Report, Report> {
        let invalid = |why: String| Report::error(sqlstate::INVALID_PARAMETER_VALUE, why).hint(FORM);
        let wish = read(text).map_err(invalid)?;
        self.follow_policy();
        let subject = self.subject();
        let Some(access) = self.policy.access_for(&subject, wish.up_to).cloned() else {
            return Err(Report::error(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!(
                    "no rule lets \"{}\" ask for access up to {} on \"{}\"",
                    self.who.principal.name, wish.up_to, self.who.database
                ),
            )
            .hint("[[access]] in the policy says who may ask for what."));
        };
        let given = self.own.given();
        let asked = AccessAsked {
            database: self.who.database.clone(),
            up_to: wish.up_to,
            length: wish.length,
            justification: wish.reason.or(given.reason).unwrap_or_default(),
            ticket: given.ticket,
        };
        let grant = self
            .shared
            .broker
            .ask_access(&self.who.principal, asked, &access)
            .await;
        match grant {
            Ok(grant) => Ok(asked_for(&grant, &self.shared.public_url)),
            Err(AskError::Store(error)) => {
                tracing::error!(%error, "cannot record what is asked for");
                Err(super::super::notices::cannot_record())
            }
            Err(error) => Err(invalid(error.to_string())),
        }
    }
}

fn asked_for(grant: &Grant, url: &str) -> Report {
    let what = match &grant.asked.scope {
        Scope::Window { up_to } => up_to.to_string(),
        Scope::Shape { command, .. } => command.clone(),
    };
    Report::notice(format!(
        "access up to {what} on {} for {} waits for approval by {} (grant {})",
        grant.asked.database,
        duration::format(grant.asked.length),
        grant.asked.quorum,
        grant.asked.id
    ))
    .detail(format!(
        "Decide on it at {url}/access until {}.",
        grant.asked.expires_at.strftime("%H:%M:%S UTC")
    ))
    .hint("The time runs from its approval on. Until then, statements are held as ever.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read() {
        let wish = |up_to, minutes, reason: Option<&str>| Wish {
            up_to,
            length: Duration::from_mins(minutes),
            reason: reason.map(str::to_owned),
        };
        for (text, expected) in [
            (
                "write for 1h: incident 42",
                wish(Effect::Write, 60, Some("incident 42")),
            ),
            (" schema  for 30m ", wish(Effect::Schema, 30, None)),
            ("write for 1h: a: b", wish(Effect::Write, 60, Some("a: b"))),
            ("write for 1h:", wish(Effect::Write, 60, None)),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for (text, why) in [
            ("write", "does not say what for how long"),
            ("wirte for 1h", "wirte"),
            ("write for an hour", "does not say"),
            ("write for 1x", "the units are"),
            ("", "does not say"),
        ] {
            let error = read(text).err().unwrap_or_default();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
