//! The check list of an empty installation.

use crate::settings::{CategoryKind, FileStore, Languages, SyncOptions};
use crate::web::words::counted;

/// One step on the way to the first updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub is_done: bool,
    pub label: &'static str,
    pub href: &'static str,
    /// What is chosen at present, or what the step is for.
    pub now: String,
}

/// The steps. Those of the options count as done once somebody saved them.
pub(super) fn steps(options: &SyncOptions, has_run: bool) -> Vec<Step> {
    const OPTIONS: &str = "/options/synchronization";
    let saved = options.saved_by != "weir";
    let count = |kind| options.selected(kind).count() as i64;
    let (products, classifications) = (count(CategoryKind::Product), count(CategoryKind::Classification));
    let languages = match &options.files.languages {
        Languages::All => "all languages".to_owned(),
        Languages::Locale => "the language of this server".to_owned(),
        Languages::Only(names) => counted(names.len() as i64, "language", "languages"),
    };
    let files = match options.files.store {
        FileStore::Local => "Files are kept on this server",
        FileStore::Source => "Computers fetch files from Microsoft Update",
    };
    let chosen = match options.replica {
        true => "This server is a replica and takes over the choice of its upstream server.".to_owned(),
        false => format!(
            "At present: {}, {}. Less is faster; you can add more at any time.",
            counted(products, "product selection", "product selections"),
            counted(classifications, "classification", "classifications")
        ),
    };
    let step = |is_done, label, href, now| Step { is_done, label, href, now };
    vec![
        step(
            saved,
            "Choose where updates come from",
            OPTIONS,
            format!("At present: {}.", options.source.shown()),
        ),
        step(
            options.replica || (saved && products > 0 && classifications > 0),
            "Choose products and classifications",
            OPTIONS,
            chosen,
        ),
        step(saved, "Choose files and languages", OPTIONS, format!("At present: {files}, {languages}.")),
        step(
            has_run,
            "Synchronize for the first time",
            "/synchronize",
            "Weir asks for what you chose and shows how far it is.".to_owned(),
        ),
        step(
            false,
            "Review the updates",
            "/updates",
            "Approve what computers are to install. Servers further down get it from here.".to_owned(),
        ),
    ]
}
