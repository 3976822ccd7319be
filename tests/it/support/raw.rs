//! A client that speaks the protocol by hand, byte for byte.
//!
//! Source: PostgreSQL manual, "Message Formats".

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use postgres_protocol::message::frontend;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::Proxy;
use super::cluster::cluster;
use super::poll::in_time;
use super::tls::Carrier;

/// SSLRequest.
pub(crate) const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];

/// Who takes nothing for so long takes nothing more.
const STALLED: Duration = Duration::from_millis(300);

/// The connection.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: BufReader<Carrier>,
    /// The key that the server gave for cancelling.
    pub(crate) key: Vec<u8>,
    /// The server's first message in SCRAM.
    pub(crate) challenge: String,
    /// As whom it wants to be logged in.
    user: String,
}

/// A message of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(proxy: SocketAddr) -> Self {
        let stream = TcpStream::connect(proxy).await.expect("the proxy listens");
        stream.set_nodelay(true).expect("a TCP stream");
        Self {
            stream: BufReader::with_capacity(64 * 1024, Carrier::Plain(stream)),
            key: Vec::new(),
            challenge: String::new(),
            user: String::new(),
        }
    }

    /// The handshake of TLS, now.
    pub(crate) async fn into_tls(self, config: ClientConfig) -> io::Result<Self> {
        assert!(self.stream.buffer().is_empty(), "there is something in the clear");
        let carrier = self.stream.into_inner();
        let carrier = in_time("the handshake ends", carrier.into_tls(config)).await?;
        Ok(Self {
            stream: BufReader::with_capacity(64 * 1024, carrier),
            ..self
        })
    }

    /// TLS as it is asked for: an SSLRequest, `S`, and the handshake.
    pub(crate) async fn ask_for_tls(mut self, config: ClientConfig) -> io::Result<Self> {
        self.send(SSL_REQUEST).await;
        assert_eq!(self.byte().await, b'S');
        self.into_tls(config).await
    }

    /// A connection to the database itself, past holdpoint.
    pub(crate) async fn past(proxy: &Proxy) -> Self {
        let mut raw = Self::connect(([127, 0, 0, 1], cluster().port).into()).await;
        raw.log_in("app_trust", "", &proxy.database.name).await;
        raw
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        };
        in_time("the proxy reads", sending)
            .await
            .expect("the connection is open");
    }

    /// As [`Self::send`], where the proxy may have closed the connection.
    pub(crate) async fn send_in_vain(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = in_time("the proxy reads", self.stream.write_all(bytes.as_ref())).await;
    }

    /// Sends as much as is taken, until nothing has been taken for a moment.
    /// Gives how much that was.
    pub(crate) async fn send_until_stalled(&mut self, bytes: impl AsRef<[u8]>) -> usize {
        let all = bytes.as_ref().len();
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let writing = tokio::time::timeout(STALLED, self.stream.write(rest));
            match writing.await {
                Ok(Ok(n)) => rest = &rest[n..],
                _ => break,
            }
        }
        all - rest.len()
    }

    /// Sends while it reads, and gives the messages up to `ReadyForQuery`.
    pub(crate) async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Message> {
        let (read, mut write) = tokio::io::split(self.stream.get_mut());
        let mut read = BufReader::with_capacity(64 * 1024, read);
        let sending = async {
            let sent = write.write_all(bytes.as_ref()).await;
            sent.expect("the connection is open");
        };
        let reading = async {
            let mut messages = Vec::new();
            while messages.last().is_none_or(|m: &Message| m.tag != b'Z') {
                messages.push(read_message(&mut read).await.expect("the connection is open"));
            }
            messages
        };
        in_time("the answers", async { tokio::join!(sending, reading).1 }).await
    }

    /// The next message; `None` at the connection's end.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        in_time("a message", self.read_message()).await
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Message {
        self.next().await.expect("the connection is open")
    }

    /// Messages up to the first of this type.
    pub(crate) async fn up_to(&mut self, tag: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await;
            let message = message.unwrap_or_else(|| panic!("closed after {}", tags(&messages)));
            let last = message.tag == tag;
            messages.push(message);
            if last {
                return messages;
            }
        }
    }

    /// Messages up to `ReadyForQuery`.
    pub(crate) async fn ready(&mut self) -> Vec<Message> {
        self.up_to(b'Z').await
    }

    /// Messages up to the last of so many `ReadyForQuery`.
    pub(crate) async fn answers(&mut self, times: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        for _ in 0..times {
            messages.extend(self.ready().await);
        }
        messages
    }

    /// Messages up to the connection's end.
    pub(crate) async fn rest(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        messages
    }

    /// Sends a startup packet.
    pub(crate) async fn start_up(&mut self, parameters: &[(&str, &str)]) {
        let user = parameters.iter().rfind(|(name, _)| *name == "user");
        self.user = user.map_or("", |(_, user)| user).to_owned();
        let mut packet = BytesMut::new();
        frontend::startup_message(parameters.iter().copied(), &mut packet).expect("a packet");
        self.send(packet).await;
    }

    /// Sends a startup packet of this protocol, as alice's for her database, with further parameters.
    pub(crate) async fn start_up_with(&mut self, version: u32, parameters: &[(&str, &str)]) {
        let mut body = version.to_be_bytes().to_vec();
        // Of two values for one name, the last counts.
        for (name, value) in [("user", "alice"), ("database", "shop")].iter().chain(parameters) {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).expect("a small body");
        self.send([&length.to_be_bytes()[..], &body].concat()).await;
    }

    /// Logs in, up to the first `ReadyForQuery`.
    pub(crate) async fn log_in(&mut self, user: &str, password: &str, database: &str) {
        self.start_up(&[("user", user), ("database", database)]).await;
        let greeting = self.authenticate(password).await;
        assert_eq!(
            greeting.last().map(|m| m.tag),
            Some(b'Z'),
            "{}",
            describe(&greeting)
        );
    }

    /// Answers for a password in the way that is asked for, behind a startup packet. Gives what comes after it:
    /// messages up to the first `ReadyForQuery`, to an error, or to the connection's end.
    pub(crate) async fn authenticate(&mut self, password: &str) -> Vec<Message> {
        self.authenticate_behind(password, || {}).await
    }

    /// As [`Self::authenticate`], with something done between the server's challenge and the client's proof.
    pub(crate) async fn authenticate_behind(
        &mut self,
        password: &str,
        mut meanwhile: impl FnMut(),
    ) -> Vec<Message> {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let mut after = Vec::new();
        while let Some(message) = self.next().await {
            let mut answer = BytesMut::new();
            match (message.tag, message.authentication()) {
                (b'R', 3) => {
                    frontend::password_message(password.as_bytes(), &mut answer).expect("a message");
                }
                (b'R', 5) => {
                    let salt = *message.body[4..].first_chunk().expect("a salt");
                    let hash = md5_hash(self.user.as_bytes(), password.as_bytes(), salt);
                    frontend::password_message(hash.as_bytes(), &mut answer).expect("a message");
                }
                (b'R', 10) => {
                    frontend::sasl_initial_response("SCRAM-SHA-256", scram.message(), &mut answer)
                        .expect("a message");
                }
                (b'R', 11) => {
                    self.challenge = String::from_utf8_lossy(&message.body[4..]).into_owned();
                    scram.update(&message.body[4..]).expect("a server-first message");
                    frontend::sasl_response(scram.message(), &mut answer).expect("a message");
                    meanwhile();
                }
                (b'R', 12) => scram
                    .finish(&message.body[4..])
                    .expect("the proxy knows the password"),
                (b'Z' | b'E', _) => {
                    after.push(message);
                    return after;
                }
                (tag, _) => {
                    if tag == b'K' {
                        self.key.clone_from(&message.body);
                    }
                    after.push(message);
                }
            }
            self.send(answer).await;
        }
        after
    }

    /// Leaves: when this returns, the proxy's side of the connection knows. To drop it is not enough, for a
    /// child process that another test is just starting may hold on to it for a moment.
    pub(crate) async fn leave(mut self) {
        self.stream.shutdown().await.expect("the connection is open");
    }

    /// Sends nothing more; what the proxy has to say can still be read.
    pub(crate) async fn leave_half(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Says by TLS's own means that nothing more comes, and leaves the connection beneath as it is.
    pub(crate) async fn says_the_end(&mut self) {
        let Carrier::Tls(stream) = self.stream.get_mut() else {
            panic!("it is no TLS");
        };
        stream.get_mut().1.send_close_notify();
        self.stream.flush().await.expect("the connection is open");
    }

    /// Bytes up to the connection's end, or its failure.
    pub(crate) async fn remaining_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = in_time("the end", self.stream.read_to_end(&mut bytes)).await;
        bytes
    }

    /// Messages up to an end that TLS itself has said: else the rest could have been cut off.
    pub(crate) async fn clean_end(&mut self) -> Vec<Message> {
        let mut bytes = Vec::new();
        in_time("the end", self.stream.read_to_end(&mut bytes))
            .await
            .expect("a clean end");
        let mut rest = &bytes[..];
        let mut messages = Vec::new();
        while let [tag, a, b, c, d, behind @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize - 4;
            let (body, next) = behind.split_at(length);
            messages.push(Message {
                tag: *tag,
                body: body.to_vec(),
            });
            rest = next;
        }
        messages
    }

    /// Our address, and that of the other side.
    pub(crate) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let Carrier::Plain(stream) = self.stream.get_ref() else {
            panic!("it is no plain TCP");
        };
        let ours = stream.local_addr().expect("a TCP stream");
        (ours, stream.peer_addr().expect("it is connected"))
    }

    /// Whether the other side closes the connection without a word.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.next().await.is_none()
    }

    /// The next byte, as it answers a question about encryption.
    pub(crate) async fn byte(&mut self) -> u8 {
        self.next_byte().await.expect("the connection is open")
    }

    /// As [`Self::byte`]; `None` at the connection's end.
    pub(crate) async fn next_byte(&mut self) -> Option<u8> {
        in_time("a byte", self.stream.read_u8()).await.ok()
    }

    async fn read_message(&mut self) -> Option<Message> {
        read_message(&mut self.stream).await
    }
}

async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Option<Message> {
    let tag = stream.read_u8().await.ok()?;
    let length = stream.read_u32().await.ok()? as usize;
    assert!(length >= 4, "a message of type {} says {length}", tag as char);
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await.ok()?;
    Some(Message { tag, body })
}

impl Message {
    /// The kind of an Authentication message.
    fn authentication(&self) -> u32 {
        self.body
            .first_chunk()
            .map_or(0, |kind| u32::from_be_bytes(*kind))
    }

    /// A field of an `ErrorResponse` or a `NoticeResponse`: `C` is its code, `M` its message.
    pub(crate) fn field(&self, field: u8) -> Option<String> {
        assert!(matches!(self.tag, b'E' | b'N'), "{self:?}");
        let mut fields = self.body.split(|&byte| byte == 0);
        let value = fields.find_map(|f| f.strip_prefix(&[field]))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The message without the fields that differ from session to session: where in PostgreSQL's source an
    /// error arose, and the schema, which is a number for temporary tables.
    pub(crate) fn without_source(mut self) -> Self {
        if matches!(self.tag, b'E' | b'N') {
            let fields = self.body.split(|&byte| byte == 0);
            let kept = fields.filter(|field| !matches!(field.first(), Some(b'F' | b'L' | b'R' | b's')));
            self.body = kept.collect::<Vec<_>>().join(&0);
        }
        self
    }

    /// The SQLSTATE of an `ErrorResponse`.
    pub(crate) fn code(&self) -> String {
        self.field(b'C').expect("every error has a code")
    }

    /// The text of a body that is one, as that of `CommandComplete`.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body.strip_suffix(&[0]).unwrap_or(&self.body)).into_owned()
    }

    /// The values of a `DataRow`, as texts.
    pub(crate) fn values(&self) -> Vec<String> {
        assert_eq!(self.tag, b'D', "{self:?}");
        let mut rest = &self.body[2..];
        let mut values = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
            values.push(String::from_utf8_lossy(&behind[..length]).into_owned());
            rest = &behind[length..];
        }
        values
    }
}

/// The types of messages, without the notices of holds.
pub(crate) fn tags(messages: &[Message]) -> String {
    messages
        .iter()
        .filter(|m| m.tag != b'N')
        .map(|m| m.tag as char)
        .collect()
}

/// Messages for a person.
pub(crate) fn describe(messages: &[Message]) -> String {
    let lines = messages.iter().map(|m| {
        let text = String::from_utf8_lossy(&m.body).replace('\0', "·");
        format!("{} {text}\n", m.tag as char)
    });
    lines.collect()
}

/// Messages of a client's, one behind the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames(BytesMut);

impl Frames {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn query(mut self, sql: &str) -> Self {
        frontend::query(sql, &mut self.0).expect("a message");
        self
    }

    pub(crate) fn parse(mut self, name: &str, sql: &str) -> Self {
        frontend::parse(name, sql, [], &mut self.0).expect("a message");
        self
    }

    /// As [`Self::parse`], with the types of the parameters.
    pub(crate) fn parse_typed(mut self, name: &str, sql: &str, types: &[u32]) -> Self {
        frontend::parse(name, sql, types.iter().copied(), &mut self.0).expect("a message");
        self
    }

    /// Values as text.
    pub(crate) fn bind(mut self, portal: &str, statement: &str, values: &[&str]) -> Self {
        let write = |value: &&str, out: &mut BytesMut| {
            out.extend_from_slice(value.as_bytes());
            Ok(IsNull::No)
        };
        let bound = frontend::bind(portal, statement, [], values.iter(), write, [], &mut self.0);
        assert!(bound.is_ok(), "a message");
        self
    }

    /// At most so many rows; 0 means all.
    pub(crate) fn execute(mut self, portal: &str, rows: i32) -> Self {
        frontend::execute(portal, rows, &mut self.0).expect("a message");
        self
    }

    /// Parse, Bind and Execute, all unnamed.
    pub(crate) fn statement(self, sql: &str) -> Self {
        self.parse("", sql).bind("", "", &[]).execute("", 0)
    }

    pub(crate) fn describe_portal(mut self, portal: &str) -> Self {
        frontend::describe(b'P', portal, &mut self.0).expect("a message");
        self
    }

    pub(crate) fn describe_statement(mut self, name: &str) -> Self {
        frontend::describe(b'S', name, &mut self.0).expect("a message");
        self
    }

    pub(crate) fn close_statement(mut self, name: &str) -> Self {
        frontend::close(b'S', name, &mut self.0).expect("a message");
        self
    }

    pub(crate) fn close_portal(mut self, name: &str) -> Self {
        frontend::close(b'P', name, &mut self.0).expect("a message");
        self
    }

    pub(crate) fn sync(mut self) -> Self {
        frontend::sync(&mut self.0);
        self
    }

    pub(crate) fn flush(mut self) -> Self {
        frontend::flush(&mut self.0);
        self
    }

    pub(crate) fn terminate(mut self) -> Self {
        frontend::terminate(&mut self.0);
        self
    }

    /// Any message.
    pub(crate) fn frame(mut self, tag: u8, body: &[u8]) -> Self {
        let length = u32::try_from(body.len() + 4).expect("a small body");
        self.0.extend_from_slice(&[tag]);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(body);
        self
    }

    /// Any bytes.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

impl AsRef<[u8]> for Frames {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
