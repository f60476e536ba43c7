//! What an administrator changes in the browser or with `weir options`: types, rules, storage.
//!
//! The rules are pure and in one place; page and command line use the same ones. This module owns
//! the tables `sync_options`, `selected_categories`, `option_drafts` and `product_visits`.

mod actor;
mod audit;
pub mod builtin;
pub mod changes;
pub mod drafts;
mod error;
mod host;
mod in_force;
pub mod keys;
mod known;
pub mod languages;
pub mod locale;
pub mod options;
mod own;
mod refusal;
pub mod schedule;
mod store;
pub mod synchronized;
mod text;
pub mod tree;
pub mod validate;
pub mod visits;

pub use actor::Actor;
pub use audit::record_refusal;
pub use error::SettingsError;
pub use host::{host_address, normalize_host};
pub use in_force::{FilesInForce, enabled_languages, files_in_force};
pub use keys::{Key, Panel};
pub use known::{KnownTrees, known_tree, known_tree_for};
pub use options::{
    CategoryKind, FileStore, Files, Languages, Proxy, Schedule, ScheduleMode, Selected, Source, SourceKind,
    SyncOptions,
};
pub use own::OwnServices;
pub use refusal::{FieldError, FieldErrors};
pub use store::{Saved, load, save, time_zone};
