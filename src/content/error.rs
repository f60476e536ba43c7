//! Why a file is not in the store, and what keeps the store and its list from being brought in line.

use std::io;

use super::listing::ENTRIES_MAX;

/// Why a file is not in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the content folder cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error("the bucket {bucket} cannot be used: {reason}")]
    Bucket { bucket: String, reason: String },
    #[error("it is not in the store")]
    Missing,
    #[error("it has {found} bytes, and should have {wanted}")]
    Length { found: u64, wanted: u64 },
    #[error("its {digest} digest is wrong, so it was thrown away: {found} in place of {wanted}")]
    Digest { digest: &'static str, found: String, wanted: String },
    #[error("the disk has {free_bytes} bytes free, of which {reserve_bytes} are never used")]
    Full { free_bytes: u64, reserve_bytes: u64 },
    #[error(
        "none of the stored files is in {place}; {guess}. Nothing is fetched until it is there, or until somebody \
         verifies the files and confirms that they are gone"
    )]
    Strange { place: String, guess: &'static str },
    #[error("the content store holds more than {ENTRIES_MAX} files")]
    TooMany,
}

impl StoreError {
    /// The store takes or gives no file now, whichever it is.
    #[must_use]
    pub fn is_of_the_place(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Bucket { .. } | Self::Full { .. } | Self::Strange { .. })
    }

    /// The file is there and is not what it should be.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Length { .. } | Self::Digest { .. })
    }
}

/// Why a check of the store ended early.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database failed: {0}")]
    Query(#[from] diesel::result::Error),
    #[error("no connection to the database: {0}")]
    Pool(String),
    #[error("a file could not be removed: {0}")]
    Removal(StoreError),
}
