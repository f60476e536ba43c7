//! The command line: which commands there are, and what each needs before it starts.
//!
//! Each command works beside a running server and without one. Results go to standard output,
//! everything else to standard error. Exit codes: 0 done, 1 failed, 2 could not even start.

mod catalog;
mod content;
mod context;
mod demo;
mod doctor;
mod error;
mod keep_database;
mod logging;
mod options;
mod sample;
mod serve;
mod status;
mod sync;
mod user;

pub use context::{Context, DatabaseHandle, prepare_data_dir};
pub use error::CliError;

use crate::config::Config;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An open update server for Windows administrators.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "Without a command, weir runs the server.\n\
    Where things are kept and which ports are used is read from the environment and from weir.toml; \
    the README has the table.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: the console for people and the services for other servers
    Serve,
    /// Try it out: a sample upstream server and a server that synchronizes from it, in a scratch folder
    Demo(demo::Args),
    /// Manage the people who may sign in
    #[command(subcommand)]
    User(user::Command),
    /// Show and change the synchronization options
    #[command(subcommand)]
    Options(options::Command),
    /// Synchronize now
    Sync(sync::Args),
    /// Check this server, and the way to its update source
    Doctor(doctor::Args),
    /// Ask a running server over the network how it is, with an API token
    Status(status::Args),
    /// Look into the catalogue
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Verify, clean up and count the stored update files
    #[command(subcommand)]
    Content(content::Command),
    /// Fill this server's own catalogue with realistic invented updates
    #[command(subcommand)]
    Sample(sample::Command),
    /// Look after the private database; started by weir itself
    #[command(hide = true)]
    KeepDatabase(keep_database::Args),
}

/// Runs the command of this process's command line and tells how it ended.
pub fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    let outcome = match command {
        // Before any thread: the database's life hangs on the thread that started it.
        Command::KeepDatabase(args) => return keep_database::run(&args),
        command => start(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(text) = error.text() {
                eprintln!("{text}");
            }
            error.exit_code()
        }
    }
}

fn start(command: Command) -> Result<(), CliError> {
    let config = Config::load()?;
    logging::init(&config, matches!(command, Command::Serve))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::refused(format!("The program could not start its threads: {error}.")))?;
    let outcome = runtime.block_on(run(command, config));
    // A thread that waits for the terminal must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

async fn run(command: Command, config: Config) -> Result<(), CliError> {
    match command {
        Command::Serve => serve::run(config).await,
        Command::Demo(args) => demo::run(args, config).await,
        Command::User(command) => user::run(command, config).await,
        Command::Options(command) => options::run(command, config).await,
        Command::Sync(args) => sync::run(args, config).await,
        Command::Doctor(args) => doctor::run(args, config).await,
        Command::Status(args) => status::run(args).await,
        Command::Catalog(command) => catalog::run(command, config).await,
        Command::Content(command) => content::run(command, config).await,
        Command::Sample(command) => sample::run(command, config).await,
        Command::KeepDatabase(_) => Ok(()), // handled in `main`
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
