//! Random histories against a small model: whatever an update source publishes, revises, expires, loses or gets wrong,
//! and whatever is done to the server meanwhile, the catalogue holds what it must.
//!
//! `WEIR_TORTURE` (`make torture`) plays many more. A failure names its seed; `WEIR_SEED` plays that one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;
use weir::protocol::ids::RevisionKey;
use weir::protocol::soap::Method;
use weir::settings::{CategoryKind, Selected};
use weir::sync::runs::{self, Run, RunState};

use crate::support::bench::{Apart, Bench};
use crate::support::documents::{self, CRITICAL, Doc, FAMILY, OTHER_PRODUCT, PRODUCT, SECURITY};
use crate::support::is_torture;
use crate::support::options::{change_options, use_upstream};
use crate::support::upstream::{Trouble, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_leave_the_catalogue_that_the_model_says() {
    let seeds = match std::env::var("WEIR_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=if is_torture() { 150 } else { 3 }).collect::<Vec<u64>>(),
    };
    let runs = if is_torture() { 14 } else { 8 };
    let mut tally = BTreeMap::new();
    for seed in seeds {
        let mut history = History::begin(seed).await;
        for _ in 0..runs {
            history.happen();
            let (ending, state) = history.run().await;
            *tally.entry(format!("{ending} -> {}", state.as_str())).or_insert(0) += 1;
        }
        history.comes_to_rest().await;
    }
    println!("{tally:#?}");
}

/// What is done to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    Nothing,
    /// The source answers badly for a while.
    Trouble,
    /// Somebody stops it.
    Stop,
    /// The process is killed.
    Kill,
    /// The process is ended in order.
    ShutDown,
    /// All connections to the database are cut.
    Cut,
    /// The source publishes meanwhile.
    Publish,
}

/// An update source and a copy of what it offers.
struct Source {
    server: Upstream,
    documents: Vec<Doc>,
    /// Offered, and impossible to get.
    lost: BTreeSet<RevisionKey>,
}

impl Source {
    async fn start() -> Self {
        let server = Upstream::start().await;
        server.delay(Duration::from_millis(10));
        server.limits(12, 9);
        let mut source = Self { server, documents: Vec::new(), lost: BTreeSet::new() };
        source.publish(documents::categories());
        source.publish(vec![Doc::category(CRITICAL, "UpdateClassification", "Critical Updates", None)]);
        source
    }

    fn publish(&mut self, documents: Vec<Doc>) {
        self.documents.extend(documents.iter().cloned());
        self.server.publish(documents);
    }
}

/// What the settings select.
#[derive(Debug, Clone)]
struct Choice {
    source: usize,
    family: bool,
    products: BTreeSet<Uuid>,
    classifications: BTreeSet<Uuid>,
}

/// The catalogue as the model knows it: every visible revision, and whether it is expired.
type Catalogue = BTreeMap<RevisionKey, bool>;

struct History {
    seed: u64,
    random: StdRng,
    bench: Bench,
    worker: Option<Apart>,
    sources: [Source; 2],
    choice: Choice,
    catalogue: Catalogue,
    owed: [BTreeSet<RevisionKey>; 2],
    /// Stored and invisible before the present run.
    left_over: BTreeSet<RevisionKey>,
    /// The next number of an update, and of a product.
    next: u128,
    products: Vec<Uuid>,
}

impl History {
    async fn begin(seed: u64) -> Self {
        let bench = Bench::idle().await;
        let worker = Some(bench.work_apart().await);
        let sources = [Source::start().await, Source::start().await];
        let choice = Choice {
            source: 0,
            family: false,
            products: BTreeSet::from([PRODUCT]),
            classifications: BTreeSet::from([SECURITY]),
        };
        Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            bench,
            worker,
            sources,
            choice,
            catalogue: Catalogue::new(),
            owed: Default::default(),
            left_over: BTreeSet::new(),
            next: 1,
            products: vec![PRODUCT, OTHER_PRODUCT],
        }
    }

    /// A few things happen at the sources and to the settings.
    fn happen(&mut self) {
        for _ in 0..self.random.random_range(1..=4) {
            let source = self.random.random_range(0..2);
            match self.random.random_range(0..12) {
                0..=4 => self.publish_new(source),
                5 => self.publish_next_revision(source, false),
                6 => self.publish_next_revision(source, true),
                7 => self.add_product(source),
                8 => self.choose(),
                9 => self.choice.source = source,
                10 => {
                    let lost = self.sources[source].documents.choose(&mut self.random).cloned();
                    if let Some(document) = lost.filter(|document| !document.is_category()) {
                        self.sources[source].lost.insert(document.key);
                        self.sources[source].server.lose(document.key);
                    }
                }
                _ => {
                    self.sources[source].lost.clear();
                    self.sources[source].server.find_all();
                }
            }
        }
    }

    fn publish_new(&mut self, source: usize) {
        let documents: Vec<Doc> = (0..self.random.random_range(1..40)).map(|_| self.new_document()).collect();
        if self.random.random_bool(0.3) {
            self.sources[1 - source].publish(documents.clone());
        }
        self.sources[source].publish(documents);
    }

    fn new_document(&mut self) -> Doc {
        self.next += 1;
        let product = *self.products.choose(&mut self.random).unwrap();
        let classification = *[SECURITY, SECURITY, CRITICAL].choose(&mut self.random).unwrap();
        let document = Doc::update(product, self.next, 100).classified(classification);
        if self.random.random_bool(0.1) { document.expired() } else { document }
    }

    fn publish_next_revision(&mut self, source: usize, expired: bool) {
        let Some(document) = self.sources[source].documents.choose(&mut self.random).cloned() else { return };
        if document.is_category() {
            return;
        }
        let id = document.key.update_id;
        let all = self.sources.iter().flat_map(|source| &source.documents);
        let highest = all.filter(|one| one.key.update_id == id).map(|one| one.key.revision).max().unwrap();
        let mut next = document;
        next.key.revision = highest + self.random.random_range(1..3);
        let next = if expired { next.expired() } else { next };
        self.sources[source].publish(vec![next]);
    }

    fn add_product(&mut self, source: usize) {
        self.next += 1;
        let product = Uuid::from_u128(0xd000 + self.next);
        self.products.push(product);
        let category = Doc::category(product, "Product", &format!("Example OS {}", self.next), Some(FAMILY));
        self.sources[source].publish(vec![category]);
    }

    fn choose(&mut self) {
        self.choice.family = self.random.random_bool(0.3);
        let count = self.random.random_range(1..=self.products.len());
        self.choice.products = self.products.choose_multiple(&mut self.random, count).copied().collect();
        // Something that every source has, or a run may select nothing.
        self.choice.products.insert(PRODUCT);
        self.choice.classifications = match self.random.random_range(0..3) {
            0 => BTreeSet::from([CRITICAL]),
            1 => BTreeSet::from([SECURITY]),
            _ => BTreeSet::from([SECURITY, CRITICAL]),
        };
    }

    async fn save_choice(&self) {
        let selected =
            |&category_id: &Uuid, kind, with_descendants| Selected { category_id, kind, with_descendants };
        let choice = &self.choice;
        let family = choice.family.then(|| selected(&FAMILY, CategoryKind::Product, true));
        let products = choice.products.iter().map(|id| selected(id, CategoryKind::Product, false));
        let classes = choice.classifications.iter();
        let classes = classes.map(|id| selected(id, CategoryKind::Classification, false));
        let selections = products.chain(classes).chain(family).collect();
        let port = self.sources[choice.source].server.port();
        change_options(&self.bench.db, |options| {
            use_upstream(options, port);
            options.selections = selections;
        })
        .await;
    }

    /// One run, disturbed or not, and the comparison after it.
    async fn run(&mut self) -> (String, RunState) {
        self.save_choice().await;
        let disturbance = match self.random.random_range(0..20) {
            0..=6 => Disturbance::Nothing,
            7..=11 => Disturbance::Trouble,
            12 | 13 => Disturbance::Stop,
            14..=16 => Disturbance::Kill,
            17 => Disturbance::ShutDown,
            18 => Disturbance::Cut,
            _ => Disturbance::Publish,
        };
        self.left_over = self.left_over().await;
        let at_least = self.offered();
        let run_id = self.bench.request().await.run_id;
        self.disturb(disturbance, run_id).await;
        let run = self.last_of(run_id).await;
        self.sources[self.choice.source].server.no_more_trouble();
        let at_most = self.offered();
        self.compare(&run, disturbance, &at_least, &at_most).await;
        (format!("{disturbance:?}"), run.state())
    }

    async fn disturb(&mut self, disturbance: Disturbance, run_id: i64) {
        let wait = Duration::from_millis(self.random.random_range(0..400));
        match disturbance {
            Disturbance::Nothing => return,
            Disturbance::Trouble => {
                let (method, trouble) = self.some_trouble();
                let times = self.random.random_range(1..6);
                self.sources[self.choice.source].server.trouble(method, times, trouble);
                return;
            }
            _ => tokio::time::sleep(wait).await,
        }
        match disturbance {
            Disturbance::Stop => {
                runs::stop(&mut *self.bench.db.conn().await, run_id, "test").await.unwrap();
            }
            Disturbance::Kill => {
                self.worker.take().unwrap().kill();
                self.worker = Some(self.bench.work_apart().await);
            }
            Disturbance::ShutDown => {
                self.worker.as_ref().unwrap().shut_down();
                self.worker = Some(self.bench.work_apart().await);
            }
            Disturbance::Cut => {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                self.bench.db.client().await.batch_execute(cut).await.unwrap();
            }
            _ => self.publish_new(self.choice.source),
        }
    }

    fn some_trouble(&mut self) -> (Method, Trouble) {
        let documents = [
            Trouble::Nothing,
            Trouble::Fault("InvalidCookie"),
            Trouble::Fault("InternalServerError"),
            Trouble::Fault("ServerBusy"),
            Trouble::Documents(|documents| documents.reverse()),
            Trouble::Documents(|documents| documents.truncate(1)),
            Trouble::Cut(13),
            Trouble::ResetInBody,
            Trouble::Xml("<nothing/>"),
        ];
        let list = [
            Trouble::Fault("InvalidParameters"),
            Trouble::Fault("ServerChanged"),
            Trouble::Fault("InvalidCookie"),
            Trouble::Fault("ServerBusy"),
            Trouble::List(|keys| keys.reverse()),
            Trouble::List(|keys| keys.extend(keys.clone())),
            Trouble::Reset,
            Trouble::Html(503, "Busy"),
        ];
        let first = [Trouble::Fault("ServerChanged"), Trouble::Reset, Trouble::Fault("InternalServerError")];
        match self.random.random_range(0..5) {
            0 | 1 => (Method::GetUpdateData, documents.choose(&mut self.random).unwrap().clone()),
            2 | 3 => (Method::GetRevisionIdList, list.choose(&mut self.random).unwrap().clone()),
            _ => (Method::GetConfigData, first.choose(&mut self.random).unwrap().clone()),
        }
    }

    /// The end of this run, or of the one that went on from it.
    async fn last_of(&self, run_id: i64) -> Run {
        let mut run = self.bench.ended(run_id).await;
        let mut waited = 0;
        while run.state() == RunState::Interrupted && waited < 600 {
            match runs::successor(&mut *self.bench.db.conn().await, run.id).await.unwrap() {
                Some(next) => run = self.bench.ended(next).await,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            waited += 1;
        }
        assert_ne!(run.state(), RunState::Interrupted, "seed {}: nothing goes on from {}", self.seed, run.id);
        run
    }

    /// What the present source offers of the present choice, categories included; and what a run before left
    /// unfinished, perhaps from the other source, which becomes visible with the next good one.
    fn offered(&self) -> Catalogue {
        let source = &self.sources[self.choice.source];
        // A family stands for the products known after the category step, whichever source told of them.
        let known = |id: &Uuid| {
            let told = source.documents.iter().any(|one| one.is_category() && one.key.update_id == *id);
            told || self.catalogue.keys().chain(&self.left_over).any(|key| key.update_id == *id)
        };
        let chosen = |document: &Doc| {
            let product = document
                .products
                .iter()
                .any(|id| self.choice.products.contains(id) || self.choice.family && known(id));
            product && document.classifications.iter().any(|id| self.choice.classifications.contains(id))
        };
        let wanted = source.documents.iter().filter(|document| document.is_category() || chosen(document));
        let left_over = self.left_over.iter().map(|key| (*key, false));
        wanted.map(|document| (document.key, document.is_expired())).chain(left_over).collect()
    }

    /// Compares the database with the model, and lets the model know what the run was allowed to decide.
    async fn compare(
        &mut self,
        run: &Run,
        disturbance: Disturbance,
        at_least: &Catalogue,
        at_most: &Catalogue,
    ) {
        let told = || {
            format!("seed {} run {} {disturbance:?} {:?} {:?}", self.seed, run.id, run.state(), run.error())
        };
        let source = self.choice.source;
        let (visible, owed) = (self.bench.stored().await, self.owed_now(source).await);
        let (before, owed_before) = (&self.catalogue, &self.owed[source]);
        let expired_of = |key: &RevisionKey| {
            let all = self.sources.iter().flat_map(|source| &source.documents);
            all.clone().find(|one| one.key == *key).is_some_and(Doc::is_expired)
        };
        let lost: Vec<_> = before.keys().filter(|key| !visible.contains(key)).collect();
        assert!(lost.is_empty(), "{}: gone: {lost:?}", told());
        let allowed = |key: &RevisionKey| {
            before.contains_key(key) || at_most.contains_key(key) || owed_before.contains(key)
        };
        let strange: Vec<_> = visible.iter().chain(&owed).filter(|key| !allowed(key)).collect();
        let few: Vec<_> = strange.iter().take(5).collect();
        assert!(
            strange.is_empty(),
            "{}: nobody asked for {} of them: {few:?} {:?}",
            told(),
            strange.len(),
            self.choice
        );
        let ended_well = [RunState::Succeeded, RunState::SucceededWithProblems].contains(&run.state());
        if ended_well {
            // A product that is owed itself is not in its family yet; with it come its updates, in the next run.
            let waits = |key: &RevisionKey| {
                let document = self.sources[source].documents.iter().find(|one| one.key == *key);
                let owed = |id: &Uuid| owed.iter().any(|key| key.update_id == *id);
                document.is_some_and(|document| {
                    !document.is_category()
                        && document.products.iter().all(|id| !self.choice.products.contains(id) && owed(id))
                })
            };
            let due = at_least.keys().chain(owed_before).filter(|key| !waits(key));
            let missing: Vec<_> = due.filter(|key| !visible.contains(key) && !owed.contains(key)).collect();
            assert!(missing.is_empty(), "{}: neither stored nor owed: {missing:?}", told());
            assert_eq!(run.state() == RunState::Succeeded, owed.is_empty(), "{}: owed {owed:?}", told());
        }
        if disturbance == Disturbance::Nothing {
            assert!(ended_well, "{}", told());
            let hopeless: BTreeSet<_> = at_least
                .keys()
                .chain(owed_before)
                .filter(|key| self.sources[source].lost.contains(key) && !before.contains_key(key))
                .copied()
                .collect();
            assert_eq!(owed, hopeless, "{}", told());
        }
        let catalogue: Catalogue = visible.iter().map(|key| (*key, expired_of(key))).collect();
        self.current_is_highest(&catalogue, &told()).await;
        if !ended_well {
            // Readers see the catalogue before or after a commit point, and updates have one at the very end only.
            let all = self.sources.iter().flat_map(|source| &source.documents);
            let categories: BTreeSet<_> = all.filter(|one| one.is_category()).map(|one| one.key).collect();
            let updates =
                |keys: &BTreeSet<RevisionKey>| keys.difference(&categories).copied().collect::<BTreeSet<_>>();
            let before: BTreeSet<_> = before.keys().copied().collect();
            assert_eq!(updates(&visible), updates(&before), "{}: half a run is visible", told());
        }
        self.catalogue = catalogue;
        self.owed[source] = owed;
    }

    /// Pages show each update once, in its highest revision.
    async fn current_is_highest(&self, catalogue: &Catalogue, told: &str) {
        let mut highest: BTreeMap<Uuid, (i32, bool)> = BTreeMap::new();
        for (key, expired) in catalogue {
            highest.insert(key.update_id, (key.revision, *expired)); // keys rise
        }
        let sql = "SELECT update_id, revision_number, expired FROM updates";
        let rows = self.bench.db.client().await.query(sql, &[]).await.unwrap();
        let shown: BTreeMap<Uuid, (i32, bool)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        assert_eq!(shown, highest, "{told}");
    }

    /// Stored and invisible.
    async fn left_over(&self) -> BTreeSet<RevisionKey> {
        let sql =
            "SELECT i.update_id, r.revision_number FROM revisions r JOIN update_ids i ON i.id = r.update_row
                   WHERE NOT r.published";
        keys(&self.bench.db.client().await.query(sql, &[]).await.unwrap())
    }

    async fn owed_now(&self, source: usize) -> BTreeSet<RevisionKey> {
        let sql =
            "SELECT o.update_id, o.revision_number FROM owed_revisions o JOIN sources s ON s.id = o.source_id
                   WHERE s.port = $1";
        let port = i32::from(self.sources[source].server.port());
        keys(&self.bench.db.client().await.query(sql, &[&port]).await.unwrap())
    }

    /// With everything found and nobody disturbing, one run makes all well.
    async fn comes_to_rest(&mut self) {
        for source in 0..2 {
            self.sources[source].lost.clear();
            self.sources[source].server.find_all();
            self.choice.source = source;
            self.save_choice().await;
            self.left_over = self.left_over().await;
            let offered = self.offered();
            let run_id = self.bench.request().await.run_id;
            let run = self.last_of(run_id).await;
            self.compare(&run, Disturbance::Nothing, &offered, &offered).await;
        }
        let sql = "SELECT (SELECT count(*) FROM revisions WHERE NOT published), (SELECT count(*) FROM owed_revisions),
                          (SELECT count(*) FROM sync_runs WHERE finished_at IS NULL)";
        let row = self.bench.db.client().await.query_one(sql, &[]).await.unwrap();
        let left: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        assert_eq!(left, [0; 3], "seed {}: (invisible revisions, owed, runs without an end)", self.seed);
    }
}

fn keys(rows: &[tokio_postgres::Row]) -> BTreeSet<RevisionKey> {
    rows.iter().map(|row| RevisionKey { update_id: row.get(0), revision: row.get(1) }).collect()
}
