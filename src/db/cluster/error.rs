//! Why a private cluster cannot be used, one sentence each.

use std::path::PathBuf;

/// A fault of the private cluster. Each text says what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "PostgreSQL is not installed; install the package postgresql (13 or later), or set DATABASE_URL."
    )]
    NotInstalled,
    #[error("The installed PostgreSQL is version {newest}; Weir needs version 13 or later.")]
    TooOld { newest: u32 },
    #[error(
        "The database in {} was made by PostgreSQL {made_by}, whose programs are not installed; install the package postgresql-{made_by}.",
        folder.display()
    )]
    OtherVersion { folder: PathBuf, made_by: String },
    #[error("The folder {} cannot be written: {reason}.", folder.display())]
    Unwritable { folder: PathBuf, reason: String },
    #[error(
        "The database runs as the account {account}, which cannot enter the folder {}; run chmod o+x on it, or choose another WEIR_DATA_DIR.",
        folder.display()
    )]
    NotEnterable { folder: PathBuf, account: String },
    #[error("PostgreSQL does not run as root, and there is no account postgres or nobody to run it as.")]
    NoAccount,
    #[error("The database in {} belongs to another account; start Weir as that account.", folder.display())]
    OtherOwner { folder: PathBuf },
    #[error("The folder {} for the database's socket belongs to another account.", folder.display())]
    SocketFolderTaken { folder: PathBuf },
    #[error("Another Weir process has been starting or stopping the private database for over a minute.")]
    Busy,
    #[error("The private database could not be started: {what}.")]
    Failed { what: String },
    /// What the keeper reported, a whole sentence already.
    #[error("{0}")]
    Told(String),
}

impl ClusterError {
    pub(super) fn failed(what: impl std::fmt::Display) -> Self {
        Self::Failed { what: what.to_string().trim_end_matches('.').to_owned() }
    }
}
