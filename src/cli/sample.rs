//! `weir sample`: invented updates for trying things out.

use super::{CliError, Context};
use crate::config::Config;
use crate::sample::{self, Catalogue, FillError, Target};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Store invented updates in this server's own catalogue
    Fill {
        /// How many updates that can be approved
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        updates: u32,
        /// The same seed gives the same updates
        #[arg(long, default_value_t = 1, value_name = "S")]
        seed: u64,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Result<(), CliError> {
    let Command::Fill { updates, seed } = command;
    if config.content_bucket.is_some() {
        return Err(CliError::refused(
            "Sample files go into a folder only. Run this without WEIR_CONTENT_URL, on a server for trying things out.",
        ));
    }
    let context = Context::open(config).await?;
    let content_dir = &context.config.content_dir;
    let target = Target { pool: &context.pool, url: &context.database.url, content_dir };
    let outcome = sample::fill(target, Catalogue::generate(updates as usize, seed)).await;
    drop(context.pool);
    context.database.close().await;
    let report = outcome?;
    println!(
        "{} revisions and {} files stored. {} updates are new, {} revised, {} expired.",
        report.stored, report.files, report.published.new, report.published.revised, report.published.expired
    );
    Ok(())
}

impl From<FillError> for CliError {
    fn from(error: FillError) -> Self {
        Self::failed(format!("The sample could not be stored: {error}."))
    }
}
