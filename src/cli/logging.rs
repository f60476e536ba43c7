//! The log: to standard error, as quiet as the command deserves.

use super::CliError;
use crate::config::Config;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// What the libraries may say. Rocket reports each forwarded guard as an error, which it is not.
const LIBRARIES: &str =
    "rocket=warn,rocket::server=off,tokio_cron_scheduler=warn,hyper=warn,tokio_postgres=warn";

/// Starts the log of this process: `WEIR_LOG`, or `info` for a server and `warn` for other commands.
pub(super) fn init(config: &Config, server: bool) -> Result<(), CliError> {
    let default = if server { "info" } else { "warn" };
    let wanted = config.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(format!("{LIBRARIES},{wanted}"))
        .map_err(|error| CliError::refused(format!("WEIR_LOG is not a log filter: {error}.")))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|error| CliError::refused(format!("The log could not be started: {error}.")))
}
