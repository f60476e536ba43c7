//! A catalogue of one size at the update server, in Weir's database and in the floor's: where jobs begin.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use weir::db::DatabaseUrl;

use crate::databases::Databases;
use crate::floor::{self, Done};
use crate::measure::{Measured, Usage};
use crate::product::{self, Synced};
use crate::upstream::Upstream;

/// Seed of every catalogue.
const SEED: u64 = 7;

/// The update server of one size, and the two databases that copy it.
pub struct Stage<'a> {
    databases: &'a Databases,
    folder: PathBuf,
    pub upstream: Upstream,
    /// Asked for; the catalogue has about so many.
    pub size: usize,
    /// Where the floor's copy ends.
    anchor: Option<String>,
    runs: usize,
}

impl<'a> Stage<'a> {
    /// Starts an update server with about `size` revisions.
    pub async fn open(databases: &'a Databases, folder: &Path, size: usize) -> Result<Self> {
        let upstream = Upstream::start(size, SEED).await?;
        Ok(Self { databases, folder: folder.to_owned(), upstream, size, anchor: None, runs: 0 })
    }

    fn name(&self, what: &str) -> String {
        format!("{what}_{}", self.size)
    }

    /// Where the time of Weir's database went since [`Stage::empty`].
    pub async fn slowest(&self) -> Result<Vec<(f64, i64, String)>> {
        self.databases.slowest(&self.database_name()).await
    }

    /// Weir's database of this stage.
    pub fn database(&self) -> Result<DatabaseUrl> {
        self.databases.url(&self.name("weir"))
    }

    /// Its name.
    pub fn database_name(&self) -> String {
        self.name("weir")
    }

    /// Its folder: another one for each database, which has its own key.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join(format!("data-{}-{}", self.size, self.runs))
    }

    /// An empty database for Weir, pointed at the update server.
    pub async fn empty(&mut self) -> Result<()> {
        self.runs += 1;
        let url = self.databases.migrated(&self.name("weir")).await?;
        product::choose_everything(&url, self.upstream.port).await?;
        self.databases.forget_statements().await
    }

    /// Starts a synchronization.
    pub fn start(&self) -> Result<Measured<'a>> {
        Measured::start(product::sync(&self.database()?, &self.data_dir()), self.databases)
    }

    /// Weir copies what it has not; everything must have arrived.
    pub async fn weir(&self) -> Result<(Usage, Synced)> {
        let (usage, said) = tokio::task::block_in_place(|| self.start()?.finish())?;
        let synced = product::synced(&said)?;
        self.check_weir(&synced).await?;
        Ok((usage, synced))
    }

    /// What is visible in Weir is what the update server holds.
    pub async fn check_weir(&self, synced: &Synced) -> Result<()> {
        ensure!(synced.result == "succeeded" && synced.failed == 0, "the run ended badly: {synced:?}");
        let sql = "SELECT count(*) FROM revisions r JOIN documents d ON d.revision_row = r.id
             WHERE NOT EXISTS (SELECT FROM unpublished_revisions w WHERE w.revision_row = r.id)";
        self.check("weir", sql).await
    }

    /// The floor copies everything into an empty database.
    pub async fn floor(&mut self) -> Result<(Usage, Done)> {
        self.databases.empty(&self.name("floor")).await?;
        self.anchor = None;
        self.floor_again().await
    }

    /// The floor copies what is new since the last time.
    pub async fn floor_again(&mut self) -> Result<(Usage, Done)> {
        let url = self.databases.url(&self.name("floor"))?;
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(floor::What::words(url.as_str(), self.upstream.port, self.anchor.as_deref()));
        let (usage, said) =
            tokio::task::block_in_place(|| Measured::start(command, self.databases)?.finish())?;
        let done: Done = serde_json::from_str(said.trim())?;
        self.anchor = Some(done.anchor.clone());
        let sql = "SELECT count(*) FROM revisions r JOIN documents d ON d.revision_row = r.id";
        self.check("floor", sql).await?;
        Ok((usage, done))
    }

    /// Has both databases do now what autovacuum would do in the middle of the runs that follow a first one.
    pub async fn tidy(&self) -> Result<()> {
        for what in ["weir", "floor"] {
            let client = weir::db::open_client(&self.databases.url(&self.name(what))?).await?;
            client.batch_execute("VACUUM ANALYZE").await?;
        }
        self.databases.settle()
    }

    async fn check(&self, what: &str, sql: &str) -> Result<()> {
        let client = weir::db::open_client(&self.databases.url(&self.name(what))?).await?;
        let stored: i64 = client.query_one(sql, &[]).await?.get(0);
        let held = self.upstream.state().await?.revisions;
        ensure!(stored as u64 == held, "{what} has {stored} revisions, the update server {held}");
        Ok(())
    }

    /// Removes both databases.
    pub async fn close(self) -> Result<()> {
        self.databases.remove(&self.name("weir")).await?;
        self.databases.remove(&self.name("floor")).await
    }
}
