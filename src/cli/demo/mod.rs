//! `weir demo`: a sample upstream server and a server that synchronizes from it.
//!
//! Both are this very program, each with its own scratch folder and private database, started and set up through
//! the same commands a person would use. When the demo ends, however it ends, they end with it.

mod scratch;
mod server;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use rand::Rng;
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::config::Config;
use scratch::Scratch;
use server::Server;

const ADMINISTRATOR: &str = "admin";
const PASSWORD_GROUPS: usize = 4;
const PASSWORD_GROUP_LEN: usize = 5;
/// Letters and digits that are not mistaken for each other.
const PASSWORD_ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many sample updates the upstream server has
    #[arg(long, default_value_t = 2_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    updates: u32,
}

pub(super) async fn run(args: Args, config: Config) -> Result<(), CliError> {
    let (console, services) = (config.listeners.console, config.listeners.services);
    require_free(console, "WEIR_CONSOLE_PORT")?;
    require_free(services, "WEIR_SERVICES_PORT")?;
    let scratch = Scratch::create()?;
    // Spawned here, on the thread that lives as long as the program: the children's lives hang on it.
    let mut upstream =
        Server::start("the sample upstream server", &scratch, "upstream", free_address()?, free_address()?)?;
    let mut downstream = Server::start("the server", &scratch, "downstream", console, services)?;
    let outcome = tokio::select! {
        outcome = present(&mut upstream, &mut downstream, args.updates) => outcome,
        outcome = asked_to_stop() => outcome,
    };
    println!("Stopping.");
    downstream.stop().await;
    upstream.stop().await;
    scratch.remove();
    outcome
}

/// Sets both servers up, tells how to use them and watches them until one ends.
async fn present(upstream: &mut Server, downstream: &mut Server, updates: u32) -> Result<(), CliError> {
    println!(
        "Starting two servers and filling the upstream one with {updates} sample updates. This takes a moment."
    );
    upstream.ready().await?;
    upstream.command(&["sample", "fill", "--updates", &updates.to_string()], None).await?;
    downstream.ready().await?;
    let password = password();
    let add = ["user", "add", ADMINISTRATOR, "--role", "administrator", "--password-stdin"];
    downstream.command(&add, Some(&password)).await?;
    let port = format!("source.port={}", upstream.services().port());
    let source =
        ["options", "set", "source.kind=upstream", "source.server=127.0.0.1", &port, "source.ssl=false"];
    downstream.command(&source, None).await?;
    println!();
    println!("  Weir is running at  {}", downstream.address());
    println!("  User name           {ADMINISTRATOR}");
    println!("  Password            {password}");
    println!();
    println!("Sign in and press \"Synchronize now\". Everything is kept in a scratch folder");
    println!("({}) and removed at the end.", downstream.folder().display());
    println!("Press Ctrl-C to stop.");
    tokio::select! {
        error = upstream.ended() => Err(error),
        error = downstream.ended() => Err(error),
    }
}

async fn asked_to_stop() -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("Signals cannot be received: {error}."));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

fn require_free(address: SocketAddr, variable: &str) -> Result<(), CliError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(CliError::refused(format!(
            "The demo needs {address}, which cannot be used: {error}. Stop the program that uses it, or set {variable} \
             to another port."
        ))),
    }
}

/// An address on this computer that nobody uses at this moment.
fn free_address() -> Result<SocketAddr, CliError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| CliError::refused(format!("No free port was found: {error}.")))
}

fn password() -> String {
    let mut random = rand::rng();
    let groups: Vec<String> = (0..PASSWORD_GROUPS)
        .map(|_| {
            (0..PASSWORD_GROUP_LEN)
                .map(|_| char::from(PASSWORD_ALPHABET[random.random_range(0..PASSWORD_ALPHABET.len())]))
                .collect()
        })
        .collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ_and_can_be_typed() {
        let (one, other) = (password(), password());
        assert_ne!(one, other);
        assert_eq!(one.len(), PASSWORD_GROUPS * (PASSWORD_GROUP_LEN + 1) - 1);
    }

    #[test]
    fn a_port_in_use_is_named_with_its_remedy() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let error = require_free(taken.local_addr().unwrap(), "WEIR_CONSOLE_PORT").unwrap_err();
        let text = error.text().unwrap();
        assert!(
            text.contains("WEIR_CONSOLE_PORT") && text.contains(&taken.local_addr().unwrap().to_string()),
            "{text}"
        );
    }
}
