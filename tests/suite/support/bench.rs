//! A database with a worker, pointed at a scripted upstream server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weir::config::Roles;
use weir::db::DatabaseUrl;
use weir::jobs::{Instance, Worker};
use weir::protocol::ids::RevisionKey;
use weir::secret::SecretKey;
use weir::settings::{CategoryKind, Selected};
use weir::sync::runs::{self, Run, RunState, Trigger};
use weir::sync::{ContentPlace, Download, MicrosoftUpdate, SyncContext, Synchronize};
use weir::upstream::{CallRecord, RetryPolicy, TransportLimits};

use super::documents::PRODUCT;
use super::options::{change_options, use_upstream};
use super::upstream::{Call, Upstream};
use super::{TestApp, TestDatabase};

/// What a test may want otherwise.
pub struct Setup {
    pub database: DatabaseUrl,
    pub limits: TransportLimits,
    pub retry: RetryPolicy,
    pub microsoft: MicrosoftUpdate,
    /// Without a folder no files are fetched.
    pub content: ContentPlace,
    pub probe: fn(&CallRecord),
}

impl Default for Setup {
    fn default() -> Self {
        let short = Duration::from_secs(3);
        Self {
            database: super::server::url("postgres"),
            limits: TransportLimits { headers: short, idle: short, ..TransportLimits::default() },
            retry: RetryPolicy {
                first_wait: Duration::from_millis(5),
                attempts_max: 2,
                ..RetryPolicy::default()
            },
            microsoft: MicrosoftUpdate { url: "https://127.0.0.1:1/".parse().unwrap(), ca: None },
            content: ContentPlace::default(),
            probe: |_| {},
        }
    }
}

/// The database, the server it synchronizes from, and the end of its workers.
pub struct Bench {
    pub db: Arc<TestDatabase>,
    pub upstream: Upstream,
    end: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Bench {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A bench whose worker has other limits, or another way to the database.
    pub async fn start_with(change: impl FnOnce(&mut Setup)) -> Self {
        let bench = Self::idle().await;
        let mut setup = Setup { database: bench.db.url().clone(), ..Setup::default() };
        change(&mut setup);
        bench.work_with(setup).await;
        bench
    }

    /// A bench without a worker.
    pub async fn idle() -> Self {
        Self::idle_on(TestDatabase::create().await).await
    }

    /// The same on this database.
    pub async fn idle_on(db: TestDatabase) -> Self {
        let upstream = Upstream::start().await;
        let bench = Self { db: Arc::new(db), upstream, end: CancellationToken::new() };
        bench.choose(&[(PRODUCT, false)]).await;
        bench
    }

    /// A worker as a server process has one.
    pub async fn work(&self) {
        self.work_with(Setup { database: self.db.url().clone(), ..Setup::default() }).await;
    }

    pub async fn work_with(&self, setup: Setup) {
        let worker = worker(setup, self.db.url().clone()).await;
        tokio::spawn(worker.run(self.end.clone()));
    }

    /// A worker on threads of its own, so that it can be killed as a process can.
    pub async fn work_apart(&self) -> Apart {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let end = self.end.child_token();
        let (url, until) = (self.db.url().clone(), end.clone());
        let setup = Setup { database: url.clone(), ..Setup::default() };
        let begun = runtime.spawn(async move {
            tokio::spawn(worker(setup, url).await.run(until));
        });
        begun.await.unwrap();
        Apart { runtime: Some(runtime), end }
    }

    /// Ends the worker as a normal shutdown does.
    pub fn shut_down(&self) {
        self.end.cancel();
    }

    /// Pages in this process, on the database of this bench, whose worker is another.
    pub async fn console(&self) -> TestApp {
        let only_pages = Roles { console: true, services: false, worker: false };
        TestApp::start_on_database_with(self.db.clone(), |config| config.roles = only_pages).await
    }

    /// Saves the upstream server as source, these products (and all below?), and one classification.
    pub async fn choose(&self, products: &[(Uuid, bool)]) {
        self.point_to(self.upstream.port(), products).await;
    }

    /// The same with the update source at another port.
    pub async fn point_to(&self, port: u16, products: &[(Uuid, bool)]) {
        let product = |&(category_id, with_descendants): &(Uuid, bool)| Selected {
            category_id,
            kind: CategoryKind::Product,
            with_descendants,
        };
        change_options(&self.db, |options| {
            use_upstream(options, port);
            options.selections.retain(|one| one.kind == CategoryKind::Classification);
            options.selections.extend(products.iter().map(product));
        })
        .await;
    }

    pub async fn request(&self) -> runs::Requested {
        runs::request(&mut *self.db.conn().await, Trigger::Manual, "test").await.unwrap()
    }

    pub async fn ended(&self, run_id: i64) -> Run {
        for _ in 0..1_200 {
            let run = runs::get(&mut *self.db.conn().await, run_id).await.unwrap().unwrap();
            if !run.state().is_active() {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("run {run_id} did not end");
    }

    pub async fn synchronize(&self) -> Run {
        let requested = self.request().await;
        self.ended(requested.run_id).await
    }

    /// Runs once and wants success.
    pub async fn succeed(&self) -> Run {
        let run = self.synchronize().await;
        assert_eq!(run.state(), RunState::Succeeded, "{:?} {:?}", run.error(), run.notices());
        run
    }

    /// Every visible revision.
    pub async fn stored(&self) -> BTreeSet<RevisionKey> {
        stored(&self.db).await
    }
}

/// Every visible revision.
pub async fn stored(db: &TestDatabase) -> BTreeSet<RevisionKey> {
    let sql =
        "SELECT i.update_id, r.revision_number FROM revisions r JOIN update_ids i ON i.id = r.update_row
               WHERE NOT EXISTS (SELECT FROM unpublished_revisions w WHERE w.revision_row = r.id)";
    let rows = db.client().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| RevisionKey { update_id: row.get(0), revision: row.get(1) }).collect()
}

async fn worker(setup: Setup, url: DatabaseUrl) -> Worker {
    let pool = weir::db::connect(&setup.database).await.unwrap();
    let context = SyncContext {
        pool: pool.clone(),
        database: setup.database,
        secret: SecretKey::generate().unwrap(),
        microsoft: setup.microsoft,
        host_name: "bench".to_owned(),
        content: setup.content,
        limits: setup.limits,
        retry: setup.retry,
        probe: setup.probe,
    };
    let instance = Instance::register(url, "bench", "worker").await.unwrap();
    let has_place = !context.content.store.folder().as_os_str().is_empty();
    let context = Arc::new(context);
    let worker = Worker::new(pool, Arc::new(instance)).with::<Synchronize>(context.clone());
    if has_place { worker.with::<Download>(context) } else { worker }
}

/// A worker on threads of its own.
pub struct Apart {
    runtime: Option<tokio::runtime::Runtime>,
    end: CancellationToken,
}

impl Apart {
    /// Ends it as a normal shutdown does.
    pub fn shut_down(&self) {
        self.end.cancel();
    }

    /// Ends it in the middle of everything: nothing more is run, connections close.
    pub fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How often each document was asked for.
pub fn asked(calls: &[Call]) -> BTreeMap<RevisionKey, usize> {
    let mut counts = BTreeMap::new();
    for key in calls.iter().flat_map(|call| &call.ids) {
        *counts.entry(*key).or_default() += 1;
    }
    counts
}

/// New, revised and expired updates.
pub fn counts(run: &Run) -> (i64, i64, i64) {
    (run.new, run.revised, run.expired)
}
