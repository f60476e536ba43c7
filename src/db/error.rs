//! What can go wrong between Weir and its database, one clear sentence each.

/// A fault of the database or of the way to it. Each text is for the person who starts Weir.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("DATABASE_URL is not an address of PostgreSQL that we can read: {reason}.")]
    BadUrl { reason: String },
    #[error(
        "DATABASE_URL asks for an encrypted connection (sslmode=require), which Weir does not speak yet; \
         use a socket, a local port or a tunnel."
    )]
    EncryptionUnsupported,
    #[error("Could not reach the database {place}: {reason}.")]
    Unreachable { place: String, reason: String },
    #[error("The database is PostgreSQL {found}, which is too old; Weir needs version 13 or later.")]
    ServerTooOld { found: String },
    #[error(
        "This program is too old for its database: the database needs Weir {needed} or later, this is {ours}."
    )]
    ProgramTooOld { needed: String, ours: String },
    #[error("Another program has been changing the database schema for more than {waited_s} seconds.")]
    MigrationBusy { waited_s: u32 },
    #[error("The database schema could not be brought up to date: {reason}.")]
    Migration { reason: String },
    #[error(
        "This database belongs to servers with another secret key. Copy the key file of one of them to this server, \
         or name it with WEIR_SECRET_KEY_FILE."
    )]
    OtherKey,
    #[error("The database failed: {0}.")]
    Query(#[from] diesel::result::Error),
    #[error("The database refused a statement: {0}.")]
    Statement(#[from] tokio_postgres::Error),
    #[error("No connection to the database could be opened: {0}.")]
    Pool(#[from] super::PoolError),
}

/// Whether a statement failed because the volume of the database is full. Diesel keeps no error codes, so this goes by
/// PostgreSQL's words.
#[must_use]
pub fn is_disk_full(error: &diesel::result::Error) -> bool {
    match error {
        diesel::result::Error::DatabaseError(_, told) => {
            ["No space left on device", "disk full"].iter().any(|words| told.message().contains(words))
        }
        _ => false,
    }
}

/// Whether a statement failed because the database went away: it was stopped, or the way to it was cut. As above by
/// words where there is no kind.
#[must_use]
pub fn is_away(error: &diesel::result::Error) -> bool {
    use diesel::result::{DatabaseErrorKind as Kind, Error};
    match error {
        Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _) => true,
        Error::DatabaseError(_, told) => {
            ["connection closed", "terminating connection"].iter().any(|words| told.message().contains(words))
        }
        Error::RollbackErrorOnCommit { commit_error, .. } => is_away(commit_error),
        Error::BrokenTransactionManager => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error};

    use super::*;

    fn told(kind: DatabaseErrorKind, words: &str) -> Error {
        Error::DatabaseError(kind, Box::new(words.to_owned()))
    }

    #[test]
    fn a_database_that_went_away_is_told_from_one_that_refuses() {
        assert!(is_away(&told(DatabaseErrorKind::ClosedConnection, "")));
        assert!(is_away(&told(DatabaseErrorKind::Unknown, "connection closed")));
        let cut = "terminating connection due to administrator command";
        assert!(is_away(&told(DatabaseErrorKind::Unknown, cut)));
        assert!(is_away(&Error::BrokenTransactionManager));
        assert!(!is_away(&told(DatabaseErrorKind::UniqueViolation, "duplicate key")));
        assert!(!is_away(&Error::NotFound));
    }

    #[test]
    fn a_full_disk_is_known_by_its_words() {
        assert!(is_disk_full(&told(
            DatabaseErrorKind::Unknown,
            "could not extend file: No space left on device"
        )));
        assert!(!is_disk_full(&told(DatabaseErrorKind::Unknown, "connection closed")));
    }
}
