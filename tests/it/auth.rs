//! Who comes in, how they prove it, as whom they act, and how many there may be.

mod expelled;
mod limits;
mod meanwhile;
mod members;
mod passthrough;
mod roles;
mod settings;
mod strangers;
