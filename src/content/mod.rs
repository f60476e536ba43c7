//! The files of updates: which are wanted, and the folder or bucket that holds them.
//!
//! A file is named by its SHA-1 and gets its final name only when its length and every digest it has
//! are right, so whatever stands under a final name can be served. This module owns the tables
//! `content_files`, `content_checks` and `content_limits`, and the folder or bucket; fetching belongs to `sync`, serving
//! to `downstream`.

mod alone;
mod apart;
mod block;
mod bucket;
pub mod checks;
pub mod chosen;
pub mod cleanup;
mod declined;
mod digests;
mod error;
mod facts;
mod keep;
pub mod limits;
mod listing;
mod mark;
mod opening;
pub mod overview;
mod partial;
mod room;
pub mod store;
pub mod verify;
pub mod wanted;

pub use apart::Threads;
pub use declined::is_declined;
pub use error::{ContentError, StoreError};
pub use facts::FileFacts;
pub use keep::Whole;
pub use partial::Partial;
pub use room::Space;
pub use store::{Contents, Store, Stored};
