//! What statements are taken for, against what they really do on a real PostgreSQL.

mod catalogue;
mod corpus;
mod shield;
mod shield_attacked;
mod shield_behind;
mod shield_pooled;
