//! Reads of a pipeline that stand before a write of its: people who decide on the write are shown them.
//!
//! Bounded by [`Reads::LIMIT`] bytes of text for each session; what does not fit is counted.

use bytes::Bytes;

/// Texts for people, bounded.
#[derive(Debug, Default)]
pub(in crate::session) struct Reads {
    texts: Vec<Bytes>,
    bytes: usize,
    left_out: usize,
}

impl Reads {
    /// Bytes of texts that are kept.
    const LIMIT: usize = 16 * 1024;

    /// One more; `None` where its text was not kept.
    pub(in crate::session) fn note(&mut self, text: Option<Bytes>) {
        match text {
            Some(text) if self.bytes + text.len() <= Self::LIMIT => {
                self.bytes += text.len();
                self.texts.push(text);
            }
            _ => self.left_out += 1,
        }
    }

    /// A text with these behind it.
    pub(in crate::session) fn shown_behind(&self, text: Bytes) -> Bytes {
        if self.texts.is_empty() && self.left_out == 0 {
            return text;
        }
        let mut shown = text.to_vec();
        shown.extend_from_slice(
            b"\n\n-- before it in the same pipeline, where the server will not refuse writes:",
        );
        for text in &self.texts {
            shown.push(b'\n');
            shown.extend_from_slice(text);
        }
        if self.left_out > 0 {
            shown.extend_from_slice(
                format!("\n-- (and {} more that passed as reads)", self.left_out).as_bytes(),
            );
        }
        Bytes::from(shown)
    }
}
