//! Addresses of networks and of their devices.
//!
//! Source: `network.c`, `inet_net_ntop.c`, `mac.c` and `mac8.c` in `src/backend/utils/adt` and `src/port`.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::wire::{Fields, Malformed};

use super::out::Out;

/// `PGSQL_AF_INET`.
const V4: u8 = 2;
/// `PGSQL_AF_INET6`.
const V6: u8 = 3;

/// The prefix's length is shown where it is not that of a single address.
pub(super) fn inet(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    address(fields, false, out)
}

/// The prefix's length is always shown.
pub(super) fn cidr(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    address(fields, true, out)
}

/// Family, prefix length, a flag that the server does not look at, the number of bytes, the bytes.
fn address(fields: &mut Fields<'_>, is_cidr: bool, out: &mut Out) -> Result<(), Malformed> {
    let (family, prefix, _) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let length = fields.u8()?;
    let bytes = fields.bytes(length.into())?;
    let (number, whole) = match (family, length) {
        (V4, 4) => {
            let bytes: [u8; 4] = bytes.try_into().map_err(|_| WRONG)?;
            let _ = write!(out, "{}", Ipv4Addr::from(bytes));
            (u128::from(u32::from_be_bytes(bytes)) << 96, 32)
        }
        (V6, 16) => {
            let bytes: [u8; 16] = bytes.try_into().map_err(|_| WRONG)?;
            v6(Ipv6Addr::from(bytes), out);
            (u128::from_be_bytes(bytes), 128)
        }
        _ => return Err(WRONG),
    };
    let has_host_bits = number.checked_shl(prefix.into()).is_some_and(|host| host != 0);
    if prefix > whole || is_cidr && has_host_bits {
        return Err(WRONG);
    }
    if is_cidr || prefix != whole {
        let _ = write!(out, "/{prefix}");
    }
    Ok(())
}

const WRONG: Malformed = Malformed("not an address");

/// As the standard library has it, but an IPv4 address in the last 32 bits behind nothing but zeros is shown as one.
fn v6(address: Ipv6Addr, out: &mut Out) {
    let [.., before, last] = address.segments();
    let is_v4 = address.to_bits() >> 32 == 0 && before != 0;
    if is_v4 {
        let [a, b] = before.to_be_bytes();
        let [c, d] = last.to_be_bytes();
        let _ = write!(out, "::{a}.{b}.{c}.{d}");
    } else {
        let _ = write!(out, "{address}");
    }
}

pub(super) fn macaddr(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    device(fields.bytes(6)?, out);
    Ok(())
}

/// Eight bytes, or the six of a `macaddr`, which the server widens.
pub(super) fn macaddr8(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    if fields.rest().len() == 6 {
        device(fields.bytes(3)?, out);
        out.push_str(":ff:fe:");
        device(fields.bytes(3)?, out);
    } else {
        device(fields.bytes(8)?, out);
    }
    Ok(())
}

fn device(bytes: &[u8], out: &mut Out) {
    for (at, byte) in bytes.iter().enumerate() {
        let separator = if at == 0 { "" } else { ":" };
        let _ = write!(out, "{separator}{byte:02x}");
    }
}
