//! The program under test, as a process of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use uuid::Uuid;
use weir::db::DatabaseUrl;
use weir::protocol::document::UpdateKind;
use weir::sample::Catalogue;
use weir::settings::{self, Actor, CategoryKind, Selected, SourceKind};

/// The program, built the way people run it.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_weir");

/// `weir` with nothing of this process's environment but the path.
pub fn command(database: &DatabaseUrl, data_dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DATABASE_URL", database.as_str())
        .env("WEIR_DATA_DIR", data_dir)
        .env("WEIR_LOG", "error")
        .args(words);
    command
}

/// One synchronization in a process of its own.
pub fn sync(database: &DatabaseUrl, data_dir: &Path) -> Command {
    command(database, data_dir, &["sync", "--wait", "--json"])
}

/// What `weir sync --json` says at its end.
#[derive(Debug, Clone, Deserialize)]
pub struct Synced {
    pub result: String,
    pub failed: i64,
    pub duration_ms: f64,
}

/// Reads the last line of what `weir sync --json` said.
pub fn synced(said: &str) -> Result<Synced> {
    let line = said.lines().last().context("weir sync said nothing")?;
    serde_json::from_str(line).with_context(|| format!("weir sync said {line}"))
}

/// Points a database at the update server on `port` of this machine, with every product and classification chosen.
pub async fn choose_everything(database: &DatabaseUrl, port: u16) -> Result<()> {
    let pool = weir::db::connect(database).await?;
    let mut conn = pool.get().await?;
    let mut options = settings::load(&mut conn).await?;
    options.source.kind = SourceKind::Upstream;
    options.source.server = "127.0.0.1".to_owned();
    options.source.port = port;
    options.source.ssl = false;
    options.selections = categories();
    let actor =
        Actor { name: "bench".to_owned(), account_id: None, peer: String::new(), request_id: String::new() };
    settings::save(&mut conn, options.version, &options, &actor).await?;
    Ok(())
}

fn categories() -> Vec<Selected> {
    let selected = |category_id: Uuid, kind| {
        let with_descendants = kind == CategoryKind::Product;
        Selected { category_id, kind, with_descendants }
    };
    let mut categories: Vec<Selected> = Catalogue::generate(0, 1)
        .revisions()
        .filter_map(|revision| match revision.kind {
            UpdateKind::Classification => {
                Some(selected(revision.key.update_id, CategoryKind::Classification))
            }
            UpdateKind::Category => Some(selected(revision.key.update_id, CategoryKind::Product)),
            _ => None,
        })
        .collect();
    categories.sort();
    categories
}
