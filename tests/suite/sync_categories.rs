//! A run that brings products and classifications and no updates.

use std::time::{Duration, Instant};

use weir::sync::runs::{self, RunState};

use crate::support::bench::Bench;
use crate::support::documents::{self, PRODUCT};

async fn bench() -> Bench {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 30));
    bench.choose(&[(PRODUCT, false)]).await;
    bench
}

async fn request(bench: &Bench) -> runs::Requested {
    runs::request_categories(&mut *bench.db.conn().await, "test").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s057_categories_come_without_updates_and_the_next_run_brings_those() {
    let bench = bench().await;
    let run = bench.ended(request(&bench).await.run_id).await;
    assert_eq!((run.state(), run.phase()), (RunState::Succeeded, None), "{:?}", run.error());
    let categories: std::collections::BTreeSet<_> =
        documents::categories().iter().map(|document| document.key).collect();
    assert_eq!(bench.stored().await, categories);
    // Again: there is nothing new, and still no update is asked for.
    assert_eq!(bench.ended(request(&bench).await.run_id).await.state(), RunState::Succeeded);
    assert_eq!(bench.stored().await, categories);
    assert_eq!(runs::last_succeeded_at(&mut *bench.db.conn().await).await.unwrap(), None);

    bench.succeed().await;
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_everything_meanwhile_gets_everything_in_the_same_run() {
    let bench = bench().await;
    bench.upstream.delay(Duration::from_millis(400));
    let narrow = request(&bench).await;
    let until = Instant::now() + Duration::from_secs(30);
    while bench.upstream.take_calls().is_empty() {
        assert!(Instant::now() < until, "the run does not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let whole = bench.request().await;
    assert!(whole.joined && whole.run_id == narrow.run_id);
    bench.upstream.delay(Duration::ZERO);
    let run = bench.ended(narrow.run_id).await;
    assert_eq!((run.state(), run.categories_only), (RunState::Succeeded, false));
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

/// A catalogue with many updates, before the products that are chosen came to it.
const LARGE: &str = "
INSERT INTO update_ids (update_id) SELECT gen_random_uuid() FROM generate_series(1, 50000);
INSERT INTO update_categories (update_row, category_row) SELECT n, 1 + n % 60 FROM generate_series(61, 50000) n;
ANALYZE update_ids, update_categories";
/// An idle connection tells within ten seconds what it has read.
const TOLD_AFTER: Duration = Duration::from_secs(11);
/// How often the numbers of updates were looked into, and how many were read.
const READ: &str = "SELECT idx_scan, idx_tup_read + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'update_ids')
    FROM pg_stat_user_indexes WHERE indexrelname = 'update_ids_pkey'";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_nothing_new_reads_few_ids_of_a_large_catalogue() {
    let bench = Bench::start().await;
    let client = bench.db.client().await;
    client.batch_execute(LARGE).await.unwrap();
    bench.upstream.publish(documents::categories());
    bench.choose(&[(PRODUCT, false)]).await;
    bench.succeed().await;
    let read = async || {
        let row = client.query_one(READ, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    tokio::time::sleep(TOLD_AFTER).await;
    let before = read().await;
    bench.succeed().await;
    tokio::time::sleep(TOLD_AFTER).await;
    let after = read().await;
    assert!(after.0 >= before.0 + 2, "the parents of two products: {before:?} {after:?}");
    assert!(after.1 - before.1 < 1_000, "{before:?} {after:?}");
}
