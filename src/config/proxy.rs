//! `[proxy]`: where clients connect, and what they may use up.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::error::Section;
use super::tls::TlsConfig;
use super::value;

/// PostgreSQL takes no longer message (`PQ_LARGE_MESSAGE_LIMIT` in `src/include/libpq/libpq.h`).
const LARGEST_MESSAGE: usize = (1 << 30) - 2;

/// `[proxy]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// Where to listen for clients; never empty, without duplicates.
    #[serde(deserialize_with = "value::addresses")]
    pub listen: Vec<SocketAddr>,
    /// How many threads move data.
    #[serde(deserialize_with = "value::word")]
    pub workers: Workers,
    /// How many clients may be connected at once, at least 1.
    #[serde(deserialize_with = "value::count")]
    pub max_connections: usize,
    /// How many sessions one user may have at once; 0 for as many as there may be in all.
    #[serde(deserialize_with = "value::count")]
    pub max_connections_per_user: usize,
    /// How long a client may take to sign in, at least 1 s.
    #[serde(deserialize_with = "value::duration")]
    pub login_timeout: Duration,
    /// The largest message, in bytes, that is held in memory to be judged; between 64 KiB and 1 GiB.
    #[serde(deserialize_with = "value::size")]
    pub max_message: usize,
    /// How many bytes of a client are buffered behind a held statement; at least 8 KiB.
    #[serde(deserialize_with = "value::size")]
    pub hold_buffer: usize,
    /// `[proxy.tls]`
    pub tls: TlsConfig,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6432)],
            workers: Workers::Auto,
            max_connections: 10_000,
            max_connections_per_user: 0,
            login_timeout: Duration::from_secs(30),
            max_message: 64 << 20,
            hold_buffer: 1 << 20,
            tls: TlsConfig::default(),
        }
    }
}

impl ProxyConfig {
    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        section.require("listen", !self.listen.is_empty(), "no address to listen on");
        let mut seen = HashSet::new();
        for address in self.listen.iter().filter(|address| address.port() != 0) {
            section.require(
                "listen",
                seen.insert(address),
                format!("{address} is there twice"),
            );
        }
        section.require("max_connections", self.max_connections >= 1, "must be at least 1");
        section.require(
            "login_timeout",
            self.login_timeout >= Duration::from_secs(1),
            "must be at least 1s",
        );
        section.require(
            "max_message",
            (64 << 10..=LARGEST_MESSAGE).contains(&self.max_message),
            "must be between 64KiB and what PostgreSQL itself takes, just under 1GiB",
        );
        section.require(
            "hold_buffer",
            self.hold_buffer >= 8 << 10,
            "must be at least 8KiB",
        );
    }
}

/// How many threads move data: `"auto"` or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// Half of the cores, at least one.
    Auto,
    /// This many.
    Exactly(NonZeroUsize),
}

impl Workers {
    /// The number of threads on this machine.
    #[must_use]
    pub fn count(self) -> NonZeroUsize {
        match self {
            Self::Exactly(count) => count,
            Self::Auto => {
                let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
                NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN)
            }
        }
    }
}

impl FromStr for Workers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text
                .parse()
                .map(Self::Exactly)
                .map_err(|_| format!("\"{text}\" is neither \"auto\" nor a number of threads from 1")),
        }
    }
}
