//! The permit: what may be forwarded, enforced by the compiler.
//!
//! [`stand`] turns policy's decision into a [`Standing`]; only its `Allowed` token, or a
//! [`Running`] request whose digest fits, clears the bytes of a statement in a [`Clearance`];
//! only a `Clearance` gives a [`Permit`]; and only a `Permit` can be sent upstream.

use sha2::{Digest, Sha256};

use super::Running;
use crate::model::{Decision, HoldTerms};

/// What policy's decision means for the statement at hand.
#[derive(Debug)]
pub enum Standing {
    /// It passes.
    Passes(Allowed),
    /// People decide under these terms.
    Held(HoldTerms),
    /// It never runs.
    Denied {
        /// The rule that said so.
        rule: std::sync::Arc<str>,
        /// What the requester reads.
        reason: std::sync::Arc<str>,
    },
}

/// Proof that policy allowed a statement. Made by [`stand`] alone.
#[derive(Debug)]
pub struct Allowed(());

/// Where a statement stands after policy's decision. The only source of [`Allowed`].
#[must_use]
pub fn stand(decision: Decision) -> Standing {
    match decision {
        Decision::Allow | Decision::Observe { .. } => Standing::Passes(Allowed(())),
        Decision::Hold(terms) => Standing::Held(terms),
        Decision::Deny { rule, reason } => Standing::Denied { rule, reason },
    }
}

/// Bytes that were about to be forwarded are not those that were approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes to be forwarded are not those that were approved")]
pub struct Unapproved;

/// How many bytes at the head of a client's buffer may be forwarded.
///
/// Starts at nothing and grows frame by frame, in order.
#[derive(Debug, Default)]
pub struct Clearance {
    cleared: usize,
}

impl Clearance {
    /// Clears the next `len` bytes: frames that run nothing (Sync, Flush, Describe, Close, Parse,
    /// Terminate, COPY data).
    pub fn clear_control(&mut self, len: usize) {
        self.cleared += len;
    }

    /// Clears the next `len` bytes: frames of a statement that policy allowed.
    pub fn clear_allowed(&mut self, len: usize, _proof: Allowed) {
        self.cleared += len;
    }

    /// Clears the frames of a statement that people approved, which stand in `buffer` after what
    /// is cleared already. Refused where their digest is not the one that was approved.
    pub fn clear_approved(&mut self, buffer: &[u8], len: usize, running: &Running) -> Result<(), Unapproved> {
        let end = self.cleared.checked_add(len).ok_or(Unapproved)?;
        let frames = buffer.get(self.cleared..end).ok_or(Unapproved)?;
        if digest(frames) != *running.digest() {
            return Err(Unapproved);
        }
        self.cleared = end;
        Ok(())
    }

    /// Clears nothing any more: the frames are dropped.
    pub fn forget(&mut self) {
        self.cleared = 0;
    }

    /// How many bytes are cleared.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.cleared
    }

    /// Whether nothing is cleared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cleared == 0
    }

    /// The permit for the head of what is cleared, at most all of `frames`, which must stand at the
    /// start of the buffer; the rest stays cleared.
    pub fn take_permit<'b>(&mut self, frames: &'b [u8]) -> Permit<'b> {
        let cleared = self.cleared.min(frames.len());
        self.cleared -= cleared;
        Permit {
            frames: &frames[..cleared],
        }
    }
}

/// Frames that may be forwarded. Private fields: made by a [`Clearance`] alone.
#[derive(Debug)]
pub struct Permit<'b> {
    frames: &'b [u8],
}

impl<'b> Permit<'b> {
    /// The frames that it authorises.
    #[must_use]
    pub const fn frames(&self) -> &'b [u8] {
        self.frames
    }
}

/// The digest under which frames are approved: SHA-256.
#[must_use]
pub(crate) fn digest(frames: &[u8]) -> [u8; 32] {
    Sha256::digest(frames).into()
}
