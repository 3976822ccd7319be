//! The adversarial corpus.
