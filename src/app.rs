//! Puts the program together: the database, the two sites behind their listeners, and the work in the background.
//!
//! The command line and the tests start the same [`App`]; nothing here reads the environment.

pub mod background;
mod console;
mod edge;
mod health;
mod services;
mod upkeep;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use edge::{Edge, EdgeTls};

use background::{Background, BackgroundError, BackgroundParts};

use crate::accounts::AccountError;
use crate::config::{BucketConfig, MicrosoftUpdate, Roles};
use crate::content::{Store, StoreError};
use crate::db::{self, DatabaseUrl, DbError, Pool};
use crate::listen::{ListenError, Listener, Serving, Tls, TlsError};
use crate::secret::SecretKey;
use crate::settings::OwnServices;
use crate::sync::{ContentPlace, Prober};
use crate::web::options::{OptionsParts, TestGate};

/// What a running server needs to know.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// What this process does; the addresses of what it does not do are not used.
    pub roles: Roles,
    /// Where people sign in. Port 0 takes a free one.
    pub console: SocketAddr,
    /// Where downstream servers ask. Port 0 takes a free one.
    pub services: SocketAddr,
    /// How both are reached beside that.
    pub edge: Edge,
    /// A database whose migrations have run.
    pub database: DatabaseUrl,
    /// The folder of update files; the same for all servers on one database.
    pub content_dir: PathBuf,
    /// A bucket in its place; what is unfinished stays in the folder.
    pub content_bucket: Option<BucketConfig>,
    /// Hosts that files may come from, beside the source and Microsoft's.
    pub content_hosts: Vec<String>,
    /// Seals what is secret in the database.
    pub secret: Arc<SecretKey>,
    /// Where Microsoft Update is.
    pub microsoft_update: MicrosoftUpdate,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("No connection to the database could be opened: {0}")]
    Pool(String),
    #[error("The database failed")]
    Query(#[from] diesel::result::Error),
    #[error(transparent)]
    Content(#[from] StoreError),
    #[error(transparent)]
    Background(#[from] BackgroundError),
    #[error(transparent)]
    Accounts(#[from] AccountError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(
        "TLS cannot begin, because {0}; correct WEIR_TLS_CERTIFICATE and WEIR_TLS_KEY, or remove both to serve without"
    )]
    Tls(#[from] TlsError),
}

impl AppError {
    /// For the person at the terminal: what happened, and why.
    pub fn sentence(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        if text.ends_with('.') { text } else { format!("{text}.") }
    }
}

/// The server, before it runs.
pub struct App;

impl App {
    /// Opens the database, binds both listeners and starts to answer.
    ///
    /// # Errors
    /// [`AppError::Database`] when the database does not answer, [`AppError::Listen`] when an address is taken,
    /// [`AppError::Content`] when there is no way to the bucket.
    pub async fn start(config: AppConfig) -> Result<RunningApp, AppError> {
        let tls = config.edge.tls.as_ref().map(|tls| Tls::load(tls.files.clone())).transpose()?;
        let store = Store::open(&config.content_dir, config.content_bucket.as_ref())?;
        let pool = db::connect(&config.database).await?;
        // All are taken before anything is served, so that a taken port changes nothing.
        let console = bind(config.roles.console, config.console).await?;
        let services = bind(config.roles.services, config.services).await?;
        let services_tls = match &config.edge.tls {
            Some(tls) => bind(config.roles.services, tls.services).await?,
            None => None,
        };
        let own = match &services {
            Some(listener) => OwnServices::of_this_machine(listener.address())
                .with_tls(services_tls.as_ref().map(|listener| listener.address().port())),
            None => OwnServices::none(),
        };
        let microsoft = background::microsoft_update(config.microsoft_update.clone())?;
        let prober = Prober::new(microsoft, config.secret.as_ref().clone(), background::host_name());
        let options =
            OptionsParts { key: Arc::clone(&config.secret), own, prober, tests: TestGate::default() };
        let console = match console {
            Some(listener) => {
                let setup = console::prepare_setup(&pool).await?;
                Some((listener, console::site(&pool, setup, store.clone(), options).await?))
            }
            None => None,
        };
        let services_site = match &services {
            Some(_) => Some(services::site(&config, &pool, store.clone()).await?),
            None => None,
        };
        let content = ContentPlace { store, hosts: config.content_hosts };
        let background = Background::start(BackgroundParts {
            pool: pool.clone(),
            database: config.database,
            secret: config.secret.as_ref().clone(),
            microsoft_update: config.microsoft_update,
            roles: config.roles,
            content,
            with_schedule: true,
        })
        .await?;
        if let Some(tls) = &tls {
            Tls::watch(tls);
        }
        let edge = config.edge;
        let serve = |listener: Option<Listener>, tls| {
            let site = services_site.clone();
            listener
                .zip(site)
                .map(|(listener, site)| listener.serve(site, services::limits(), edge.services_door(tls)))
        };
        Ok(RunningApp {
            services: serve(services, None),
            services_tls: serve(services_tls, tls.clone()),
            console: console
                .map(|(listener, site)| listener.serve(site, console::limits(), edge.console_door(tls))),
            background,
            pool,
        })
    }
}

async fn bind(wanted: bool, address: SocketAddr) -> Result<Option<Listener>, ListenError> {
    if wanted { Listener::bind(address).await.map(Some) } else { Ok(None) }
}

/// A server that answers.
pub struct RunningApp {
    console: Option<Serving>,
    services: Option<Serving>,
    services_tls: Option<Serving>,
    background: Background,
    pool: Pool,
}

impl RunningApp {
    /// Where the console listens; `None` when it is not one of this process's roles.
    pub fn console_address(&self) -> Option<SocketAddr> {
        self.console.as_ref().map(Serving::address)
    }

    /// Where the services listen; `None` when they are not one of this process's roles.
    pub fn services_address(&self) -> Option<SocketAddr> {
        self.services.as_ref().map(Serving::address)
    }

    /// Where the services listen for TLS; `None` without a certificate.
    pub fn services_tls_address(&self) -> Option<SocketAddr> {
        self.services_tls.as_ref().map(Serving::address)
    }

    /// The connections this server uses.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Takes no more requests and lets those under way finish, for at most `within`.
    /// `true` when nothing had to be cut short.
    pub async fn stop(self, within: Duration) -> bool {
        let (console, services, services_tls, background) = tokio::join!(
            stop(self.console, within),
            stop(self.services, within),
            stop(self.services_tls, within),
            self.background.stop(within)
        );
        console && services && services_tls && background
    }
}

async fn stop(serving: Option<Serving>, within: Duration) -> bool {
    match serving {
        Some(serving) => serving.stop(within).await,
        None => true,
    }
}
