//! Whether the other side of a connection has read what was sent to it.
//!
//! Two writes become one read where the reader is slow, and a test of cuts would test nothing. So a writer
//! waits, between two pieces, until the kernel says that the reader's queue is empty. Linux alone can be
//! asked; elsewhere the pieces are written one behind the other.
//!
//! Source: `sock_diag(7)`, `include/uapi/linux/inet_diag.h`.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

/// Who reads nothing for so long does not want to: a proxy need not read while it waits for the other side.
const UNWILLING: Duration = Duration::from_millis(100);

/// So many looks in a row, before time is given to others.
const LOOKS: usize = 8;

const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const IPPROTO_TCP: u8 = 6;

/// Header of netlink, and where `idiag_rqueue` stands behind it in `struct inet_diag_msg`.
const HEADER: usize = 16;
const QUEUE: usize = 56;

/// Waits until the process at `peer` has read everything that was sent from `here`.
pub(super) async fn read_by(peer: SocketAddr, here: SocketAddr) {
    let deadline = Instant::now() + UNWILLING;
    let mut looks = 0;
    while unread(peer, here).is_some_and(|bytes| bytes > 0) && Instant::now() < deadline {
        looks += 1;
        if looks % LOOKS == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else {
            tokio::task::yield_now().await;
            std::thread::yield_now();
        }
    }
}

/// How many bytes wait in the queue of the socket that is at `peer` for us and has `here` on its other
/// side. `None`: the kernel does not say, or there is no such socket any more.
pub(super) fn unread(peer: SocketAddr, here: SocketAddr) -> Option<u32> {
    let socket = Socket::new(
        Domain::from(AF_NETLINK),
        Type::DGRAM,
        Some(Protocol::from(NETLINK_SOCK_DIAG)),
    );
    let mut socket = socket.ok()?;
    socket.send(&question(peer, here)?).ok()?;
    let mut answer = [0; 1024];
    let length = socket.read(&mut answer).ok()?;
    let answer = answer.get(..length)?;
    let kind = answer.get(4..6)?.try_into().ok()?;
    if u16::from_ne_bytes(kind) != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let queue = answer.get(HEADER + QUEUE..HEADER + QUEUE + 4)?;
    Some(u32::from_ne_bytes(queue.try_into().ok()?))
}

/// `struct inet_diag_req_v2` for one socket, behind a header of netlink.
fn question(socket: SocketAddr, other: SocketAddr) -> Option<Vec<u8>> {
    let mut body = vec![AF_INET, IPPROTO_TCP, 0, 0];
    // In any state.
    body.extend([0xff; 4]);
    body.extend(socket.port().to_be_bytes());
    body.extend(other.port().to_be_bytes());
    for address in [socket, other] {
        let IpAddr::V4(address) = address.ip() else {
            return None;
        };
        body.extend(address.octets());
        body.extend([0; 12]);
    }
    // Any interface, any cookie.
    body.extend([0; 4]);
    body.extend([0xff; 8]);
    let length = u32::try_from(HEADER + body.len()).ok()?;
    let mut question = length.to_ne_bytes().to_vec();
    question.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    question.extend(NLM_F_REQUEST.to_ne_bytes());
    question.extend([0; 8]);
    question.extend(body);
    Some(question)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_was_not_read_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut there, _) = listener.accept().unwrap();
        let (ours, theirs) = (here.local_addr().unwrap(), here.peer_addr().unwrap());
        here.write_all(b"1234567").unwrap();
        assert_eq!(unread(theirs, ours), Some(7));
        let mut taken = [0; 4];
        there.read_exact(&mut taken).unwrap();
        assert_eq!(unread(theirs, ours), Some(3));
        there.read_exact(&mut taken[..3]).unwrap();
        assert_eq!(unread(theirs, ours), Some(0));
    }
}
