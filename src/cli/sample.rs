//! `weir sample`: invented updates for trying things out.

use super::CliError;
use crate::config::Config;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Store invented updates in this server's own catalogue
    Fill {
        /// How many updates that can be approved
        #[arg(long, value_name = "N")]
        updates: u32,
        /// The same seed gives the same updates
        #[arg(long, default_value_t = 1, value_name = "S")]
        seed: u64,
    },
}

pub(super) async fn run(_command: Command, _config: Config) -> Result<(), CliError> {
    Err(CliError::failed("not yet"))
}
