//! Where a stream of messages is cut into writes.

/// Where it is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cuts {
    /// Nowhere: what is sent at once is written at once.
    Nowhere,
    /// Behind each of the first bytes of every message.
    EachByte,
    /// Before this byte of every message; so a write ends inside of one and begins the next.
    Before(usize),
    /// At these places of the whole stream, in ascending order.
    At(Vec<usize>),
}

/// Of a longer message the rest is written at once.
const CUT_OF_EACH: usize = 64;

/// Cuts one stream.
#[derive(Debug)]
pub(super) struct Cutter {
    cuts: Cuts,
    /// How many bytes of the stream have been seen.
    seen: usize,
}

impl Cutter {
    pub(super) fn new(cuts: Cuts) -> Self {
        Self { cuts, seen: 0 }
    }

    /// Cuts the next bytes. `offsets` are those of the bytes in their messages.
    pub(super) fn pieces<'b>(
        &mut self,
        bytes: &'b [u8],
        offsets: impl IntoIterator<Item = usize>,
    ) -> Vec<&'b [u8]> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for (at, offset) in offsets.into_iter().take(bytes.len()).enumerate() {
            if at > start && self.is_before(offset) {
                pieces.push(&bytes[start..at]);
                start = at;
            }
            self.seen += 1;
        }
        if start < bytes.len() {
            pieces.push(&bytes[start..]);
        }
        pieces
    }

    fn is_before(&self, offset: usize) -> bool {
        match &self.cuts {
            Cuts::Nowhere => false,
            Cuts::EachByte => offset <= CUT_OF_EACH,
            Cuts::Before(wanted) => offset == *wanted,
            Cuts::At(places) => places.binary_search(&self.seen).is_ok(),
        }
    }
}

/// Follows messages with a type and a length through a stream.
#[derive(Debug, Default)]
pub(super) struct Framing {
    header: Vec<u8>,
    /// How far the message at hand is.
    offset: usize,
    /// Its size, once it is known.
    size: usize,
}

impl Framing {
    /// The offset in its message of each of the next bytes.
    pub(super) fn offsets(&mut self, bytes: &[u8]) -> Vec<usize> {
        bytes.iter().map(|byte| self.step(*byte)).collect()
    }

    fn step(&mut self, byte: u8) -> usize {
        let offset = self.offset;
        if offset < 5 {
            self.header.push(byte);
        }
        self.offset += 1;
        if let [_, a, b, c, d] = self.header[..] {
            self.size = u32::from_be_bytes([a, b, c, d]) as usize + 1;
        }
        if self.offset >= 5 && self.offset >= self.size {
            *self = Self::default();
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(cuts: Cuts) -> Vec<&'static [u8]> {
        let stream = b"S\0\0\0\x04Q\0\0\0\x06a\0";
        let offsets = Framing::default().offsets(stream);
        Cutter::new(cuts).pieces(stream, offsets)
    }

    #[test]
    fn a_stream_is_cut_where_it_should_be() {
        assert_eq!(pieces(Cuts::Nowhere), [b"S\0\0\0\x04Q\0\0\0\x06a\0"]);
        assert_eq!(pieces(Cuts::EachByte).len(), 12);
        assert_eq!(
            pieces(Cuts::Before(2)),
            [&b"S\0"[..], b"\0\0\x04Q\0", b"\0\0\x06a\0"]
        );
        assert_eq!(pieces(Cuts::Before(0)), [&b"S\0\0\0\x04"[..], b"Q\0\0\0\x06a\0"]);
        assert_eq!(
            pieces(Cuts::At(vec![0, 1, 11, 50])),
            [&b"S"[..], b"\0\0\0\x04Q\0\0\0\x06a", b"\0"]
        );
    }

    #[test]
    fn places_count_through_the_whole_stream() {
        let mut cutter = Cutter::new(Cuts::At(vec![4]));
        assert_eq!(cutter.pieces(b"abc", 0..), [b"abc"]);
        assert_eq!(cutter.pieces(b"def", 0..), [&b"d"[..], b"ef"]);
    }

    #[test]
    fn a_long_message_is_cut_at_its_beginning_only() {
        let long = [b'x'; 500];
        assert_eq!(
            Cutter::new(Cuts::EachByte).pieces(&long, 0..).len(),
            CUT_OF_EACH + 1
        );
    }
}
