//! Configuration: what must be known before the database is, from the environment and `weir.toml`.
//!
//! Read once at start by the command line and handed down as small structs. The environment wins over
//! the file, and every fault is reported at once. What an administrator changes in the browser is not
//! here but in `settings`.

mod bucket;
mod fault;
mod file;
mod listeners;
mod reader;
mod roles;

pub use bucket::BucketConfig;
pub use fault::{ConfigFault, ConfigFaults};
pub use listeners::{Listeners, TlsListeners};
pub use roles::Roles;

use reader::Reader;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// Everything the start of the program needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// `WEIR_DATA_DIR`: where everything is kept; absolute. Default `./data`.
    pub data_dir: PathBuf,
    /// `WEIR_CONTENT_DIR`: where downloaded files are kept; absolute. Several servers on one database share one.
    /// Default: `content` in the data folder.
    pub content_dir: PathBuf,
    /// `WEIR_CONTENT_URL`: a bucket for them; what is unfinished stays in the folder. Default: none.
    pub content_bucket: Option<BucketConfig>,
    /// `DATABASE_URL`: the database; without it a private cluster in the data folder.
    pub database: Option<DatabaseAddress>,
    /// `WEIR_SECRET_KEY_FILE`: default `secret.key` in the data folder.
    pub secret_key_file: PathBuf,
    pub listeners: Listeners,
    /// `WEIR_ROLES`: what this process does. Default: everything.
    pub roles: Roles,
    pub microsoft_update: MicrosoftUpdate,
    /// `WEIR_CONTENT_HOSTS`: more hosts that files may be fetched from, e.g. `cdn.example` or `*.example`.
    pub content_hosts: Vec<String>,
    /// `WEIR_LOG`: a filter as `tracing` reads it, e.g. `info` or `weir=debug`. `None`: the default.
    pub log: Option<String>,
}

/// Where Microsoft Update is; another place in a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrosoftUpdate {
    /// `WEIR_MICROSOFT_UPDATE_URL`. Default: the real service.
    pub url: Url,
    /// `WEIR_MICROSOFT_UPDATE_CA`: PEM file that takes the place of the built-in root.
    pub ca_file: Option<PathBuf>,
}

/// `DATABASE_URL` as given. May hold a password, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseAddress(String);

impl DatabaseAddress {
    pub fn new(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseAddress(hidden)")
    }
}

impl Config {
    /// Port of the pages when nothing else is said.
    pub const CONSOLE_PORT: u16 = 8540;
    /// Port of the services when nothing else is said; what WSUS uses.
    pub const SERVICES_PORT: u16 = 8530;
    /// Port of the services over TLS when nothing else is said; what WSUS uses.
    pub const SERVICES_TLS_PORT: u16 = 8531;
    /// The real Microsoft Update. Source: MS-WSUSSS 1.9 and what WSUS servers are set to today.
    pub const MICROSOFT_UPDATE_URL: &str = "https://sws.update.microsoft.com";

    /// Reads the environment of this process and the file.
    ///
    /// # Errors
    /// All faults found, each naming where it is.
    pub fn load() -> Result<Self, ConfigFaults> {
        Self::read(&|name| std::env::var_os(name))
    }

    /// Reads a given environment and the file it points to.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, ConfigFaults> {
        let mut reader = Reader::open(environment);
        let data_dir = reader.data_dir();
        let config = Self {
            database: reader.text("database_url").map(DatabaseAddress::new),
            secret_key_file: reader.path("secret_key_file").unwrap_or_else(|| data_dir.join("secret.key")),
            content_dir: reader.path("content_dir").unwrap_or_else(|| data_dir.join("content")),
            content_bucket: bucket::read(&mut reader),
            listeners: Listeners::read(&mut reader),
            roles: reader.roles("roles"),
            microsoft_update: MicrosoftUpdate {
                url: reader.url("microsoft_update_url", Self::MICROSOFT_UPDATE_URL),
                ca_file: reader.existing_file("microsoft_update_ca"),
            },
            content_hosts: reader.hosts("content_hosts"),
            log: reader.text("log"),
            data_dir,
        };
        reader.finish(config)
    }
}

#[cfg(test)]
mod tests;
