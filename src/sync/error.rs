//! Why a run did not succeed.

use serde::{Deserialize, Serialize};

use super::plan::EmptySelection;
use crate::approvals::ApprovalError;
use crate::catalog::CatalogError;
use crate::db::PoolError;
use crate::jobs::QueueError;
use crate::settings::SettingsError;
use crate::upstream::{Hop, UpstreamError};

/// A failure of a synchronization, or of asking for one.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("the catalogue failed: {0}")]
    Catalog(#[from] CatalogError),
    #[error("the database failed: {0}")]
    Query(#[from] diesel::result::Error),
    #[error("no connection to the database: {0}")]
    Pool(#[from] PoolError),
    #[error("the database connection for the import failed: {0}")]
    Import(#[from] crate::db::DbError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Empty(#[from] EmptySelection),
    #[error("{0}")]
    Approval(#[from] ApprovalError),
    #[error("{0}")]
    Unusable(String),
    #[error("The synchronization was stopped.")]
    Canceled,
    #[error("Weir was shut down.")]
    ShutDown,
    #[error("Another Weir has taken this synchronization over.")]
    LeaseLost,
    #[error("An internal fault happened. Quote {incident} when you report it.")]
    Panicked { incident: uuid::Uuid },
}

/// Kinds of database trouble that a person, or a repetition, can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The volume of the database is full.
    DiskFull,
    /// Other transactions were in the way; the same again may succeed.
    Conflict,
    /// The connection is gone, or there was none.
    Away,
}

/// The story of a failure as it is kept with its run and shown to people and programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunError {
    /// WSUS's name for this kind of error.
    pub code: String,
    /// What happened: a sentence.
    pub message: String,
    /// Where on the way.
    pub hop: String,
    /// What a person can do.
    pub advice: String,
    /// What was kept.
    pub kept: String,
    /// What happens next.
    pub next: String,
}

impl SyncError {
    /// WSUS's name for this kind of error (SynchronizationError).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Upstream(error) => error.code(),
            _ if self.trouble() == Some(Trouble::Conflict) => "LocalDbTooBusy",
            _ if self.trouble() == Some(Trouble::Away) => "LocalDbConnectFail",
            Self::Pool(_) | Self::Import(_) => "LocalDbConnectFail",
            Self::Catalog(_) | Self::Query(_) | Self::Queue(_) | Self::Settings(_) => "LocalDbOtherError",
            Self::Approval(_) => "ApprovalError",
            Self::Empty(_) | Self::Unusable(_) => "NotApplicable",
            Self::Canceled => "UserCanceled",
            Self::ShutDown | Self::LeaseLost | Self::Panicked { .. } => "Unknown",
        }
    }

    /// Where it failed.
    pub fn hop(&self) -> Hop {
        match self {
            Self::Upstream(error) => error.hop(),
            Self::Empty(_) | Self::Unusable(_) => Hop::Settings,
            _ => Hop::Database,
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Upstream(error) => error.advice(),
            Self::Empty(_) => "Choose products and classifications under Options, then synchronize again.",
            Self::Unusable(_) => "Correct the settings under Options, then synchronize again.",
            Self::Canceled => "Synchronize again when you want to go on.",
            Self::ShutDown | Self::LeaseLost => {
                "Nothing needs to be done; the synchronization goes on by itself."
            }
            Self::Panicked { .. } => "Look at the log of this server under that number.",
            _ => match self.trouble() {
                Some(Trouble::DiskFull) => "Make room on the disk of the database, then synchronize again.",
                Some(Trouble::Conflict) => "Synchronize again when less is going on in the database.",
                _ => "Check that the database runs, then synchronize again.",
            },
        }
    }

    /// May the same transaction succeed when it is begun again?
    pub(super) fn is_conflict(&self) -> bool {
        self.trouble() == Some(Trouble::Conflict)
    }

    fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Pool(_) | Self::Import(_) => Some(Trouble::Away),
            Self::Catalog(CatalogError::Bulk(error)) => trouble_of_import(error),
            Self::Catalog(CatalogError::Query(error))
            | Self::Query(error)
            | Self::Queue(QueueError::Query(error)) => trouble_of_query(error),
            _ => None,
        }
    }

    /// The story to keep. `stored` is how many revisions this run has stored.
    pub fn story(&self, stored: i64) -> RunError {
        let hop = match self {
            Self::Canceled | Self::ShutDown | Self::LeaseLost | Self::Panicked { .. } => String::new(),
            _ => self.hop().name().to_owned(),
        };
        RunError {
            code: self.code().to_owned(),
            message: match self.trouble() {
                Some(Trouble::DiskFull) => "The disk of the database is full.".to_owned(),
                Some(Trouble::Conflict) => {
                    "The database was too busy: other work was in the way at every attempt.".to_owned()
                }
                Some(Trouble::Away) => {
                    "The connection to the database was lost, or none could be opened.".to_owned()
                }
                None => sentence(&self.to_string()),
            },
            hop,
            advice: self.advice().to_owned(),
            kept: match stored {
                0 => "The catalogue is as it was before.".to_owned(),
                1 => "One revision was stored completely and is kept.".to_owned(),
                count => format!("{count} revisions were stored completely and are kept."),
            },
            next: "The next synchronization goes on from there and asks only for what is missing.".to_owned(),
        }
    }
}

fn trouble_of_import(error: &tokio_postgres::Error) -> Option<Trouble> {
    use tokio_postgres::error::SqlState;
    if error.is_closed() {
        return Some(Trouble::Away);
    }
    match error.code()? {
        code if *code == SqlState::DISK_FULL => Some(Trouble::DiskFull),
        code if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) => {
            Some(Trouble::Conflict)
        }
        code if [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].contains(code) => Some(Trouble::Away),
        _ => None,
    }
}

/// Diesel keeps no error codes, so what it has no kind for is known by PostgreSQL's words.
fn trouble_of_query(error: &diesel::result::Error) -> Option<Trouble> {
    use diesel::result::{DatabaseErrorKind as Kind, Error};
    if crate::db::is_away(error) {
        return Some(Trouble::Away);
    }
    let (kind, told) = match error {
        Error::DatabaseError(kind, told) => (kind, told),
        Error::RollbackErrorOnCommit { commit_error, .. } => return trouble_of_query(commit_error),
        _ => return None,
    };
    match kind {
        Kind::SerializationFailure => Some(Trouble::Conflict),
        _ if told.message().contains("deadlock detected") => Some(Trouble::Conflict),
        _ if crate::db::is_disk_full(error) => Some(Trouble::DiskFull),
        _ => None,
    }
}

/// First letter large, full stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.trim().chars();
    let mut whole: String =
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    if !whole.ends_with(['.', '?', '"']) {
        whole.push('.');
    }
    whole
}
