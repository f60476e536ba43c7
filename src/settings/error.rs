//! What can go wrong when settings are read or saved.

use super::options::SyncOptions;

/// Why settings could not be read or saved.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Somebody saved in between; nothing was saved. Holds what is in force now.
    #[error("{} saved other settings in the meantime", .0.saved_by)]
    Conflict(Box<SyncOptions>),
    /// A stored value is not one this program writes.
    #[error("the stored setting {key} has the unreadable value '{value}'")]
    Unreadable { key: &'static str, value: String },
    #[error("the settings could not be read or written")]
    Database(#[from] diesel::result::Error),
}
