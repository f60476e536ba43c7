//! Why a file could not be fetched now, and what that means for the next try.

use std::time::Duration;

use crate::content::StoreError;
use crate::content::wanted::Failure;
use crate::upstream::{ContentError, UpstreamError};

/// Why a file could not be fetched now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("The update source does not have the file yet. It is asked again.")]
    NotThereYet,
    #[error(
        "The update source does not know this file. Select its product there, or decline the update here."
    )]
    Unknown,
    #[error("The address of the file leads to {host}, which is not among the hosts files may come from.")]
    Host { host: String },
    #[error("The update source names no address for this file.")]
    NoAddress,
    #[error("Fetching it broke off by a fault of Weir; its log says more.")]
    BrokenOff,
}

impl Problem {
    /// How long the source asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Content(ContentError::Status { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    /// What it means for the next try.
    pub fn kind(&self) -> Failure {
        match self {
            Self::NotThereYet => Failure::Waiting,
            // A store that takes nothing now is no fault of the file.
            Self::Store(error) if error.is_of_the_place() => Failure::Place,
            // Until a person has done something about it, each file would only use up its tries.
            Self::Content(ContentError::Upstream(UpstreamError::Proxy(error))) if error.is_sign_in() => {
                Failure::Waiting
            }
            Self::Host { .. } | Self::NoAddress | Self::Unknown => Failure::Final,
            Self::Store(_) | Self::Content(_) | Self::BrokenOff => Failure::Passing,
        }
    }
}
