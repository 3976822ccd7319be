//! Where the intake is in a buffer.

use crate::wire::Header;

/// How far the frames of a buffer are: up to `start` they are done with, up to `at` they are cleared, and of
/// these up to `release` to be forwarded.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) at: usize,
    pub(super) release: usize,
}

impl Span {
    /// The frame at hand, and all before it, needs nothing more.
    pub(super) fn done(&mut self, frame: usize) {
        self.at += frame;
        self.start = self.at;
        self.release = self.at;
    }
}

/// What stands next in a buffer.
#[derive(Debug)]
pub(super) enum Next<'b> {
    /// So many bytes of a message that was cleared.
    Passes(usize),
    /// So many bytes of one that was not.
    Dropped(usize),
    /// So many bytes of one that the server would ignore.
    Ignored(usize),
    /// A whole frame, with its type.
    Frame(u8, &'b [u8]),
    /// A message that has not come in whole, or cannot be gathered.
    Large(Header),
    /// Less than that.
    Incomplete,
}
