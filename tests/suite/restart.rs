//! Orderly ends: SIGTERM in each phase of a run, and servers replaced one after the other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use weir::accounts::Role;
use weir::approvals::{ALL_COMPUTERS, Action};

use weir::sync::runs::{self, Phase, RunState, Trigger};

use crate::approvals;
use crate::instances::Fleet;
use crate::support::bench::Bench;
use crate::support::documents::{self, PRODUCT};
use crate::support::options::{change_options, use_upstream};
use crate::support::process::Process;
use crate::support::{PASSWORD, TestApp, TestDatabase};

/// What publishing takes; held here, a run waits in its last phase.
const PUBLISH_LOCK: i64 = 0x7765_6972_0000_0002;

/// The phase that the newest run is in; `None` when none is at work.
async fn phase(db: &TestDatabase) -> Option<Phase> {
    let newest = runs::list(&mut *db.conn().await, None, 1).await.unwrap().pop();
    newest.filter(|run| run.state() == RunState::Running).and_then(|run| run.phase())
}

async fn reach(db: &TestDatabase, wanted: Phase) {
    let until = Instant::now() + Duration::from_secs(60);
    while phase(db).await != Some(wanted) {
        if Instant::now() > until {
            let newest = runs::list(&mut *db.conn().await, None, 1).await.unwrap().pop();
            panic!("no run gets to {wanted:?}: {newest:?}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_each_phase_ends_in_time_and_the_run_goes_on_by_itself() {
    let bench = Bench::idle().await;
    bench.upstream.limits(10, 10);
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 60));
    bench.request().await;
    let data = tempfile::tempdir().unwrap();
    let holder = bench.db.client().await;
    let mut ended = BTreeSet::new();
    // Takes connections and says nothing.
    let silence = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for wanted in [Phase::Connect, Phase::Categories, Phase::Updates, Phase::Publish] {
        if wanted == Phase::Publish {
            bench.upstream.delay(Duration::ZERO);
            // The categories have their own commit point, which an earlier round may not have reached.
            work_until_done(&bench.db, data.path()).await;
            holder.execute("SELECT pg_advisory_lock($1)", &[&PUBLISH_LOCK]).await.unwrap();
            bench.upstream.publish(documents::updates(PRODUCT, 5_000, 5));
            bench.request().await;
        }
        // Progress is written twice a second, so a phase has to last to be seen.
        let port = if wanted == Phase::Connect {
            silence.local_addr().unwrap().port()
        } else {
            bench.upstream.port()
        };
        change_options(&bench.db, |options| options.source.port = port).await;
        if wanted != Phase::Publish {
            bench.upstream.delay(Duration::from_millis(1_500));
        }
        let mut server = Process::start(&bench.db, data.path());
        server.ready().await;
        reach(&bench.db, wanted).await;
        let asked_at = Instant::now();
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().await, Some(0), "{wanted:?}");
        assert!(asked_at.elapsed() < Duration::from_secs(30), "{wanted:?}");
        let newest = runs::list(&mut *bench.db.conn().await, None, 1).await.unwrap().pop().unwrap();
        assert_eq!(newest.state(), RunState::Interrupted, "{wanted:?}: {:?}", newest.error());
        ended.insert(newest.id);
    }
    assert_eq!(ended.len(), 4, "each time another run that goes on");
    holder.execute("SELECT pg_advisory_unlock($1)", &[&PUBLISH_LOCK]).await.unwrap();
    work_until_done(&bench.db, data.path()).await;
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

/// Lets a server work until the newest run has succeeded.
async fn work_until_done(db: &TestDatabase, data: &std::path::Path) {
    let mut server = Process::start(db, data);
    server.ready().await;
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let newest = runs::list(&mut *db.conn().await, None, 1).await.unwrap().pop().unwrap();
        if newest.state() == RunState::Succeeded {
            break;
        }
        assert!(Instant::now() < until, "{:?} {:?}", newest.state(), newest.error());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_replaced_one_after_the_other_lose_nothing() {
    let bench = Bench::idle().await;
    bench.upstream.limits(10, 10);
    bench.upstream.delay(Duration::from_millis(500));
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 800));
    weir::accounts::create(&mut *bench.db.conn().await, "ann", Role::Operator, PASSWORD).await.unwrap();
    let mut fleet = Fleet::start(&bench.db).await;
    let mut ann = fleet.servers[0].visitor();
    assert_eq!(ann.sign_in("ann", PASSWORD).await.status(), 303);
    let run = ann.post_from("/synchronize", "/synchronizations", &[]).await.location().to_owned();
    for number in 0..3 {
        reach(&bench.db, Phase::Updates).await;
        // What stood before the server that goes sends people to the next one.
        let next = fleet.servers[(number + 1) % 3].visitor();
        next.set_cookie("weir", &ann.cookie("weir").unwrap());
        fleet.replace(number).await;
        assert_eq!(next.get(&run).await.status(), 200, "signed in, and the run is known");
        ann = next;
    }
    let until = Instant::now() + Duration::from_secs(90);
    while runs::active(&mut *bench.db.conn().await).await.unwrap().is_some() {
        assert!(Instant::now() < until, "the run does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = runs::list(&mut *bench.db.conn().await, None, 50).await.unwrap();
    assert_eq!(all[0].state(), RunState::Succeeded, "{:?}", all[0].error());
    assert_eq!(all.iter().filter(|run| run.continues.is_none()).count(), 1, "one run, which went on");
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_while_a_replica_asks_for_approvals_ends_in_time_and_the_run_goes_on_by_itself() {
    let (above, db) = (TestApp::with_sample(120, 2).await, TestDatabase::create().await);
    change_options(&db, |options| {
        use_upstream(options, above.services_port());
        options.selections.clear();
        options.replica = true;
    })
    .await;
    runs::request(&mut *db.conn().await, Trigger::Manual, "test").await.unwrap();
    let known: Vec<_> = approvals::updates(&above).await.into_iter().map(|(id, _)| id).take(3).collect();
    approvals::approve(&above, &known, ALL_COMPUTERS, Some(Action::Detect)).await;
    let holder = above.db.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE approvals IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    reach(&db, Phase::Approvals).await;
    let asked_at = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await, Some(0));
    assert!(asked_at.elapsed() < Duration::from_secs(30));
    let newest = runs::list(&mut *db.conn().await, None, 1).await.unwrap().pop().unwrap();
    assert_eq!(newest.state(), RunState::Interrupted, "{:?}", newest.error());

    holder.batch_execute("COMMIT").await.unwrap();
    work_until_done(&db, data.path()).await;
    let approved = "SELECT count(*) FROM approvals";
    let here: i64 = db.client().await.query_one(approved, &[]).await.unwrap().get(0);
    let there: i64 = holder.query_one(approved, &[]).await.unwrap().get(0);
    assert!(there > 0);
    assert_eq!(here, there);
}
