//! Several servers on one database: each moment once, takeover, one key, roles, one session for all.
//!
//! `WEIR_TORTURE` (`make torture`) widens the long ones.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rand::Rng;
use rand::SeedableRng;
use weir::accounts::Role;
use weir::db::DbError;
use weir::sync::runs;

use crate::support::documents::{self, PRODUCT};
use crate::support::options::{change_options, daily, use_upstream};
use crate::support::process::{Process, free_port, output, weir};
use crate::support::upstream::Upstream;
use crate::support::{PASSWORD, TestApp, TestDatabase, Visitor, is_torture};

/// Three servers with one key, each in its folder.
pub struct Fleet<'a> {
    db: &'a TestDatabase,
    folders: Vec<tempfile::TempDir>,
    key: String,
    pub servers: Vec<Process>,
}

impl<'a> Fleet<'a> {
    pub async fn start(db: &'a TestDatabase) -> Self {
        let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let key = folders[0].path().join("shared.key").display().to_string();
        let mut fleet = Self { db, folders, key, servers: Vec::new() };
        for number in 0..3 {
            let mut server = fleet.launch(number);
            server.ready().await;
            fleet.servers.push(server);
        }
        fleet
    }

    fn launch(&self, number: usize) -> Process {
        let variables = [("WEIR_SECRET_KEY_FILE", self.key.as_str())];
        Process::start_with(self.db, self.folders[number].path(), &variables)
    }

    /// Kills one server and starts it again.
    async fn kill(&mut self, number: usize) {
        self.servers[number].kill();
        self.servers[number] = self.launch(number);
        self.servers[number].ready().await;
    }

    /// Ends one server in order and starts its successor.
    pub async fn replace(&mut self, number: usize) {
        self.servers[number].signal(Signal::SIGTERM);
        assert_eq!(self.servers[number].end().await, Some(0));
        self.servers[number] = self.launch(number);
        self.servers[number].ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_moments_gives_one_run_although_servers_are_killed() {
    let (db, upstream) = (TestDatabase::create().await, Upstream::start().await);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 20));
    change_options(&db, |options| {
        use_upstream(options, upstream.port());
        daily(options);
    })
    .await;
    let mut fleet = Fleet::start(&db).await;
    let client = db.client().await;
    let moments: i64 = if is_torture() { 100 } else { 10 };
    let mut random = rand::rngs::StdRng::seed_from_u64(4);
    for number in 0..moments {
        upstream.publish(documents::updates(PRODUCT, 1_000 + number as u128 * 10, 3));
        let sql = "UPDATE schedule_due SET moment = clock_timestamp(), due_at = clock_timestamp(),
                          options_version = (SELECT version FROM sync_options)";
        client.execute(sql, &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(random.random_range(0..2_500))).await;
        if random.random_bool(0.7) {
            fleet.kill(random.random_range(0..3)).await;
        }
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let sql = "SELECT (SELECT count(*) FROM schedule_moments),
                              (SELECT state FROM sync_runs ORDER BY id DESC LIMIT 1)";
            let row = client.query_one(sql, &[]).await.unwrap();
            let (decided, state): (i64, Option<String>) = (row.get(0), row.get(1));
            if decided == number + 1 && state.as_deref() == Some("succeeded") {
                break;
            }
            assert!(Instant::now() < until, "moment {number}: {decided} decided, newest run {state:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // Runs that go on from an interrupted one belong to its moment.
    let sql = "SELECT (SELECT count(*) FROM sync_runs WHERE continues IS NULL),
                      (SELECT count(DISTINCT run_id) FROM schedule_moments WHERE outcome IN ('started', 'late')),
                      (SELECT count(*) FROM sync_runs WHERE trigger <> 'schedule')";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!([row.get::<_, i64>(0), row.get(1), row.get(2)], [moments, moments, 0]);
    drop(fleet.servers);
}

#[tokio::test(flavor = "multi_thread")]
async fn r149_two_starts_at_the_same_moment_on_two_servers_give_one_run() {
    let (first, upstream) = (TestApp::start().await, Upstream::start().await);
    upstream.publish(documents::categories());
    // A run lasts long enough that the slower of the two presses still meets it.
    upstream.delay(Duration::from_millis(80));
    change_options(&first.db, |options| use_upstream(options, upstream.port())).await;
    let second = first.start_beside().await;
    let ann = first.sign_in_as("ann", Role::Operator).await;
    second.account("ben", Role::Operator).await;
    let ben = second.visitor();
    assert_eq!(ben.sign_in("ben", PASSWORD).await.status(), 303);
    let (ann_token, ben_token) = (ann.get("/synchronize").await.csrf(), ben.get("/synchronize").await.csrf());
    let (ann_fields, ben_fields) = ([("csrf", ann_token.as_str())], [("csrf", ben_token.as_str())]);
    for round in 0..100 {
        let (one, other) = tokio::join!(
            ann.post_raw("/synchronizations", &ann_fields),
            ben.post_raw("/synchronizations", &ben_fields)
        );
        let (one, other) = (run_in(one.location()), run_in(other.location()));
        assert_eq!(one, other, "round {round}");
        // Both see it, each through their own server.
        let page = format!("/synchronizations/{one}");
        assert_eq!((ann.get(&page).await.status(), ben.get(&page).await.status()), (200, 200));
        let until = Instant::now() + Duration::from_secs(30);
        while runs::active(&mut *first.db.conn().await).await.unwrap().is_some() {
            assert!(Instant::now() < until, "round {round}: the run does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(runs::list(&mut *first.db.conn().await, None, 500).await.unwrap().len(), 100);
}

fn run_in(location: &str) -> i64 {
    let path = location.split('?').next().unwrap();
    path.rsplit('/').next().unwrap().parse().unwrap_or_else(|_| panic!("no run in {location:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_progress_and_stop_work_through_any_server() {
    let (first, upstream) = (TestApp::start().await, Upstream::start().await);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 40));
    upstream.limits(10, 10);
    upstream.delay(Duration::from_millis(1_500));
    change_options(&first.db, |options| use_upstream(options, upstream.port())).await;
    let second = first.start_beside().await;
    let ann = first.sign_in_admin().await;
    let run = ann.post_from("/synchronize", "/synchronizations", &[]).await.location().to_owned();
    // The browser is moved to the other server in mid-run, with its cookies.
    let moved = second.visitor();
    moved.set_cookie("weir", &ann.cookie("weir").unwrap());
    let page = moved.get(&run).await;
    assert_eq!(page.status(), 200, "{}", page.body);
    assert!(page.has("progress"));
    let stopped = moved.post_from(&run, &format!("{run}/stop"), &[]).await;
    assert_eq!(stopped.status(), 303);
    let until = Instant::now() + Duration::from_secs(20);
    while runs::active(&mut *first.db.conn().await).await.unwrap().is_some() {
        assert!(Instant::now() < until, "the run does not stop");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ann.get(&run).await.texts(".badge").iter().any(|text| text.contains("Canceled")));
    // Signing out through one signs out of both.
    assert_eq!(moved.post_from("/", "/logout", &[]).await.status(), 303);
    assert_eq!(ann.get("/").await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_replaced_only_when_nobody_works_with_it_from_the_first_moment_on() {
    let db = TestDatabase::create().await;
    let claim = async |key: u8, may_replace| weir::db::claim_key(db.url(), [key; 32], may_replace).await;
    let first = claim(1, true).await.unwrap();
    assert!(!first.replaced);
    for may_replace in [false, true] {
        assert!(matches!(claim(2, may_replace).await, Err(DbError::OtherKey)), "the first one is at work");
    }
    let beside = claim(1, false).await.unwrap();
    drop(first);
    assert!(matches!(claim(2, true).await, Err(DbError::OtherKey)), "another one is at work");
    drop(beside);
    assert!(matches!(claim(2, false).await, Err(DbError::OtherKey)), "the key file is not new");
    let until = Instant::now() + Duration::from_secs(10);
    let second = loop {
        match claim(2, true).await {
            Ok(second) => break second,
            // The database may take a moment to see that a connection is gone.
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    };
    assert!(second.replaced);
    assert!(matches!(claim(1, true).await, Err(DbError::OtherKey)), "now that one is at work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_is_refused_in_one_sentence() {
    let db = TestDatabase::create().await;
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut first = Process::start(&db, ours.path());
    first.ready().await;
    let mut serve = weir(&db, theirs.path(), &["serve"]);
    serve
        .env("WEIR_CONSOLE_PORT", free_port().to_string())
        .env("WEIR_SERVICES_PORT", free_port().to_string());
    let refused = output(serve).await;
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("another secret key"), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_only_its_roles_and_the_page_lists_them() {
    let db = TestDatabase::create().await;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = one.path().join("shared.key").display().to_string();
    let shared = ("WEIR_SECRET_KEY_FILE", key.as_str());
    let mut console = Process::start_with(&db, one.path(), &[shared, ("WEIR_ROLES", "console")]);
    console.ready().await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", console.services)).await.is_err());

    weir::accounts::create(&mut *db.conn().await, "olga", Role::Operator, PASSWORD).await.unwrap();
    let olga = console.visitor();
    olga.sign_in("olga", PASSWORD).await;
    let page = olga.get("/instances").await;
    assert!(page.body.contains("No server does jobs."), "{}", page.body);

    let roles = [shared, ("WEIR_ROLES", "services, worker")];
    let mut services = Process::start_with(&db, other.path(), &roles);
    services.listening(services.services).await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", services.console)).await.is_err());
    let answer = Visitor::new(&format!("http://127.0.0.1:{}", services.services)).get("/healthz").await;
    assert_eq!(answer.status(), 200);
    let page = olga.get("/instances").await;
    let cells = page.texts("td");
    for expected in ["Console", "Services, Jobs and schedule", env!("CARGO_PKG_VERSION")] {
        assert!(cells.iter().any(|cell| cell == expected), "{expected} in {cells:?}");
    }
    assert!(!page.body.contains("No server does jobs."));

    // One that is killed is shown as gone, although its row was fresh a moment ago.
    services.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let cells = olga.get("/instances").await.texts(".badge");
    assert_eq!(cells.iter().filter(|cell| cell.contains("Gone")).count(), 1, "{cells:?}");
}
