//! Networks of clients: an address, or an address and how many of its bits count.
//!
//! Invariants: the bits that do not count are zero; IPv4 addresses within IPv6 (`::ffff:10.0.0.1`), as a
//! socket that listens for both hands them out, are IPv4.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many bits of `::ffff:0:0/96` come before an IPv4 address.
const MAPPED: u8 = 96;

/// All addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `address` or `address/prefix`. The error is a sentence that names the text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| {
            format!("\"{text}\" is no network: write \"10.0.0.0/8\", \"192.168.1.7\" or \"::1\"")
        })?;
        let width = width(base);
        let prefix = match prefix {
            None => width,
            Some(digits) => bits(digits)
                .filter(|prefix| *prefix <= width)
                .ok_or_else(|| format!("\"{text}\": after the slash comes a number from 0 to {width}"))?,
        };
        let network = Self { base, prefix }.canonical();
        let whole = masked(network.base, network.prefix);
        if whole != network.base {
            let whole = Self {
                base: whole,
                ..network
            };
            return Err(format!(
                "\"{text}\" has bits set that /{prefix} leaves out: write \"{address}\" for this one address, or \
                 \"{whole}\" for all of them"
            ));
        }
        Ok(network)
    }

    fn canonical(self) -> Self {
        match self.base {
            IpAddr::V6(base) if self.prefix >= MAPPED => match base.to_ipv4_mapped() {
                Some(base) => Self {
                    base: IpAddr::V4(base),
                    prefix: self.prefix - MAPPED,
                },
                None => self,
            },
            _ => self,
        }
    }

    /// Whether the address is one of them.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && masked(address, self.prefix) == self.base
    }

    /// Whether each of these addresses is one of the other network's, too.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.prefix >= other.prefix && other.contains(self.base)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.base) {
            write!(f, "{}", self.base)
        } else {
            write!(f, "{}/{}", self.base, self.prefix)
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Digits alone: the standard library would take a sign, too.
fn bits(digits: &str) -> Option<u8> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// The address with all bits after the first `prefix` cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_in_the_networks_that_it_begins_like() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.7", "10.0.0.7", true),
            ("192.168.1.7", "192.168.1.7", true),
            ("192.168.1.7", "192.168.1.8", false),
            ("192.168.1.0/25", "192.168.1.127", true),
            ("192.168.1.0/25", "192.168.1.128", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("::1", "::1", true),
            ("::1", "::2", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(
                parsed.contains(address.parse().unwrap()),
                expected,
                "{network} {address}"
            );
            assert_eq!(Network::parse(&parsed.to_string()), Ok(parsed));
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "is no network"),
            ("example.com", "is no network"),
            ("10.0.0", "is no network"),
            ("10.0.0.0/", "a number from 0 to 32"),
            ("10.0.0.0/33", "a number from 0 to 32"),
            ("10.0.0.0/+8", "a number from 0 to 32"),
            ("10.0.0.0/255.0.0.0", "a number from 0 to 32"),
            ("::/129", "a number from 0 to 128"),
            (
                "10.0.0.1/8",
                "has bits set that /8 leaves out: write \"10.0.0.1\" for this one address, or \"10.0.0.0/8\" for",
            ),
            ("2001:db8::1/64", "or \"2001:db8::/64\" for all of them"),
            ("::ffff:10.0.0.1/104", "or \"10.0.0.0/8\" for all of them"),
        ] {
            let error = Network::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_within_is_contained(
            (a, b) in (any::<u32>(), any::<u32>()),
            (narrow, wide) in (0_u8..=32, 0_u8..=32),
        ) {
            let network = |bits: u32, prefix| Network {
                base: masked(IpAddr::V4(Ipv4Addr::from_bits(bits)), prefix),
                prefix,
            };
            let (inner, outer) = (network(a, narrow), network(b, wide));
            let address = IpAddr::V4(Ipv4Addr::from_bits(a));
            prop_assert!(inner.contains(address));
            prop_assert!(!inner.is_within(&outer) || outer.contains(address));
            prop_assert!(inner.is_within(&network(a, wide.min(narrow))));
        }
    }
}
