//! The PostgreSQL protocol: framing, messages, replies. The one home of the `pgwire` crate's messages.
//!
//! Imports nothing of ours. Invariants: a frame's body is consumed exactly or refused; text is never
//! decoded lossily; nothing here does I/O but [`Stream`].
//!
//! Source of protocol facts: PostgreSQL manual, "Frontend/Backend Protocol", chapters
//! "Message Flow" and "Message Formats".

pub mod backend;
pub mod fields;
pub mod frame;
mod frame_reader;
pub mod frontend;
pub mod reply;
pub mod request;
mod socket;
pub mod sqlstate;
pub mod startup;
mod stream;

pub use fields::{Fields, Malformed};
pub use frame::{FrameError, Header};
pub use frame_reader::{FrameReader, ReadError};
pub use reply::Report;
pub use socket::{Socket, prepare_listener};
pub use stream::Stream;
