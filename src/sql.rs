//! Judging SQL: from the bytes of a text to what each of its statements can do.
//!
//! Imports `model` alone of ours. The way of a text, a file each:
//!
//! 1. `judge`: the cache (`cache`, with `mask`ed keys), else parsing, here or in the `pool`.
//! 2. `screen`: what is not parsed at all.
//! 3. `grammar`: `libpg_query`, PostgreSQL's own grammar, is the authority on where statements
//!    begin and end and what they are; a text with a backslash is read both ways (`readings`).
//! 4. `statement`: one statement: its kind (`kinds`, `objects`, `definitions`), settings
//!    (`set`), and all that stands inside it: its `tree` is `walk`ed and `gather`ed from
//!    (`nodes` is the allow-list), names are looked up in `names`, calls are judged in `calls` and `columns`.
//! 5. `second`: sqlparser is heard; it may only raise the severity.
//!
//! Invariants:
//! - *Fail closed.* What cannot be parsed, is not known, or makes us panic is `Unknown`. A read
//!   is one whose every node, function and operator is on an allow-list.
//! - *Severity only rises.* No later step makes an effect milder.
//! - *Facts hold no constants of the text*, so that texts which differ in numbers share them.
//! - Trees are dropped on the thread that made them; it has a stack of [`STACK_SIZE`].
//!
//! What a parser cannot see, and what therefore stays with the upstream's catalogue: functions
//! behind views, operators, casts, defaults, triggers and row level security; user functions
//! that overload a name of `pg_catalog` with other argument types; `t.f` for a function `f` of
//! the rows of `t`; a `search_path` that the database or role sets so that `pg_catalog` is not
//! first. Each takes a definition that somebody made before, which is not a read.

mod aliases;
mod cache;
mod calls;
mod catalogue;
mod columns;
mod defines;
mod definitions;
mod findings;
mod gather;
mod grammar;
mod in_place;
mod judge;
mod kinds;
mod mask;
mod names;
mod nodes;
mod objects;
mod operators;
mod outline;
mod own;
mod pool;
mod readings;
mod references;
mod screen;
mod second;
mod set;
pub mod settings;
mod shape;
mod statement;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod weight;
mod writes;

pub use catalogue::{Callee, Catalogue, Definitions, Function, Node, Object, Operator, Sight, Text, Use};
pub use in_place::{counts_its_rows, gives_no_rows};
pub use judge::{Judge, JudgeLimits, is_judgement_of};
pub use own::{OwnFault, OwnStatement, PREFIX as OWN_PREFIX, may_be_own, own_statement};
pub use set::judge_startup_setting;

/// Texts of up to this many bytes are parsed on the caller's thread.
pub const INLINE_MAX: usize = 8 * 1024;

/// The stack of a thread that parses, bytes: 64 MiB. Honest texts nest deeper than the usual 2 MiB
/// hold; `libpg_query` ends a text that nests too deeply with an error before its tree, decoded
/// here, needs more than this. Unoptimised frames are several times as large, and so is the
/// stack then. It is address space; memory is taken as it is used.
pub const STACK_SIZE: usize = if cfg!(debug_assertions) { 512 } else { 64 } * 1024 * 1024;

/// The settings of a session that change what a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Meaning {
    /// Whether a backslash in an ordinary string is a backslash.
    pub standard_conforming_strings: bool,
    /// See [`settings::encoding_is_safe`].
    pub encoding_is_safe: bool,
}
