//! Writes what PostgreSQL answers into a transcript. People then read whether that is what they meant.
//!
//! How many replies belong to a message is what is to be found out; so, here alone, replies are over when
//! nothing has come for a while.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::cuts::Cuts;
use super::play::{PATIENCE, Play};
use super::reply::Reply;
use super::stage::Stage;
use super::transcript::{Step, Transcript, matches};

/// Nothing comes after this while.
const QUIET: Duration = Duration::from_millis(500);

/// So many equal replies are written as one line.
const REPEATED: usize = 4;

/// What the lines of one step are to be.
struct Awaited<'t> {
    /// The last line of what was sent.
    sent: usize,
    /// The lines that are there.
    old: Vec<(usize, &'t str, usize, &'t str)>,
    /// Connection and reply.
    new: Vec<(String, String)>,
}

/// Plays the transcript and rewrites its replies, as far as they are wrong. Gives whether any were.
pub(super) async fn bless(transcript: &Transcript, stage: &Stage<'_>) -> bool {
    let mut play = Play::begin(stage, Cuts::Nowhere, PATIENCE);
    let mut parts: Vec<Awaited<'_>> = Vec::new();
    for step in &transcript.steps {
        match step {
            Step::Send { line, label, sends } => {
                play.send(label, sends).await;
                parts.push(Awaited {
                    sent: *line,
                    old: Vec::new(),
                    new: listen(&mut play, label).await,
                });
            }
            Step::Expect {
                line,
                label,
                times,
                reply,
            } => {
                if let Some(part) = parts.last_mut() {
                    part.old.push((*line, label, *times, reply));
                }
            }
        }
    }
    let wrong: Vec<Awaited<'_>> = parts.into_iter().filter(|part| !part.is_right()).collect();
    let text = rewritten(&transcript.lines, &wrong);
    if !wrong.is_empty() {
        fs::write(&transcript.path, text).expect("the transcript can be written");
    }
    !wrong.is_empty()
}

/// What comes on all connections, that of `first` before the others.
async fn listen(play: &mut Play<'_>, first: &str) -> Vec<(String, String)> {
    let mut labels: Vec<String> = play.lines.keys().cloned().collect();
    labels.sort_by_key(|label| label != first);
    let mut came = Vec::new();
    for label in labels {
        let line = play.lines.get_mut(&label).expect("it is open");
        while !line.closed
            && let Ok(reply) = tokio::time::timeout(QUIET, line.reply(false)).await
        {
            came.push((label.clone(), reply));
        }
    }
    greetings_as_one(came)
}

fn greetings_as_one(came: Vec<(String, Reply)>) -> Vec<(String, String)> {
    let shown: Vec<(String, String)> = came
        .into_iter()
        .map(|(label, reply)| (label, reply.shown()))
        .collect();
    let begins = shown.iter().position(|(_, shown)| shown == "AuthenticationOk");
    let ends = shown.iter().position(|(_, shown)| shown == "ReadyForQuery I");
    match (begins, ends) {
        (Some(begins), Some(ends)) => {
            let mut lines = shown[..begins].to_vec();
            lines.push((shown[begins].0.clone(), "greeting".to_owned()));
            lines.extend_from_slice(&shown[ends + 1..]);
            lines
        }
        _ => shown,
    }
}

impl Awaited<'_> {
    fn is_right(&self) -> bool {
        let old: Vec<(&str, &str)> = self
            .old
            .iter()
            .flat_map(|(_, label, times, reply)| std::iter::repeat_n((*label, *reply), *times))
            .collect();
        let labels: BTreeSet<&str> = self.new.iter().map(|(label, _)| label.as_str()).collect();
        let old_labels: BTreeSet<&str> = old.iter().map(|(label, _)| *label).collect();
        // Between connections there is no order.
        labels == old_labels
            && labels.iter().all(|label| {
                let old = old.iter().filter(|(of, _)| of == label).map(|(_, reply)| *reply);
                let new = self
                    .new
                    .iter()
                    .filter(|(of, _)| of == label)
                    .map(|(_, reply)| reply);
                old.clone().count() == new.clone().count() && old.zip(new).all(|(old, new)| is_same(old, new))
            })
    }

    /// The new lines.
    fn written(&self) -> Vec<String> {
        let equal = self.new.chunk_by(|a, b| a == b);
        equal
            .flat_map(|same| {
                let (label, reply) = &same[0];
                if same.len() >= REPEATED {
                    vec![format!("{label}< {} * {reply}", same.len())]
                } else {
                    vec![format!("{label}< {reply}"); same.len()]
                }
            })
            .collect()
    }
}

fn is_same(old: &str, new: &str) -> bool {
    matches(old, new) || new == "greeting" && old.starts_with("greeting")
}

/// The file's text, with new lines where the old ones are wrong.
fn rewritten(lines: &[String], wrong: &[Awaited<'_>]) -> String {
    let dropped: BTreeSet<usize> = wrong
        .iter()
        .flat_map(|part| part.old.iter().map(|(line, ..)| *line))
        .collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        for part in wrong {
            // In the place of the first old line.
            if part.old.first().is_some_and(|(first, ..)| *first == number) {
                part.written().iter().for_each(|line| push_line(&mut text, line));
            }
        }
        if !dropped.contains(&number) {
            push_line(&mut text, line);
        }
        for part in wrong {
            if part.old.is_empty() && part.sent == number {
                part.written().iter().for_each(|line| push_line(&mut text, line));
            }
        }
    }
    text
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part<'t>(sent: usize, old: &[(usize, &'t str)], new: &[&str]) -> Awaited<'t> {
        Awaited {
            sent,
            old: old.iter().map(|(line, reply)| (*line, "", 1, *reply)).collect(),
            new: new
                .iter()
                .map(|reply| (String::new(), (*reply).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn only_what_is_wrong_is_written_anew() {
        let lines: Vec<String> = ["# t", "> 1", "# why", "< a", "< b", "", "> 2"]
            .map(str::to_owned)
            .into();
        let right = part(2, &[(4, "a"), (5, "b")], &["a", "b"]);
        assert!(right.is_right());
        let wrong = part(2, &[(4, "a"), (5, "b")], &["c", "d", "d", "d", "d"]);
        assert!(!wrong.is_right());
        let empty = part(7, &[], &["e"]);
        assert!(!empty.is_right());
        assert_eq!(
            rewritten(&lines, &[wrong, empty]),
            "# t\n> 1\n# why\n< c\n< 4 * d\n\n> 2\n< e\n"
        );
    }

    #[test]
    fn a_greeting_is_one_line() {
        let message = |tag, body: &[u8]| {
            let body = body.to_vec();
            (
                "A".to_owned(),
                Reply::Message(crate::support::raw::Message { tag, body }),
            )
        };
        let came = vec![
            message(b'R', &[0; 4]),
            message(b'S', b"a\0b\0"),
            message(b'Z', b"I"),
            message(b'1', b""),
        ];
        let lines = greetings_as_one(came);
        let lines: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(lines, ["greeting", "ParseComplete"]);
        assert!(is_same("greeting TimeZone=\"UTC\"", "greeting"));
    }
}
