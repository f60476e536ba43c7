//! What an administrator changes in the browser or with `weir options`: types, rules, storage.
//!
//! The rules are pure and in one place; page and command line use the same ones. This module owns
//! the tables `sync_options`, `selected_categories` and `option_drafts`.

mod audit;
pub mod changes;
mod error;
pub mod keys;
pub mod options;
mod store;

pub use audit::record_refusal;
pub use error::SettingsError;
pub use options::{
    CategoryKind, FileStore, Files, Languages, Proxy, Schedule, ScheduleMode, Selected, Source, SourceKind,
    SyncOptions,
};
pub use store::{Actor, Saved, load, save};
