//! Runs whose database fails under them.

use std::time::{Duration, Instant};

use weir::protocol::soap::Method;
use weir::sync::runs::{self, RunState};

use crate::support::TestApp;
use crate::support::bench::{Bench, Setup};
use crate::support::documents::{self, PRODUCT};
use crate::support::link::Link;
use crate::support::options::{change_options, use_upstream};
use crate::support::upstream::Upstream;

/// A bench whose worker reaches the database through a link.
async fn linked() -> (Bench, Link) {
    let bench = Bench::idle().await;
    let link = Link::to(&bench.db).await;
    bench.work_with(Setup { database: link.url(), ..Setup::default() }).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 300));
    (bench, link)
}

/// What the engine does not decide: the queue, its heartbeat, and the brackets of transactions.
fn is_of_the_queue(statement: &str) -> bool {
    let text = statement.trim_start();
    let brackets = ["BEGIN", "COMMIT", "ROLLBACK", "START TRANSACTION", "SET ", "SELECT 1", "LISTEN"];
    text.is_empty()
        || brackets.iter().any(|start| text.starts_with(start))
        || text == "SELECT $1" // the pool tries a connection before it lends it
        || ["jobs", "instances", "pg_catalog"].iter().any(|word| text.contains(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_nothing_new_takes_at_most_ten_statements_and_no_document() {
    let (bench, link) = linked().await;
    assert_eq!(bench.succeed().await.new, 300);
    bench.succeed().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    link.take_statements();
    bench.upstream.take_calls();
    bench.succeed().await;
    let statements: Vec<_> =
        link.take_statements().into_iter().filter(|statement| !is_of_the_queue(statement)).collect();
    assert!((1..=10).contains(&statements.len()), "{} statements: {statements:#?}", statements.len());
    let calls = bench.upstream.take_calls();
    assert!(calls.iter().all(|call| call.method != Method::GetUpdateData));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_when_all_is_published_not_when_that_begins() {
    let bench = Bench::start().await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON updates FOR EACH STATEMENT EXECUTE FUNCTION slow()";
    bench.db.client().await.batch_execute(slow).await.unwrap();
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 3));
    let run = bench.succeed().await;
    // Categories are published once, and then updates.
    let took = run.duration(chrono::Utc::now());
    assert!(took >= chrono::TimeDelta::milliseconds(1_400), "{took}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r014_a_database_that_goes_and_comes_back_needs_no_restart() {
    let bench = Bench::start().await;
    bench.upstream.limits(10, 10);
    bench.upstream.delay(Duration::from_millis(100));
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 200));
    let run_id = bench.request().await.run_id;
    loop {
        let run = runs::get(&mut *bench.db.conn().await, run_id).await.unwrap().unwrap();
        if run.revisions >= 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bench.db.refuse_connections().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    bench.db.accept_connections().await;
    bench.upstream.delay(Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let run = bench.ended(run_id).await;
    if run.state() == RunState::Failed {
        let error = run.error().unwrap();
        assert_eq!(error.hop, "database", "{error:?}");
        assert!(error.message.to_lowercase().contains("database"), "{error:?}");
    }
    bench.succeed().await;
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r014_pages_say_that_the_database_is_away_and_come_back_with_it() {
    let (app, upstream) = (TestApp::start().await, Upstream::start().await);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 20));
    change_options(&app.db, |options| use_upstream(options, upstream.port())).await;
    let anna = app.sign_in_admin().await;
    app.db.refuse_connections().await;
    let page = anna.get("/synchronizations").await;
    assert_eq!(page.status(), 503);
    assert!(page.body.to_lowercase().contains("database"), "{}", page.body);
    app.db.accept_connections().await;
    let until = Instant::now() + Duration::from_secs(30);
    while anna.get("/synchronizations").await.status() != 200 {
        assert!(Instant::now() < until, "the pages do not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.synchronize().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r015_a_batch_whose_commit_was_cut_is_wholly_there_or_wholly_not() {
    for pass_on in [false, true] {
        let (bench, link) = linked().await;
        link.cut("COPY documents", 1, pass_on);
        let run = bench.synchronize().await;
        assert_eq!(run.state(), RunState::Failed, "{:?}", run.error());
        assert_eq!(run.error().unwrap().hop, "database");
        let client = bench.db.client().await;
        let halves = "SELECT count(*) FROM revisions r LEFT JOIN documents d ON d.revision_row = r.id
             WHERE d.revision_row IS NULL";
        assert_eq!(client.query_one(halves, &[]).await.unwrap().get::<_, i64>(0), 0);
        bench.succeed().await;
        assert_eq!(bench.stored().await, bench.upstream.keys());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r016_a_connection_cut_inside_the_commit_point_leaves_no_half() {
    let begin_and_end = "sync_runs\" SET \"state\"";
    for (words, pass_on) in [(begin_and_end, true), (begin_and_end, false), ("UPDATE \"sources\"", false)] {
        let (bench, link) = linked().await;
        link.cut(words, 1, pass_on);
        let run = bench.synchronize().await;
        if run.state() == RunState::Failed {
            assert_eq!(run.error().unwrap().hop, "database");
        }
        bench.succeed().await;
        assert_eq!(bench.stored().await, bench.upstream.keys());
    }
}

/// Makes the first `times` inserts into `table` do this, at once or when their transaction commits. Counts even when
/// rolled back.
async fn spoil_inserts(bench: &Bench, table: &str, action: &str, times: u32, on_commit: bool) {
    let kind = if on_commit {
        format!(
            "CONSTRAINT TRIGGER trouble AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        )
    } else {
        format!("TRIGGER trouble AFTER INSERT ON {table} FOR EACH STATEMENT")
    };
    let sql = format!(
        "CREATE SEQUENCE troubles;
         CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('troubles') <= {times} THEN {action}; END IF; RETURN NULL; END $$;
         CREATE {kind} EXECUTE FUNCTION trouble()"
    );
    bench.db.client().await.batch_execute(&sql).await.unwrap();
}

/// The same with an error of this code.
async fn fail_inserts(bench: &Bench, table: &str, code: &str, times: u32, on_commit: bool) {
    let words = match code {
        "53100" => "could not extend file: No space left on device",
        "40P01" => "deadlock detected",
        _ => "could not serialize access",
    };
    let raise = format!("RAISE EXCEPTION '{words}' USING ERRCODE = '{code}'");
    spoil_inserts(bench, table, &raise, times, on_commit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r016_a_backend_that_is_ended_inside_a_transaction_costs_one_run_and_leaves_the_pool() {
    for (table, on_commit) in
        [("documents", false), ("documents", true), ("updates", false), ("updates", true)]
    {
        let bench = Bench::start().await;
        bench.upstream.publish(documents::categories());
        bench.upstream.publish(documents::updates(PRODUCT, 0, 60));
        spoil_inserts(&bench, table, "PERFORM pg_terminate_backend(pg_backend_pid())", 1, on_commit).await;
        let run = bench.synchronize().await;
        let error = run.error().unwrap_or_else(|| panic!("{table} {on_commit}: {:?}", run.state()));
        assert_eq!(run.state(), RunState::Failed);
        assert_eq!(
            (error.hop.as_str(), error.code.as_str()),
            ("database", "LocalDbConnectFail"),
            "{error:?}"
        );
        let halves = "SELECT (SELECT count(*) FROM revisions r LEFT JOIN documents d ON d.revision_row = r.id
                                  WHERE d.revision_row IS NULL),
                             (SELECT count(*) FROM updates u JOIN unpublished_revisions w USING (revision_row))";
        let row = bench.db.client().await.query_one(halves, &[]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 0), "{table} {on_commit}");
        // With the dead connection still in the pool the next one would fail as well.
        bench.succeed().await;
        assert_eq!(bench.stored().await, bench.upstream.keys());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r018_conflicts_are_repeated_a_few_times_and_then_told() {
    for (table, on_commit) in
        [("documents", false), ("documents", true), ("updates", false), ("updates", true)]
    {
        for code in ["40001", "40P01"] {
            let bench = Bench::start().await;
            bench.upstream.publish(documents::categories());
            bench.upstream.publish(documents::updates(PRODUCT, 0, 30));
            fail_inserts(&bench, table, code, 2, on_commit).await;
            assert_eq!(bench.succeed().await.new, 30, "{table} {code} {on_commit}");
            assert_eq!(bench.stored().await, bench.upstream.keys());
        }
        let bench = Bench::start().await;
        bench.upstream.publish(documents::categories());
        fail_inserts(&bench, table, "40001", 1_000, on_commit).await;
        let run = bench.synchronize().await;
        let error = run.error().unwrap();
        assert_eq!((run.state(), error.code.as_str()), (RunState::Failed, "LocalDbTooBusy"), "{error:?}");
        assert!(bench.stored().await.is_empty());
        let tries: i64 =
            bench.db.client().await.query_one("SELECT last_value FROM troubles", &[]).await.unwrap().get(0);
        assert!((4..=16).contains(&tries), "{tries} attempts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r019_a_full_disk_is_named_and_the_next_run_goes_on() {
    for table in ["documents", "updates"] {
        let bench = Bench::start().await;
        bench.upstream.publish(documents::categories());
        bench.upstream.publish(documents::updates(PRODUCT, 0, 30));
        fail_inserts(&bench, table, "53100", 1_000, false).await;
        let run = bench.synchronize().await;
        let error = run.error().unwrap();
        assert!(error.message.contains("disk of the database is full"), "{error:?}");
        assert_eq!((error.hop.as_str(), error.code.as_str()), ("database", "LocalDbOtherError"));
        assert!(bench.stored().await.is_empty());
        let free = format!("DROP TRIGGER trouble ON {table}");
        bench.db.client().await.batch_execute(&free).await.unwrap();
        assert_eq!(bench.succeed().await.new, 30);
        assert_eq!(bench.stored().await, bench.upstream.keys());
    }
}
