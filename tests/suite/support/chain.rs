//! Servers that synchronize from one another.

use std::time::Duration;

use weir::sample::{self, Catalogue, Target};
use weir::settings::{SourceKind, SyncOptions};
use weir::sync::runs::{self, RunState, Trigger};

use super::TestApp;
use super::options::change_options;

impl TestApp {
    /// A server with a sample catalogue of its own: about `updates` updates and their files.
    pub async fn with_sample(updates: usize, seed: u64) -> Self {
        let app = Self::start().await;
        app.fill(updates, seed).await;
        app
    }

    /// Fills the server's own catalogue.
    pub async fn fill(&self, updates: usize, seed: u64) {
        let content = self.data_dir().join("content");
        let target = Target { pool: self.db.pool(), url: self.db.url(), content_dir: &content };
        sample::fill(target, Catalogue::generate(updates, seed)).await.unwrap();
    }

    /// Makes `upstream` the update source, with further choices.
    pub async fn follow(&self, upstream: &Self, change: impl FnOnce(&mut SyncOptions)) {
        change_options(&self.db, |options| {
            options.source.kind = SourceKind::Upstream;
            options.source.server = "127.0.0.1".to_owned();
            options.source.port = upstream.services_port();
            change(options);
        })
        .await;
    }

    /// Synchronizes, wants success, and returns the run.
    pub async fn synchronize(&self) -> i64 {
        let requested = runs::request(&mut *self.db.conn().await, Trigger::Manual, "test").await.unwrap();
        for _ in 0..600 {
            let run = runs::get(&mut *self.db.conn().await, requested.run_id).await.unwrap().unwrap();
            if !run.state().is_active() {
                assert_eq!(run.state(), RunState::Succeeded, "{:?} {:?}", run.error(), run.notices());
                return run.id;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("run {} did not end", requested.run_id);
    }
}
