//! `weir user`: people who may sign in.

use super::CliError;
use crate::config::Config;
use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a person; the password is asked for, or read from standard input
    Add {
        /// The name to sign in with
        name: String,
        /// What the person may do
        #[arg(long)]
        role: RoleArg,
        /// Read the password from standard input (its first line) instead of asking
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    Administrator,
    Operator,
    Reporter,
}

pub(super) async fn run(_command: Command, _config: Config) -> Result<(), CliError> {
    Err(CliError::failed("not yet"))
}
