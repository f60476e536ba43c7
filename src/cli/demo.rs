//! `weir demo`: a sample upstream server and a server that synchronizes from it.

use super::CliError;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(_args: Args, _config: Config) -> Result<(), CliError> {
    Err(CliError::failed("not yet"))
}
