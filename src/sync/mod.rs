//! Synchronization: asks the update source what there is, fetches what is missing, and makes it visible.
//!
//! [`plan`] decides and does no I/O; `run` carries a run out, phase by phase; [`runs`] keeps the story of every run
//! and sees to it that there is one at a time; [`schedule`] starts runs at their time.

mod commit;
mod context;
mod decode;
mod error;
mod facts;
mod fetch;
pub mod files;
mod hosts;
mod import;
mod job;
mod listing;
pub mod offer;
pub mod once;
pub mod owed;
pub mod plan;
mod prober;
mod progress;
pub mod retention;
mod run;
pub mod runs;
pub mod schedule;
mod selection;
mod sources;

pub use context::{ContentPlace, MicrosoftUpdate, SyncContext};
pub use error::{RunError, SyncError};
pub use files::Download;
pub use job::Synchronize;
pub use prober::Prober;
