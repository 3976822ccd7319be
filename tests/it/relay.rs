//! The relay: where nothing is held, holdpoint is not there; and no other way leads past the gate.

mod audited;
mod calls;
mod cancel;
mod copy;
mod copying;
mod goodbye;
mod large;
mod login;
mod malformed;
mod names;
mod notify;
mod pauses;
mod pipelines;
mod pooled;
mod settings;
mod startup;
mod texts;
mod unended;

/// A policy under which everything passes.
pub(crate) const EVERYTHING_PASSES: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "everything passes"
    when = { effects = ["session", "read", "write", "schema", "privilege", "server", "unknown"] }
    then = "allow"
"#;
