//! The one queue for background work, in PostgreSQL, and the workers that take from it.
//!
//! A job is a row. A worker claims it, holds a lease that it renews while it works, and writes the outcome. The
//! lease carries a fence, a number that rises with each claim: what a late owner still wants to write is refused.
//! This module knows no particular job.

mod channel;
mod error;
mod instance;
mod lease;
mod listing;
mod queue;
pub mod retention;
mod state;
mod worker;

pub use error::{JobError, QueueError};
pub use instance::{Instance, any_worker_alive};
pub use lease::Lease;
pub use listing::{InstanceRow, JobRow, find_job, list_instances, list_jobs};
pub use queue::{Enqueued, cancel, cancel_waiting, enqueue, enqueue_regularly, retry};
pub use state::JobState;
pub use worker::{Job, Worker};
