//! The queue: its states, one worker a job, cancel, retry, takeover, and what upkeep removes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use weir::accounts::Role;
use weir::jobs::{self, Enqueued, Instance, Job, JobError, JobState, Lease, Worker};
use weir::sync::runs;

use crate::support::options::change_options;
use crate::support::{TestApp, TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn the_database_allows_exactly_the_changes_of_state_that_the_type_allows() {
    let db = TestDatabase::create().await;
    let client = db.client().await;
    for from in JobState::ALL {
        for to in JobState::ALL {
            let (from_word, to_word) = (from.as_str(), to.as_str());
            let key = format!("{from_word} {to_word}");
            let sql = "INSERT INTO jobs (kind, dedup_key, state) VALUES ('test', $1, $2) RETURNING id";
            let id: i64 = client.query_one(sql, &[&key, &from_word]).await.unwrap().get(0);
            let changed = client.execute("UPDATE jobs SET state = $2 WHERE id = $1", &[&id, &to_word]).await;
            assert_eq!(changed.is_ok(), from.may_become(to), "{key}");
        }
    }
}

/// Counts how often it is begun, and does what its arguments say.
#[derive(Deserialize)]
struct Probe {
    what: String,
}

#[derive(Default)]
struct Counter {
    begun: AtomicU32,
}

impl Job for Probe {
    const KIND: &'static str = "probe";
    const LEASE: Duration = Duration::from_secs(3);
    type Context = Counter;

    async fn run(self, context: Arc<Counter>, lease: Lease) -> Result<(), JobError> {
        context.begun.fetch_add(1, Ordering::SeqCst);
        match self.what.as_str() {
            "fail" => Err(JobError::Failed("no luck".to_owned())),
            "panic" => panic!("on purpose"),
            "wait" => tokio::select! {
                () = lease.canceled().cancelled() => Err(JobError::Canceled),
                () = lease.shutdown().cancelled() => Err(JobError::Interrupted),
            },
            _ => Ok(()),
        }
    }
}

/// A worker of its own instance.
struct Bench {
    counter: Arc<Counter>,
    end: CancellationToken,
}

impl Bench {
    async fn start(db: &TestDatabase) -> Self {
        let bench = Self { counter: Arc::default(), end: CancellationToken::new() };
        let instance = Instance::register(db.url().clone(), "bench", "worker").await.unwrap();
        let worker = Worker::new(db.pool().clone(), Arc::new(instance));
        tokio::spawn(worker.with::<Probe>(bench.counter.clone()).run(bench.end.clone()));
        bench
    }

    fn begun(&self) -> u32 {
        self.counter.begun.load(Ordering::SeqCst)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn put(db: &TestDatabase, what: &str) -> i64 {
    let mut conn = db.conn().await;
    let args = json!({ "what": what });
    match jobs::enqueue(&mut conn, Probe::KIND, &format!("probe {what}"), args).await.unwrap() {
        Enqueued::New(id) => id,
        Enqueued::AlreadyThere => panic!("{what} is there already"),
    }
}

async fn becomes(db: &TestDatabase, id: i64, wanted: JobState) -> jobs::JobRow {
    for _ in 0..300 {
        let job = jobs::find_job(&mut *db.conn().await, id).await.unwrap().unwrap();
        if job.state() == wanted {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("job {id} does not become {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_is_begun_once_by_one_of_several_workers() {
    let db = TestDatabase::create().await;
    let workers = join_all((0..3).map(|_| Bench::start(&db))).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(put(&db, &format!("job {number}")).await);
    }
    for id in ids {
        assert_eq!(becomes(&db, id, JobState::Succeeded).await.attempts, 1);
    }
    assert_eq!(workers.iter().map(Bench::begun).sum::<u32>(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_job_is_not_put_in_twice_and_an_ended_one_may_be() {
    let db = TestDatabase::create().await;
    let id = put(&db, "once").await;
    let mut conn = db.conn().await;
    let again = jobs::enqueue(&mut conn, Probe::KIND, "probe once", json!({ "what": "once" })).await.unwrap();
    assert_eq!(again, Enqueued::AlreadyThere);
    let worker = Bench::start(&db).await;
    becomes(&db, id, JobState::Succeeded).await;
    put(&db, "once").await;
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_and_a_panic_are_kept_and_can_be_retried() {
    let db = TestDatabase::create().await;
    let _worker = Bench::start(&db).await;
    let failed = put(&db, "fail").await;
    assert_eq!(becomes(&db, failed, JobState::Failed).await.last_error, "no luck");
    let panicked = put(&db, "panic").await;
    assert!(becomes(&db, panicked, JobState::Failed).await.last_error.contains("internal fault"));
    let mut conn = db.conn().await;
    let Some(Enqueued::New(again)) = jobs::retry(&mut conn, failed).await.unwrap() else {
        panic!("nothing was put in")
    };
    becomes(&db, again, JobState::Failed).await;
    let good = put(&db, "good").await;
    becomes(&db, good, JobState::Succeeded).await;
    assert_eq!(jobs::retry(&mut conn, good).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn r152_a_running_job_is_canceled_by_its_lease_and_a_second_cancel_finds_it_ended() {
    let db = TestDatabase::create().await;
    let _worker = Bench::start(&db).await;
    let id = put(&db, "wait").await;
    becomes(&db, id, JobState::Running).await;
    let mut conn = db.conn().await;
    assert!(jobs::cancel(&mut conn, id).await.unwrap());
    becomes(&db, id, JobState::Canceled).await;
    assert!(!jobs::cancel(&mut conn, id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_process_that_is_gone_is_taken_over() {
    let db = TestDatabase::create().await;
    let sql = "INSERT INTO jobs (kind, dedup_key, args, state, owner, fence, attempts, lease_until)
               VALUES ('probe', 'left', '{\"what\": \"good\"}', 'running', gen_random_uuid(), 7, 1,
                       now() + interval '1 hour') RETURNING id";
    let id: i64 = db.client().await.query_one(sql, &[]).await.unwrap().get(0);
    let worker = Bench::start(&db).await;
    assert_eq!(becomes(&db, id, JobState::Succeeded).await.attempts, 2);
    assert_eq!(worker.begun(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_no_process_survives_is_given_up() {
    let db = TestDatabase::create().await;
    let sql = "INSERT INTO jobs (kind, dedup_key, args, state, owner, fence, attempts, lease_until)
               VALUES ('probe', 'deadly', '{\"what\": \"good\"}', 'running', gen_random_uuid(), 40, 40,
                       now()) RETURNING id";
    let id: i64 = db.client().await.query_one(sql, &[]).await.unwrap().get(0);
    let worker = Bench::start(&db).await;
    assert!(becomes(&db, id, JobState::Failed).await.last_error.contains("ended each time"));
    assert_eq!(worker.begun(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_jobs_and_retries_and_cancels_them() {
    let app = TestApp::start().await;
    let sql = "INSERT INTO jobs (kind, dedup_key, state, last_error, run_after, finished_at)
               VALUES ('probe', 'one', 'failed', 'The disk is full.', now(), now()),
                      ('probe', 'two', 'waiting', '', now() + interval '1 hour', NULL)
               RETURNING id";
    let ids: Vec<i64> =
        app.db.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let visitor = app.sign_in_as("olga", Role::Operator).await;
    let page = visitor.get("/jobs").await;
    assert_eq!(page.status(), 200);
    assert!(page.texts("td").iter().any(|text| text == "The disk is full."), "{}", page.body);
    // Jobs of the server itself may stand beside them.
    let (retry, cancel) = (format!("/jobs/{}/retry", ids[0]), format!("/jobs/{}/cancel", ids[1]));
    assert!(page.has(&format!("form[action='{retry}']")) && page.has(&format!("form[action='{cancel}']")));
    assert_eq!(visitor.post_from("/jobs", &retry, &[]).await.location(), "/jobs");
    assert_eq!(visitor.post_from("/jobs", &cancel, &[]).await.location(), "/jobs");
    let sql = "SELECT (SELECT count(*) FROM jobs WHERE dedup_key = 'one' AND state = 'waiting'),
                      (SELECT count(*) FROM jobs WHERE dedup_key = 'two' AND state = 'canceled'),
                      (SELECT count(*) FROM audit WHERE action IN ('job.retry', 'job.cancel'))";
    let row = app.db.client().await.query_one(sql, &[]).await.unwrap();
    assert_eq!([row.get::<_, i64>(0), row.get(1), row.get(2)], [1, 1, 2]);
    assert_eq!(visitor.post_from("/jobs", "/jobs/999999/retry", &[]).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronization_that_failed_is_among_the_failed_jobs_and_retry_asks_for_a_new_one() {
    let app = TestApp::start().await;
    change_options(&app.db, |options| options.selections.clear()).await;
    let mut conn = app.db.conn().await;
    runs::request(&mut conn, runs::Trigger::Manual, "ann").await.unwrap();
    let id = jobs::list_jobs(&mut conn, &JobState::ALL, 50).await.unwrap();
    let id = id.iter().find(|job| job.kind == "synchronize").unwrap().id;
    assert_eq!(becomes(&app.db, id, JobState::Failed).await.last_error, "No product is selected.");
    let visitor = app.sign_in_as("olga", Role::Operator).await;
    assert_eq!(visitor.post_from("/jobs", &format!("/jobs/{id}/retry"), &[]).await.location(), "/jobs");
    assert_eq!(runs::list(&mut conn, None, 10).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_removes_what_is_old_and_keeps_the_rest() {
    let db = TestDatabase::create().await;
    let client = db.client().await;
    client
        .batch_execute(
            "INSERT INTO jobs (kind, dedup_key, state, finished_at)
                 VALUES ('probe', 'old', 'succeeded', now() - interval '31 days'),
                        ('probe', 'new', 'succeeded', now() - interval '29 days');
             INSERT INTO sync_runs (state, trigger, started_by, finished_at)
                 SELECT 'succeeded', 'manual', 'ann', now() - interval '400 days' FROM generate_series(1, 60);
             INSERT INTO run_log (run_id, at, level, message)
                 SELECT max(id), now() - interval '91 days', 'info', 'old' FROM sync_runs;
             INSERT INTO run_log (run_id, level, message) SELECT max(id), 'info', 'new' FROM sync_runs;
             INSERT INTO accounts (name, name_folded, password_hash, role) VALUES ('a', 'a', '', 'reporter');
             INSERT INTO sessions (token_hash, account_id, csrf_secret, last_used_at)
                 SELECT '\\x01', id, '\\x', now() - interval '9 hours' FROM accounts;
             INSERT INTO sessions (token_hash, account_id, csrf_secret) SELECT '\\x02', id, '\\x' FROM accounts;
             INSERT INTO audit (at, actor, action) VALUES (now() - interval '3 years', 'a', 'old'), (now(), 'a', 'new')",
        )
        .await
        .unwrap();
    let app = TestApp::start_on_database(Arc::new(db)).await; // a server looks at once whether upkeep is due
    let sql = "SELECT (SELECT count(*) FROM jobs WHERE kind = 'retention' AND state = 'succeeded'),
                      (SELECT count(*) FROM jobs WHERE kind = 'probe'), (SELECT count(*) FROM sync_runs),
                      (SELECT count(*) FROM run_log), (SELECT count(*) FROM sessions),
                      (SELECT count(*) FROM audit WHERE action IN ('old', 'new'))";
    for _ in 0..200 {
        if client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let row = client.query_one(sql, &[]).await.unwrap();
    let left: Vec<i64> = (0..6).map(|column| row.get(column)).collect();
    assert_eq!(left, [1, 1, 50, 1, 1, 1], "upkeep, jobs, runs, log lines, sessions, audit entries");
    drop(app);
}
