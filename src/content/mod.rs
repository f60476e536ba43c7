//! The files of updates: which are wanted, and the folder that holds them.
//!
//! A file is named by its SHA-1 and gets its final name only when its length and every digest it has
//! are right, so whatever stands under a final name can be served. This module owns the tables
//! `content_files`, `content_checks` and `content_limits`, and the folder; fetching belongs to `sync`, serving to `downstream`.

pub mod checks;
pub mod cleanup;
mod digests;
mod error;
mod folder;
pub mod limits;
pub mod overview;
pub mod store;
pub mod verify;
pub mod wanted;

pub use error::ContentError;
pub use store::{Partial, Store, StoreError};
