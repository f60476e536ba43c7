//! `weir options`: the synchronization options, as the page has them.

use super::CliError;
use crate::config::Config;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show every option and its value
    Show {
        /// One flat JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the keys and what each accepts
    Keys,
    /// Change options, all or none
    Set {
        /// KEY=VALUE; "weir options keys" lists the keys
        #[arg(required = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
}

pub(super) async fn run(_command: Command, _config: Config) -> Result<(), CliError> {
    Err(CliError::failed("not yet"))
}
