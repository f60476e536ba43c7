//! `weir serve`: the server, until it is told to stop.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Context, prepare_data_dir};
use crate::app::{App, AppConfig, AppError, Edge};
use crate::config::Config;

/// What requests and background work under way may still take after the signal to stop.
const STOP_WITHIN: Duration = Duration::from_secs(25);

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let mut stop = StopSignals::listen()?;
    prepare_data_dir(&config.data_dir)?;
    let _lock = lock_data_dir(&config)?;
    let context = Context::open(config).await?;
    let app = tokio::select! {
        started = App::start(app_config(&context)) => started?,
        () = stop.come() => return Ok(()),
    };
    let with_tls = context.config.listeners.tls.is_some();
    if let Some(console) = app.console_address() {
        let scheme = if with_tls { "https" } else { "http" };
        tracing::info!("the console is at {scheme}://{console}{}/", context.config.listeners.base_path);
        if !console.ip().is_loopback() && !with_tls {
            tracing::warn!(
                "the console is offered over plain HTTP beyond this computer: passwords travel readable"
            );
        }
    }
    if let Some(services) = app.services_address() {
        if context.config.listeners.require_tls {
            tracing::info!("TLS is required: http://{services}/ gives out files of updates only");
        } else {
            tracing::info!("services for other servers are at http://{services}/");
        }
    }
    if let Some(services) = app.services_tls_address() {
        tracing::info!("and over TLS at https://{services}/");
    }
    if !context.config.roles.worker {
        tracing::info!("jobs are left to other servers on this database");
    }
    stop.come().await;
    tracing::info!("stopping");
    tokio::select! {
        in_time = app.stop(STOP_WITHIN) => {
            if !in_time {
                tracing::warn!("some requests did not end in {} seconds and were cut off", STOP_WITHIN.as_secs());
            }
        }
        () = stop.come() => tracing::warn!("told to stop a second time: not waiting any longer"),
    }
    drop(context.pool);
    context.database.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn app_config(context: &Context) -> AppConfig {
    let config = &context.config;
    AppConfig {
        roles: config.roles,
        console: config.listeners.console,
        services: config.listeners.services,
        edge: Edge::from(&config.listeners),
        database: context.database.url.clone(),
        content_dir: config.content_dir.clone(),
        content_bucket: config.content_bucket.clone(),
        content_hosts: config.content_hosts.clone(),
        secret: Arc::new(context.secret.clone()),
        microsoft_update: config.microsoft_update.clone(),
    }
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> Self {
        Self::refused(error.sentence())
    }
}

/// One server a data folder. The lock ends with the process, however it ends.
fn lock_data_dir(config: &Config) -> Result<Flock<File>, CliError> {
    let path = config.data_dir.join("serve.lock");
    let unusable = |error| CliError::refused(format!("{} cannot be written: {error}.", path.display()));
    let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(unusable)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        CliError::refused(format!(
            "Another weir serve uses the data folder {} already.",
            config.data_dir.display()
        ))
    })
}

/// SIGTERM and SIGINT, from the moment this exists.
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> Result<Self, CliError> {
        let failed = |error| CliError::refused(format!("The signals to stop cannot be watched: {error}."));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Waits for the next one.
    async fn come(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
