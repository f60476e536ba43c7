//! What can go wrong with the catalogue.

/// Failure of a catalogue operation. "No such update" is never an error but `None`.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A query failed.
    #[error("the catalogue could not be read or written")]
    Query(#[from] diesel::result::Error),
    /// A set-based import statement failed.
    #[error("revisions could not be stored")]
    Bulk(#[from] tokio_postgres::Error),
    /// The right to write has passed to another process.
    #[error("another process has taken over")]
    NotOurs,
    /// The publication that was named does not exist.
    #[error("publication {id} does not exist")]
    NoSuchPublication {
        /// Its row number.
        id: i64,
    },
    /// A stored document does not unpack.
    #[error("a stored document is damaged")]
    Damaged,
    /// A stored value is none that this program writes.
    #[error("the catalogue holds {value}, which is no {what}")]
    Unknown {
        /// What the value should have been.
        what: &'static str,
        /// What was found.
        value: String,
    },
}
