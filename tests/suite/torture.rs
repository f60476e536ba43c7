//! Random kills inside runs, of weir and of the PostgreSQL it keeps: nothing is lost, nothing is there twice, and no
//! run stays at work for ever. `WEIR_TORTURE` (`make torture`) has the full length.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use weir::db::DatabaseUrl;
use weir::protocol::ids::RevisionKey;
use weir::sync::runs::{self, Trigger};

use crate::support::documents::{self, Doc, PRODUCT, SECURITY};
use crate::support::is_torture;
use crate::support::process::Process;
use crate::support::upstream::Upstream;

/// Whatever was killed, everything is well again after this.
const PATIENCE: Duration = Duration::from_secs(180);
/// Kills between two comparisons with the upstream server.
const COMPARED_EVERY: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Weir,
    Postgres,
}

#[tokio::test(flavor = "multi_thread")]
async fn r001_r015_random_kills_inside_runs_lose_nothing_and_leave_no_run_at_work() {
    let (of_weir, of_postgres) = if is_torture() { (200, 50) } else { (8, 2) };
    let mut victims = vec![Victim::Weir; of_weir];
    victims.extend(vec![Victim::Postgres; of_postgres]);
    let mut random = StdRng::seed_from_u64(11);
    victims.shuffle(&mut random);

    let begun = Instant::now();
    let mut yard = Yard::build().await;
    for (number, victim) in victims.iter().enumerate() {
        let after = Duration::from_millis(random.random_range(0..900));
        yard.kill_inside_a_run(*victim, after).await;
        if random.random_bool(0.15) {
            // And once more while it starts, which is no kill inside a run and does not count.
            tokio::time::sleep(Duration::from_millis(random.random_range(0..600))).await;
            yard.server.kill();
            yard.server = Process::start_alone(yard.data.path());
        }
        if number % COMPARED_EVERY == COMPARED_EVERY - 1 || number + 1 == victims.len() {
            yard.compare().await;
        }
    }
    let states = yard.states().await;
    println!(
        "{of_weir} kills of weir and {of_postgres} of its PostgreSQL in {:?}: {states:?}, {} starts given up, {} revisions",
        begun.elapsed(),
        yard.gave_up,
        yard.upstream.keys().len()
    );
    let cut = states.get("interrupted").copied().unwrap_or_default();
    assert!(cut >= of_weir as i64 * 9 / 10, "a cut run is shown as interrupted: {states:?}");
    let active = ["queued", "running", "stopping"];
    assert!(active.iter().all(|state| !states.contains_key(*state)), "{states:?}");
}

/// A server with the database in its folder, and the upstream server it synchronizes from.
struct Yard {
    data: tempfile::TempDir,
    server: Process,
    url: DatabaseUrl,
    upstream: Upstream,
    waves: u128,
    /// The run that the last kill of weir fell into.
    cut: i64,
    /// How often weir ended by itself, because the database went away under its start.
    gave_up: usize,
}

impl Yard {
    async fn build() -> Self {
        let everybody = std::fs::Permissions::from_mode(0o755); // the database runs as another account
        let data = tempfile::Builder::new().permissions(everybody).tempdir().unwrap();
        let socket = data.path().join("postgres/socket");
        let url = DatabaseUrl::parse(format!("host='{}' user=weir dbname=weir", socket.display())).unwrap();
        let upstream = Upstream::start().await;
        upstream.publish(documents::categories());
        upstream.limits(10, 8);
        upstream.delay(Duration::from_millis(150));
        let mut server = Process::start_alone(data.path());
        server.ready().await;
        let options = format!(
            "UPDATE sync_options SET source_kind = 'upstream', source_server = '127.0.0.1', source_port = {},
                    version = version + 1;
             DELETE FROM selected_categories;
             INSERT INTO selected_categories VALUES ('{PRODUCT}', 'product', false), ('{SECURITY}', 'classification', false)",
            upstream.port()
        );
        let mut yard = Self { data, server, url, upstream, waves: 0, cut: 0, gave_up: 0 };
        yard.client().await.batch_execute(&options).await.unwrap();
        yard
    }

    /// A connection, as soon as there can be one.
    async fn client(&mut self) -> tokio_postgres::Client {
        let until = Instant::now() + PATIENCE;
        loop {
            match weir::db::open_client(&self.url).await {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < until, "{error}\n{}", self.log()),
            }
            self.start_again_when_ended();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The end of what weir and its database said.
    fn log(&self) -> String {
        let end = |file: &str| {
            let text = std::fs::read_to_string(self.data.path().join(file)).unwrap_or_default();
            text.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        format!("{}\n{}", end("serve.log"), end("postgres/postgres.log"))
    }

    /// A start without a database ends with code 2; whoever manages services starts it again.
    fn start_again_when_ended(&mut self) {
        if let Some(code) = self.server.has_ended() {
            assert_eq!(code, Some(2), "{}", self.log());
            self.gave_up += 1;
            self.server = Process::start_alone(self.data.path());
        }
    }

    /// The state of the newest run.
    async fn newest(&mut self) -> String {
        self.newest_run().await.1
    }

    /// Number and state of the newest run.
    async fn newest_run(&mut self) -> (i64, String) {
        self.start_again_when_ended();
        let until = Instant::now() + PATIENCE;
        let sql = "SELECT coalesce(max(id), 0), coalesce((SELECT state FROM sync_runs ORDER BY id DESC LIMIT 1), 'none')
                   FROM sync_runs";
        loop {
            match self.client().await.query_one(sql, &[]).await {
                Ok(row) => return (row.get(0), row.get(1)),
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            self.start_again_when_ended();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Something new, something revised, something expired.
    fn publish(&mut self) {
        let first = self.waves * 100;
        self.upstream.publish(documents::updates(PRODUCT, first, 100));
        if let Some(before) = first.checked_sub(100) {
            self.upstream.publish((before..before + 10).map(|number| Doc::update(PRODUCT, number, 101)));
            self.upstream.publish(
                (before + 10..before + 13).map(|number| Doc::update(PRODUCT, number, 102).expired()),
            );
        }
        self.waves += 1;
    }

    async fn request(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let requested = async {
                let mut conn = AsyncPgConnection::establish(self.url.as_str())
                    .await
                    .map_err(|error| error.to_string())?;
                runs::request(&mut conn, Trigger::Manual, "test").await.map_err(|error| error.to_string())
            };
            match requested.await {
                Ok(_) => return,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn kill_inside_a_run(&mut self, victim: Victim, after: Duration) {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "no run begins");
            let (run_id, state) = self.newest_run().await;
            match state.as_str() {
                // Not the one that was cut last: nobody works on that until it is taken over.
                "running" if run_id != self.cut => {
                    tokio::time::sleep(after).await;
                    if self.newest_run().await == (run_id, state) {
                        self.cut = if victim == Victim::Weir { run_id } else { self.cut };
                        break;
                    }
                }
                "queued" | "running" | "stopping" => tokio::time::sleep(Duration::from_millis(20)).await,
                _ => {
                    self.publish();
                    self.request().await;
                }
            }
        }
        match victim {
            Victim::Weir => {
                self.server.kill();
                self.server = Process::start_alone(self.data.path());
            }
            Victim::Postgres => {
                let file = self.data.path().join("postgres/cluster/postmaster.pid");
                let text = std::fs::read_to_string(file).unwrap();
                let pid: i32 = text.lines().next().unwrap().trim().parse().unwrap();
                kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            }
        }
    }

    /// Lets it come to rest and compares what is stored with what the upstream server has.
    async fn compare(&mut self) {
        let until = Instant::now() + PATIENCE;
        // What a kill cut goes on by itself; what the database failed under has to be asked for again.
        let mut state = self.newest().await;
        while state != "succeeded" {
            assert!(Instant::now() < until, "the newest run is {state} and goes nowhere");
            if !["queued", "running", "stopping"].contains(&state.as_str()) {
                self.request().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            state = self.newest().await;
        }
        self.publish();
        self.request().await;
        while self.newest().await != "succeeded" {
            assert!(Instant::now() < until, "a run after all the kills does not succeed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let client = self.client().await;
        let jobs = "SELECT count(*) FROM jobs WHERE kind = 'synchronize' AND state IN ('waiting', 'running')";
        while client.query_one(jobs, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(Instant::now() < until, "a job outlives its run");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let sql =
            "SELECT i.update_id, r.revision_number FROM revisions r JOIN update_ids i ON i.id = r.update_row
                   WHERE NOT EXISTS (SELECT FROM unpublished_revisions w WHERE w.revision_row = r.id)";
        let rows = client.query(sql, &[]).await.unwrap();
        let stored: BTreeSet<RevisionKey> =
            rows.iter().map(|row| RevisionKey { update_id: row.get(0), revision: row.get(1) }).collect();
        assert_eq!(rows.len(), stored.len(), "something is there twice");
        let offered = self.upstream.keys();
        let (lost, strange): (Vec<_>, Vec<_>) =
            (offered.difference(&stored).collect(), stored.difference(&offered).collect());
        assert!(lost.is_empty() && strange.is_empty(), "lost {lost:?}, strange {strange:?}");
        let sql = "SELECT (SELECT count(*) FROM unpublished_revisions),
                          (SELECT count(*) FROM owed_revisions),
                          (SELECT count(*) FROM revisions r LEFT JOIN documents d ON d.revision_row = r.id
                           WHERE d.revision_row IS NULL),
                          (SELECT count(*) FROM updates u WHERE revision_number <>
                              (SELECT max(r.revision_number) FROM revisions r WHERE r.update_row = u.update_row)),
                          (SELECT count(*) FROM sync_runs WHERE finished_at IS NULL)";
        let row = client.query_one(sql, &[]).await.unwrap();
        let left: Vec<i64> = (0..5).map(|column| row.get(column)).collect();
        assert_eq!(left, [0; 5], "(invisible, owed, without document, not the highest, runs without an end)");
    }

    /// How many runs ended in which way.
    async fn states(&mut self) -> BTreeMap<String, i64> {
        let sql = "SELECT state, count(*) FROM sync_runs GROUP BY state";
        let rows = self.client().await.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}
