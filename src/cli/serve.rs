//! `weir serve`: the server.

use super::CliError;
use crate::config::Config;

pub(super) async fn run(_config: Config) -> Result<(), CliError> {
    Err(CliError::failed("not yet"))
}
