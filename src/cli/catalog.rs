//! `weir catalog`: what is stored, for comparing two servers.

use super::{CliError, Context};
use crate::config::Config;
use crate::db;
use clap::Subcommand;
use futures_util::{StreamExt, pin_mut};
use std::io::{ErrorKind, Write};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List stored revisions as "update-id revision", sorted
    Ids {
        /// Only the highest revision of each update
        #[arg(long)]
        current: bool,
    },
}

/// Ordered as text is, which is how two lists are compared; a uuid orders like its lower-case text.
const EVERY: &str = "SELECT i.update_id, r.revision_number FROM revisions r \
    JOIN update_ids i ON i.id = r.update_row \
    WHERE NOT EXISTS (SELECT FROM unpublished_revisions w WHERE w.revision_row = r.id) ORDER BY 1, 2";
const CURRENT: &str = "SELECT update_id, revision_number FROM updates ORDER BY 1, 2";

pub(super) async fn run(command: Command, config: Config) -> Result<(), CliError> {
    let Command::Ids { current } = command;
    let context = Context::open(config).await?;
    let client = db::open_client(&context.database.url).await?;
    let failed =
        |error: tokio_postgres::Error| CliError::failed(format!("The catalogue could not be read: {error}."));
    let no_parameters: [i32; 0] = [];
    let rows =
        client.query_raw(if current { CURRENT } else { EVERY }, no_parameters).await.map_err(failed)?;
    pin_mut!(rows);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    while let Some(row) = rows.next().await {
        let row = row.map_err(failed)?;
        let written = writeln!(out, "{} {}", row.get::<_, Uuid>(0), row.get::<_, i32>(1));
        if !still_read(written)? {
            return Ok(());
        }
    }
    still_read(out.flush()).map(|_| ())
}

/// `false` when the reader has gone, as `head` does, which is no failure.
fn still_read(written: std::io::Result<()>) -> Result<bool, CliError> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::failed(format!("The list could not be written: {error}."))),
    }
}
