//! The address of a database.

use super::DbError;
use std::fmt;
use std::str::FromStr;

/// Where the database is: a `postgres://` URL or a `key=value` string, both as libpq reads them.
///
/// May hold a password, so it is never shown: `Debug` and `Display` name host and database only.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    raw: String,
    place: String,
}

impl DatabaseUrl {
    /// Longest accepted address, in bytes.
    pub const LEN_MAX: usize = 4_096;

    /// # Errors
    /// [`DbError::BadUrl`] when it cannot be read, [`DbError::EncryptionUnsupported`] when it demands TLS.
    pub fn parse(raw: impl Into<String>) -> Result<Self, DbError> {
        let raw = raw.into();
        if raw.len() > Self::LEN_MAX {
            return Err(DbError::BadUrl { reason: format!("it is longer than {} bytes", Self::LEN_MAX) });
        }
        let config = tokio_postgres::Config::from_str(&raw)
            .map_err(|error| DbError::BadUrl { reason: reason(&error) })?;
        if config.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
            return Err(DbError::EncryptionUnsupported);
        }
        if config.get_hosts().is_empty() {
            return Err(DbError::BadUrl { reason: "it names no host".into() });
        }
        Ok(Self { place: place(&config), raw })
    }

    /// The address as given, password included. For opening connections only.
    pub fn as_str(&self) -> &str {
        &self.raw
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.place)
    }
}

/// `"weir" at db.example:5432`
fn place(config: &tokio_postgres::Config) -> String {
    use tokio_postgres::config::Host;
    let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts().first() {
        Some(Host::Tcp(host)) => format!("\"{name}\" at {host}:{port}"),
        Some(Host::Unix(folder)) => format!("\"{name}\" at {}", folder.display()),
        None => format!("\"{name}\""),
    }
}

/// The innermost cause, which is the part a person can act on.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(refused) = error.as_db_error() {
        return refused.message().trim_end_matches('.').to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let url = DatabaseUrl::parse("postgres://weir:planted-secret@db.example:5433/weir").unwrap();
        assert_eq!(url.to_string(), "\"weir\" at db.example:5433");
        assert!(!format!("{url:?}").contains("planted-secret"));
        assert!(url.as_str().contains("planted-secret"));
    }

    #[test]
    fn an_unreadable_address_is_refused_without_repeating_it() {
        for bad in ["postgres://weir:planted-secret@db:notaport/x", "planted-secret", "", "user=weir"] {
            let error = DatabaseUrl::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("DATABASE_URL is not"), "{bad}: {error}");
            assert!(!error.contains("planted-secret"), "{bad}: {error}");
        }
    }

    #[test]
    fn demanded_encryption_is_refused_not_ignored() {
        let error = DatabaseUrl::parse("postgres://db.example/weir?sslmode=require").unwrap_err();
        assert!(matches!(error, DbError::EncryptionUnsupported));
    }
}
