//! The one queue for background work, in PostgreSQL, and the workers that take from it.
//!
//! A job is a row. A worker claims it, holds a lease that it renews while it works, and writes the outcome. The
//! lease carries a fence, a number that rises with each claim: what a late owner still wants to write is refused.
//! This module knows no particular job.

mod error;
mod instance;
mod lease;
mod queue;
mod worker;

pub use error::{JobError, QueueError};
pub use instance::{Instance, any_alive};
pub use lease::Lease;
pub use queue::{Claim, Enqueued, cancel_waiting, enqueue, reclaim_abandoned};
pub use worker::{Job, Worker};
