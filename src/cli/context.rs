//! What nearly every command needs: the configuration, the database, the key.

use super::CliError;
use crate::app::background::{Background, BackgroundParts};
use crate::config::{Config, Roles};
use crate::content::Store;
use crate::db::{self, Cluster, DatabaseUrl, KeyClaim, Pool};
use crate::jobs::list_instances;
use crate::secret::SecretKey;
use crate::sync::ContentPlace;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// An open database with an up-to-date schema, and what belongs to it.
pub struct Context {
    pub config: Config,
    pub pool: Pool,
    pub secret: SecretKey,
    /// Keep it as long as the pool is used.
    pub database: DatabaseHandle,
    _key: KeyClaim,
}

/// The way to the database. While it is held, a private cluster stays up.
pub struct DatabaseHandle {
    pub url: DatabaseUrl,
    cluster: Option<Cluster>,
}

impl Context {
    /// Opens the database (starting the private cluster when `DATABASE_URL` is not set), brings the
    /// schema up to date and reads the key.
    ///
    /// # Errors
    /// One sentence, exit 2, for whatever keeps the program from starting.
    pub async fn open(config: Config) -> Result<Self, CliError> {
        prepare_data_dir(&config.data_dir)?;
        let key_is_new = !config.secret_key_file.exists();
        let secret = SecretKey::load_or_create(&config.secret_key_file)?;
        let database = DatabaseHandle::open(&config).await?;
        db::migrate(&database.url).await?;
        let pool = db::connect(&database.url).await?;
        let mut conn = pool.get().await?;
        // A key file that is lost takes with it what was sealed with it; the rest stays.
        let may_replace = key_is_new && !somebody_works(&mut conn).await?;
        drop(conn);
        let key = db::claim_key(&database.url, secret.fingerprint(), may_replace).await?;
        if key.replaced {
            tracing::warn!(
                file = %config.secret_key_file.display(),
                "the key file was lost and made anew; enter the proxy server's password again under Options"
            );
        }
        Ok(Self { config, pool, secret, database, _key: key })
    }

    /// The files of updates.
    ///
    /// # Errors
    /// One sentence when there is no way to the bucket that is configured.
    pub fn store(&self) -> Result<Store, CliError> {
        let store = Store::open(&self.config.content_dir, self.config.content_bucket.as_ref());
        store.map_err(|error| CliError::refused(format!("The files of updates are out of reach: {error}.")))
    }

    /// Works on the queue in this process, for a command that no server works for. The schedule is left alone.
    ///
    /// # Errors
    /// One sentence when it cannot be started.
    pub async fn work_here(&self) -> Result<Background, CliError> {
        let parts = BackgroundParts {
            pool: self.pool.clone(),
            database: self.database.url.clone(),
            secret: self.secret.clone(),
            microsoft_update: self.config.microsoft_update.clone(),
            roles: Roles::WORKER,
            content: ContentPlace { store: self.store()?, hosts: self.config.content_hosts.clone() },
            with_schedule: false,
        };
        Background::start(parts).await.map_err(|error| CliError::failed(error.to_string()))
    }
}

impl DatabaseHandle {
    pub(super) async fn open(config: &Config) -> Result<Self, CliError> {
        if let Some(address) = &config.database {
            return Ok(Self { url: DatabaseUrl::parse(address.as_str())?, cluster: None });
        }
        let data_dir = config.data_dir.clone();
        let cluster =
            tokio::task::spawn_blocking(move || Cluster::join(&data_dir)).await.map_err(|error| {
                CliError::refused(format!("The private database could not be started: {error}."))
            })??;
        Ok(Self { url: cluster.url().clone(), cluster: Some(cluster) })
    }

    /// Lets go of the database and, when nobody else uses the private cluster, waits until it has
    /// stopped. Dropping the handle does the same without waiting.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster {
            let _ = tokio::task::spawn_blocking(move || cluster.leave()).await;
        }
    }
}

async fn somebody_works(conn: &mut diesel_async::AsyncPgConnection) -> Result<bool, CliError> {
    let instances = list_instances(conn).await.map_err(anyhow::Error::from)?;
    Ok(instances.iter().any(|one| one.alive))
}

/// Makes the data folder. The database's own account must be able to pass through it, others may not look.
///
/// # Errors
/// One sentence, exit 2, when it cannot be made or written.
pub fn prepare_data_dir(data_dir: &Path) -> Result<(), CliError> {
    let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(data_dir);
    made.and_then(|()| {
        let probe = data_dir.join(format!(".writable-{}", std::process::id()));
        std::fs::write(&probe, b"")?;
        std::fs::remove_file(&probe)
    })
    .map_err(|error| {
        CliError::refused(format!("The data folder {} cannot be written: {error}.", data_dir.display()))
    })
}
