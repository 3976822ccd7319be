//! While a COPY FROM STDIN takes data: what the client sends that is neither data nor their end.
//!
//! A Flush is forwarded; the server ignores it. A Sync is kept until it is known what comes behind it: if the
//! COPY goes on, it is dropped, as the server would ignore it; if the COPY ends with an error, it is forwarded,
//! and answered. One case is left in which a direct connection is told from this one, and cannot be helped:
//! data that are bad, a Sync, and more of the COPY behind it in one go. The server would answer that Sync, too,
//! if it had seen already that the data are bad, which is known to it alone; here it never does, as where it
//! finds a violated constraint only later.
//!
//! Any other message ends the session, with an error in its COPY and then a FATAL one (PostgreSQL 14 and newer;
//! older ones go on). But if the data before it were bad, the server may have given up the COPY already, with
//! its error still on its way to us, and reads the message as what it is. Which of the two it was decides what
//! the names in later messages stand for, so the server is asked: a CopyFail of ours is answered with its own
//! error if the COPY still took data, and is ignored if not.

use std::task::Context;

use super::{Span, Stop};
use crate::session::Fault;
use crate::session::relay::Session;

/// CopyFail.
const COPY_FAIL: &[u8] = b"f\0\0\0\x27unexpected message from the client\0";

impl Session {
    /// Looks at a frame of this type and size. `false`: it depends on what comes behind it.
    pub(super) fn clear_in_copy(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
        span: &mut Span,
        tag: u8,
        frame: usize,
    ) -> Result<bool, Fault> {
        self.forward(cx, &buffer[span.start..span.at])?;
        span.done(0);
        let tag = if tag == b'S' {
            match buffer.get(span.at + frame) {
                None => return Ok(false),
                Some(b'd' | b'c' | b'f' | b'H' | b'S' | b'X') => {
                    span.done(frame);
                    return Ok(true);
                }
                Some(&behind) => behind,
            }
        } else {
            tag
        };
        self.server.out().extend_from_slice(COPY_FAIL);
        self.inflight.fail_copy();
        self.intake.stop = Some(Stop::InCopy(tag));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Header;

    #[test]
    fn the_copy_fail_is_framed_as_it_says() {
        let header = Header::peek_frontend(COPY_FAIL);
        assert_eq!(header.map(|h| h.map(Header::total)), Ok(Some(COPY_FAIL.len())));
    }
}
