//! What keeps the content folder and its list from being brought in line.

use super::StoreError;

/// Why a check of the folder ended early.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database failed: {0}")]
    Query(#[from] diesel::result::Error),
    #[error("no connection to the database: {0}")]
    Pool(String),
    #[error("a file could not be removed: {0}")]
    Removal(std::io::Error),
}
