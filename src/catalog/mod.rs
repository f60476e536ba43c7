//! What exists upstream: updates, their revisions, classifications and products.
//!
//! Revisions are stored in bulk ([`import`]) and stay invisible until they are published
//! ([`publish`]); readers only ever see what a publication has finished. This module alone writes
//! the tables of its group in the schema.

pub mod categories;
pub mod changes;
mod circle;
mod convert;
pub mod detail;
pub mod error;
pub mod import;
pub mod kind;
pub mod listing;
mod membership;
pub mod publish;
pub mod revision;
pub mod search;
pub mod texts;
pub mod updates;

pub use error::CatalogError;
pub use kind::Kind;
