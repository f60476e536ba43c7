//! Synchronization: asks the update source what there is, fetches what is missing, and makes it visible.
//!
//! [`plan`] decides and does no I/O; `run` carries a run out, phase by phase; [`runs`] keeps the story of every run
//! and sees to it that there is one at a time; [`schedule`] starts runs at their time.

mod bandwidth;
pub mod calls;
mod commit;
mod content_check;
mod context;
mod decode;
pub mod destinations;
pub mod editions;
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
mod pace;
pub mod plan;
mod prober;
mod progress;
mod requests;
pub mod retention;
pub mod retries;
mod run;
pub mod runs;
pub mod schedule;
mod selection;
mod sources;
mod state;

pub use content_check::ContentCheck;
pub use context::{ContentPlace, MicrosoftUpdate, SyncContext};
pub use error::{RunError, SyncError};
pub use files::Download;
pub use job::Synchronize;
pub use prober::Prober;
