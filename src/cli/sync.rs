//! `weir sync`: one synchronization, by the running server or by this process.

use super::CliError;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Wait for the end and report it
    #[arg(long)]
    wait: bool,
    /// Report as JSON; the last line is one object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(_args: Args, _config: Config) -> Result<(), CliError> {
    Err(CliError::failed("not yet"))
}
