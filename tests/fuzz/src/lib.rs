//! What the fuzz targets hold the product to. Each check is a plain function, which `tests/it/corpus.rs` runs,
//! too, over the inputs that are committed.
//!
//! The product's modules are compiled into this crate from their own files, as far as they do no I/O.

#![forbid(unsafe_code)]
#![allow(dead_code, reason = "the product's modules are used in part")]

/// The name under which the checks know the product, here as in the product's own tests.
extern crate self as holdpoint;

/// The product's `wire`, without its sockets and its encoders.
#[path = "../../../src/wire"]
pub mod wire {
    pub mod backend;
    pub mod fields;
    pub mod frame;
    pub mod frontend;
    pub mod startup;

    pub use fields::{Fields, Malformed};
    pub use frame::{FrameError, Header};
}

/// What `session::values` names of the product's `model`.
pub mod model {
    /// As in the product.
    #[derive(Debug)]
    pub struct Parameter {
        /// As in the product.
        pub value: Option<String>,
        /// As in the product.
        pub r#type: Option<String>,
    }
}

/// The product's decoder of bound values.
#[path = "../../../src/session"]
mod session {
    mod values;

    pub(crate) fn parameters(
        bind: &crate::wire::frontend::Bind<'_>,
        types: &[u32],
    ) -> Vec<crate::model::Parameter> {
        values::parameters(bind, types)
    }
}

pub mod framer;
pub mod startup;
pub mod values;
