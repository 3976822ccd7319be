//! Plays a transcript: sends what it says, and looks whether what comes back is what it says.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use super::compare::Words;
use super::cuts::{Cuts, Cutter};
use super::reply::Reply;
use super::send::{Send, packet};
use super::stage::Stage;
use super::transcript::{Step, Transcript, matches};
use super::unread::read_by;
use super::words;
use crate::support::raw::{Message, Raw};

/// What takes longer does not come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What comes behind a reply that is wrong is shown, as far as it comes at once.
const AFTERMATH: Duration = Duration::from_millis(200);

/// A connection of the transcript's.
#[derive(Debug)]
pub(super) struct Line {
    raw: Raw,
    /// What was read and not awaited yet.
    waiting: VecDeque<Message>,
    /// Questions that are to be answered with a byte.
    questions: usize,
    pub(super) closed: bool,
}

/// A transcript that is being played.
#[derive(Debug)]
pub(super) struct Play<'p> {
    stage: &'p Stage<'p>,
    patience: Duration,
    cutter: Cutter,
    words: Words,
    pub(super) lines: BTreeMap<String, Line>,
}

/// Plays the transcript. Gives the replies in its order, or says what was wrong.
pub(super) async fn play(
    transcript: &Transcript,
    stage: &Stage<'_>,
    cuts: Cuts,
    patience: Duration,
    words: Words,
) -> Result<Vec<Reply>, String> {
    let mut play = Play::begin(stage, cuts, patience);
    play.words = words;
    let mut replies = Vec::new();
    for step in &transcript.steps {
        match step {
            Step::Send { line, label, sends } => {
                let sent = tokio::time::timeout(patience, play.send(label, sends)).await;
                let at = transcript.place(*line);
                sent.map_err(|_| format!("{at}, {}: sending took longer than {patience:?}", stage.way.name))?;
            }
            Step::Expect {
                line,
                label,
                times,
                reply,
            } => {
                for _ in 0..*times {
                    let came = play.expect(label, reply).await;
                    let at = transcript.place(*line);
                    replies.push(came.map_err(|wrong| format!("{at}, {}: {wrong}", stage.way.name))?);
                }
            }
        }
    }
    let more = play.end().await;
    if more.is_empty() {
        Ok(replies)
    } else {
        let at = transcript.place(transcript.lines.len());
        Err(format!("{at}, {}: more came at the end:\n{more}", stage.way.name))
    }
}

impl<'p> Play<'p> {
    pub(super) fn begin(stage: &'p Stage<'p>, cuts: Cuts, patience: Duration) -> Self {
        Self {
            stage,
            patience,
            cutter: Cutter::new(cuts),
            words: Words::Same,
            lines: BTreeMap::new(),
        }
    }

    /// Does what a step says, all at once.
    pub(super) async fn send(&mut self, label: &str, sends: &[Send]) {
        if !self.lines.contains_key(label) {
            let by_hand = sends.first().is_some_and(Send::opens_by_hand);
            let raw = if by_hand {
                self.stage.connect().await
            } else {
                self.stage.log_in().await
            };
            self.lines.insert(label.to_owned(), Line::new(raw));
        }
        let mut messages: Vec<&[u8]> = Vec::new();
        for send in sends {
            if let Send::Bytes(bytes) | Send::Question(bytes) = send {
                messages.push(bytes);
                let line = self.lines.get_mut(label).expect("it is open");
                line.questions += usize::from(matches!(send, Send::Question(_)));
                continue;
            }
            self.write(label, &std::mem::take(&mut messages)).await;
            self.act(label, send).await;
        }
        self.write(label, &messages).await;
    }

    async fn act(&mut self, label: &str, send: &Send) {
        if let Send::Cancel { of } = send {
            let target = self.lines.get(of).expect("what is cancelled is connected");
            let packet = packet(80_877_102, &target.raw.key);
            self.write(label, &[&packet]).await;
            return;
        }
        let line = self.lines.get_mut(label).expect("it is open");
        match send {
            Send::Startup { version, parameters } => {
                line.waiting = self.stage.start_up(&mut line.raw, *version, parameters).await;
            }
            Send::Shutdown => line.raw.leave_half().await,
            _ => {}
        }
    }

    async fn write(&mut self, label: &str, messages: &[&[u8]]) {
        if messages.is_empty() {
            return;
        }
        let line = self.lines.get_mut(label).expect("it is open");
        let offsets = messages.iter().flat_map(|message| 0..message.len());
        let bytes = messages.concat();
        let pieces = self.cutter.pieces(&bytes, offsets);
        let (here, peer) = line.raw.addresses();
        for (at, piece) in pieces.iter().enumerate() {
            line.raw.send_in_vain(piece).await;
            if at + 1 < pieces.len() {
                read_by(peer, here).await;
            }
        }
    }

    /// The next reply, where this one is awaited.
    async fn expect(&mut self, label: &str, expected: &str) -> Result<Reply, String> {
        let Some(line) = self.lines.get_mut(label) else {
            return Err(format!("nothing was sent on {label:?} before"));
        };
        let greeting = expected.strip_prefix("greeting");
        let reply = tokio::time::timeout(self.patience, line.reply(greeting.is_some()));
        let Ok(reply) = reply.await else {
            return Err(format!(
                "nothing came within {:?} for\n  {label}< {expected}",
                self.patience
            ));
        };
        let shown = reply.shown();
        let wrong = match (greeting, &reply) {
            (Some(parameters), Reply::Greeting(messages)) => greeted_otherwise(parameters, messages),
            _ if self.words == Words::Own && reply.is_own_error() => {
                (!is_same_kind(expected, &shown)).then(String::new)
            }
            _ => (!matches(expected, &shown)).then(String::new),
        };
        let Some(wrong) = wrong else {
            return Ok(reply);
        };
        let mut said =
            format!("{wrong}\n  {label}< {expected}\nwas awaited, and there came\n  {label}< {shown}\n");
        while !line.closed
            && let Ok(more) = tokio::time::timeout(AFTERMATH, line.reply(false)).await
        {
            let _ = writeln!(said, "  {label}< {}", more.shown());
        }
        Err(said)
    }

    /// Ends all connections that are still open. Gives what came and nobody awaited.
    async fn end(mut self) -> String {
        let mut more = String::new();
        for (label, line) in &mut self.lines {
            if line.closed {
                continue;
            }
            line.raw.leave_half().await;
            loop {
                let Ok(reply) = tokio::time::timeout(self.patience, line.reply(false)).await else {
                    let _ = writeln!(more, "{label}: it is not closed");
                    break;
                };
                if reply == Reply::Closed {
                    break;
                }
                let _ = writeln!(more, "  {label}< {}", reply.shown());
            }
        }
        more
    }
}

impl Line {
    fn new(raw: Raw) -> Self {
        Self {
            raw,
            waiting: VecDeque::new(),
            questions: 0,
            closed: false,
        }
    }

    /// The next reply. At the connection's end it is that it is closed, again and again.
    pub(super) async fn reply(&mut self, whole_greeting: bool) -> Reply {
        if whole_greeting {
            return self.greeting().await;
        }
        if let Some(message) = self.waiting.pop_front() {
            return Reply::Message(message);
        }
        let reply = if self.questions > 0 {
            self.questions -= 1;
            self.raw.next_byte().await.map(Reply::Byte)
        } else {
            self.raw.next().await.map(Reply::Message)
        };
        reply.unwrap_or_else(|| {
            self.closed = true;
            Reply::Closed
        })
    }

    async fn greeting(&mut self) -> Reply {
        let mut messages = Vec::new();
        loop {
            match Box::pin(self.reply(false)).await {
                Reply::Message(message) => {
                    let last = matches!(message.tag, b'Z' | b'E');
                    messages.push(message);
                    if last {
                        return Reply::Greeting(messages);
                    }
                }
                other => return other,
            }
        }
    }
}

/// Whether two errors have the same severity and SQLSTATE.
fn is_same_kind(expected: &str, shown: &str) -> bool {
    let mut kinds = [expected, shown].map(|line| line.split(' ').take(3));
    let [expected, shown] = &mut kinds;
    expected.eq(shown)
}

/// What is wrong with a greeting, that should have reported these parameters.
fn greeted_otherwise(parameters: &str, messages: &[Message]) -> Option<String> {
    let shown: Vec<String> = messages
        .iter()
        .map(|message| Reply::Message(message.clone()).shown())
        .collect();
    let is_one = shown.first().is_some_and(|first| first == "AuthenticationOk")
        && shown.last().is_some_and(|last| last == "ReadyForQuery I");
    if !is_one {
        return Some(format!("this is no greeting: {shown:#?}"));
    }
    let mut pairs = words::Words::of(parameters).expect("it was read before");
    pairs.pairs().into_iter().find_map(|(name, value)| {
        let line = format!("ParameterStatus {name}={}", words::shown(&value));
        (!shown.contains(&line)).then(|| format!("no {line} in {shown:#?}"))
    })
}
