//! The PostgreSQL server of a bench: the private cluster that Weir makes for itself, with a database for each run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio_postgres::Client;
use weir::db::{Cluster, DatabaseUrl};

use crate::procfs;

/// A migrated database that is copied.
const TEMPLATE: &str = "weir_template";
/// Counts statements; part of Debian's package of the server.
const COUNTER: &str = "pg_stat_statements";

/// The role that the bench takes on where its own statements are not to be counted.
pub const WATCHER: &str = "watcher";

/// The server. Stops when this value is dropped.
pub struct Databases {
    cluster: Option<Cluster>,
    data_dir: PathBuf,
    admin: Client,
    runtime: Handle,
    /// Whether statements can be counted.
    pub counts_statements: bool,
}

impl Databases {
    /// Makes a cluster below `folder` and starts it.
    pub async fn start(folder: &Path) -> Result<Self> {
        let data_dir = folder.join("cluster");
        weir::cli::prepare_data_dir(&data_dir).ok().context("a folder for the database")?;
        let mut cluster = join(&data_dir).await?;
        let mut admin = weir::db::open_client(&named(&cluster, "postgres")?).await?;
        let known = "SELECT FROM pg_available_extensions WHERE name = $1";
        let counts_statements = admin.query_opt(known, &[&COUNTER]).await?.is_some();
        if counts_statements {
            let setting = format!("ALTER SYSTEM SET shared_preload_libraries = '{COUNTER}'");
            admin.batch_execute(&setting).await?;
            drop(admin);
            tokio::task::spawn_blocking(move || cluster.leave()).await?;
            cluster = join(&data_dir).await?;
            admin = weir::db::open_client(&named(&cluster, "postgres")?).await?;
            admin.batch_execute(&format!("CREATE EXTENSION IF NOT EXISTS {COUNTER}")).await?;
            admin.batch_execute(&format!("CREATE ROLE {WATCHER} SUPERUSER")).await?;
        }
        admin.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await?;
        weir::db::migrate(&named(&cluster, TEMPLATE)?).await?;
        let close = format!("ALTER DATABASE {TEMPLATE} WITH ALLOW_CONNECTIONS false");
        admin.batch_execute(&close).await?;
        Ok(Self { cluster: Some(cluster), data_dir, admin, runtime: Handle::current(), counts_statements })
    }

    /// The address of one database.
    pub fn url(&self, name: &str) -> Result<DatabaseUrl> {
        named(self.cluster.as_ref().context("the server runs")?, name)
    }

    /// A database of this name with Weir's tables and nothing in them; one that was there is gone.
    pub async fn migrated(&self, name: &str) -> Result<DatabaseUrl> {
        self.make(name, &format!(" TEMPLATE {TEMPLATE}")).await
    }

    /// A database of this name without any table; one that was there is gone.
    pub async fn empty(&self, name: &str) -> Result<DatabaseUrl> {
        self.make(name, "").await
    }

    async fn make(&self, name: &str, how: &str) -> Result<DatabaseUrl> {
        self.remove(name).await?;
        self.admin.batch_execute(&format!("CREATE DATABASE {name}{how}")).await?;
        self.url(name)
    }

    /// Removes a database with everything in it.
    pub async fn remove(&self, name: &str) -> Result<()> {
        Ok(self.admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?)
    }

    /// Writes out what is dirty, so that one run does not pay for the one before. Not from an async task.
    pub fn settle(&self) -> Result<()> {
        let settling = self.admin.batch_execute("CHECKPOINT");
        Ok(tokio::task::block_in_place(|| self.runtime.block_on(settling))?)
    }

    /// Stops the server, so that somebody else may start it cold; no database can be used until [`Databases::wake`].
    pub async fn rest(&mut self) -> Result<()> {
        if let Some(cluster) = self.cluster.take() {
            tokio::task::spawn_blocking(move || cluster.leave()).await?;
        }
        Ok(())
    }

    /// The folder of the cluster: what `WEIR_DATA_DIR` would be.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Ends [`Databases::rest`].
    pub async fn wake(&mut self) -> Result<()> {
        let cluster = join(&self.data_dir).await?;
        self.admin = weir::db::open_client(&named(&cluster, "postgres")?).await?;
        self.cluster = Some(cluster);
        Ok(())
    }

    /// Time that the processes of the server computed so far.
    pub fn cpu(&self) -> Duration {
        let file = self.data_dir.join("postgres/cluster/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        pid.map(procfs::family_cpu).unwrap_or_default()
    }

    /// Begins to count statements anew.
    pub async fn forget_statements(&self) -> Result<()> {
        if self.counts_statements {
            self.admin.batch_execute("SELECT pg_stat_statements_reset()").await?;
        }
        Ok(())
    }

    /// Where the server's time went since then in one database: the milliseconds, how often, and the statement.
    pub async fn slowest(&self, name: &str) -> Result<Vec<(f64, i64, String)>> {
        if !self.counts_statements {
            return Ok(Vec::new());
        }
        let sql = "SELECT s.total_exec_time, s.calls, left(regexp_replace(s.query, '\\s+', ' ', 'g'), 160)
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
            WHERE d.datname = $1 ORDER BY 1 DESC LIMIT 15";
        let rows = self.admin.query(sql, &[&name]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    /// Statements of one database since then, each with how often it was executed; what [`WATCHER`] did, the brackets
    /// of transactions and what the pool asks to see whether a connection lives are left out.
    pub async fn statements(&self, name: &str) -> Result<Vec<(i64, String)>> {
        if !self.counts_statements {
            return Ok(Vec::new());
        }
        let sql = r"SELECT s.calls, s.query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
            WHERE d.datname = $1 AND s.userid <> $2::text::regrole::oid AND s.query !~* '^\s*(BEGIN|COMMIT|ROLLBACK|START TRANSACTION|SET|SELECT \$?1$)'
            ORDER BY s.calls DESC";
        let rows = self.admin.query(sql, &[&name, &WATCHER]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

async fn join(data_dir: &Path) -> Result<Cluster> {
    let data_dir = data_dir.to_owned();
    Ok(tokio::task::spawn_blocking(move || Cluster::join(&data_dir)).await??)
}

fn named(cluster: &Cluster, name: &str) -> Result<DatabaseUrl> {
    let text = cluster.url().as_str().replace("dbname=weir", &format!("dbname={name}"));
    Ok(DatabaseUrl::parse(text)?)
}

impl Drop for Databases {
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            cluster.leave();
        }
    }
}
