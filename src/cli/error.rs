//! How a command fails: one sentence and an exit code.

use crate::config::ConfigFaults;
use crate::db::{ClusterError, DbError, PoolError};
use crate::secret::SecretError;
use std::process::ExitCode;

/// What a command ends with when it did not do what it was asked.
#[derive(Debug)]
pub struct CliError {
    text: Option<String>,
    code: u8,
}

impl CliError {
    /// The command ran and failed: exit 1.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), code: 1 }
    }

    /// The command could not even start, or was asked for something impossible: exit 2.
    pub fn refused(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), code: 2 }
    }

    /// Everything has been said already; only the exit code is left.
    pub fn silent(code: u8) -> Self {
        Self { text: None, code }
    }

    /// What to print on standard error.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<ConfigFaults> for CliError {
    fn from(faults: ConfigFaults) -> Self {
        Self::refused(faults.to_string())
    }
}

impl From<DbError> for CliError {
    fn from(error: DbError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<SecretError> for CliError {
    fn from(error: SecretError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<PoolError> for CliError {
    fn from(error: PoolError) -> Self {
        Self::failed(format!("No connection to the database could be opened: {error}."))
    }
}

impl From<diesel::result::Error> for CliError {
    fn from(error: diesel::result::Error) -> Self {
        Self::failed(format!("The database failed: {error}."))
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}
