//! Tries the way to an update source step by step, as a synchronization goes it, and says of each step what was
//! found, how long it took, and what to do when it fails. Nothing is stored or changed anywhere.

mod source;
mod step;
mod way;

pub use source::{Probe, Scope};
pub use step::{Outcome, Station, Step};

use std::time::Duration;

use super::limits::TransportLimits;
use super::retry::RetryPolicy;

/// The longest a step may take. Ours.
const STEP_MAX: Duration = Duration::from_secs(10);

fn limits() -> TransportLimits {
    TransportLimits {
        connect: STEP_MAX,
        headers: STEP_MAX,
        call: STEP_MAX,
        idle: STEP_MAX,
        ..TransportLimits::default()
    }
}

fn no_repetition() -> RetryPolicy {
    RetryPolicy { attempts_max: 1, ..RetryPolicy::default() }
}
