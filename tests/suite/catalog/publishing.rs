//! Publishing: all at once, in stamps that rise, and counted as a person would.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use weir::catalog::publish::{self, PublicationId};
use weir::catalog::{CatalogError, detail};
use weir::db::schema::{publications, updates};

use super::build::{Linked, bring, figures, hidden, id, product, publish_now, store_only, update};
use crate::support::TestDatabase;

async fn current(conn: &mut AsyncPgConnection, number: u32) -> Option<(i32, bool, bool)> {
    updates::table
        .filter(updates::update_id.eq(id(number)))
        .select((updates::revision_number, updates::expired, updates::superseded))
        .first(conn)
        .await
        .optional()
        .unwrap()
}

#[tokio::test]
async fn updates_are_counted_once_expired_before_revised_before_new() {
    let database = TestDatabase::create().await;
    let first = [update(1, 1), update(1, 2), update(2, 1), hidden(3, 1), update(4, 1).expired()];
    assert_eq!(figures(bring(&database, &first).await), (2, 0, 1, 5));
    let second = [
        update(1, 3).expired(),
        update(2, 2),
        update(4, 2).expired(),
        update(5, 1),
        hidden(3, 2),
        hidden(6, 1),
    ];
    assert_eq!(figures(bring(&database, &second).await), (1, 2, 1, 6));
    assert_eq!(figures(bring(&database, &[]).await), (0, 0, 0, 0));
}

#[tokio::test]
async fn i2_the_highest_revision_is_current_in_whatever_order_they_come() {
    let database = TestDatabase::create().await;
    bring(&database, &[update(1, 100), update(1, 2), update(1, 101)]).await;
    let mut conn = database.conn().await;
    assert_eq!(current(&mut conn, 1).await, Some((101, false, false)));
    // r044: a lower one that comes late is kept, but never current, and nothing was revised.
    assert_eq!(figures(bring(&database, &[update(1, 50).expired()]).await), (0, 0, 0, 1));
    assert_eq!(current(&mut conn, 1).await, Some((101, false, false)));
    let page = detail::find(&mut conn, id(1)).await.unwrap().unwrap();
    let numbers: Vec<i32> = page.revisions.iter().map(|revision| revision.number).collect();
    assert_eq!(numbers, [101, 100, 50, 2]);
}

#[tokio::test]
async fn readers_see_nothing_before_it_is_published() {
    let database = TestDatabase::create().await;
    bring(&database, &[update(1, 1)]).await;
    store_only(&database, &[update(1, 2), update(2, 1)]).await;
    let mut conn = database.conn().await;
    assert_eq!(current(&mut conn, 1).await, Some((1, false, false)));
    assert!(detail::find(&mut conn, id(2)).await.unwrap().is_none());
    assert_eq!(detail::find(&mut conn, id(1)).await.unwrap().unwrap().revisions.len(), 1);
    // A rolled back publication leaves no trace either.
    let publication = publish::open(&mut conn, None).await.unwrap();
    let _: Result<(), CatalogError> = conn
        .transaction(async |conn| {
            publish::publish(conn, publication, publish::Scope::Everything).await?;
            Err(CatalogError::Damaged)
        })
        .await;
    assert_eq!(current(&mut conn, 2).await, None);
    // What another run left is published by the next one, and counted there.
    assert_eq!(figures(publish_now(&mut conn).await), (1, 1, 0, 2));
}

#[tokio::test]
async fn an_update_is_superseded_while_a_current_one_says_so() {
    let database = TestDatabase::create().await;
    let mut conn = database.conn().await;
    // The one that supersedes may come first, name strangers and itself.
    bring(&database, &[update(2, 1).supersedes(&[1, 99, 2])]).await;
    bring(&database, &[update(1, 1)]).await;
    assert_eq!(current(&mut conn, 1).await, Some((1, false, true)));
    assert_eq!(current(&mut conn, 2).await, Some((1, false, false)));
    // A new revision that no longer names it gives it free.
    bring(&database, &[update(2, 2)]).await;
    assert_eq!(current(&mut conn, 1).await, Some((1, false, false)));
    bring(&database, &[update(2, 3).supersedes(&[1])]).await;
    assert_eq!(current(&mut conn, 1).await, Some((1, false, true)));
    // So does one that was withdrawn.
    bring(&database, &[update(2, 4).supersedes(&[1]).expired()]).await;
    assert_eq!(current(&mut conn, 1).await, Some((1, false, false)));
}

#[tokio::test]
async fn first_and_last_run_are_kept_with_the_update() {
    let database = TestDatabase::create().await;
    let mut conn = database.conn().await;
    for (run, revision) in [(41, 1), (42, 2)] {
        store_only(&database, &[update(1, revision)]).await;
        let publication = publish::open(&mut conn, Some(run)).await.unwrap();
        conn.transaction::<_, CatalogError, _>(async |conn| {
            publish::publish(conn, publication, publish::Scope::Everything).await
        })
        .await
        .unwrap();
    }
    let runs: (Option<i64>, Option<i64>) =
        updates::table.select((updates::first_run_id, updates::last_run_id)).first(&mut conn).await.unwrap();
    assert_eq!(runs, (Some(41), Some(42)));
}

#[tokio::test]
async fn a_publication_that_is_not_there_is_an_error() {
    let database = TestDatabase::create().await;
    store_only(&database, &[update(1, 1)]).await;
    let mut conn = database.conn().await;
    let result = publish::publish(&mut conn, PublicationId(4_711), publish::Scope::Everything).await;
    assert!(matches!(result, Err(CatalogError::NoSuchPublication { id: 4_711 })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r234_stamps_rise_in_commit_order_under_concurrent_publishers() {
    let database = std::sync::Arc::new(TestDatabase::create().await);
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let database = database.clone();
            tokio::spawn(async move {
                for round in 0..5 {
                    store_only(&database, &[update(publisher * 100 + round, 1)]).await;
                    publish_now(&mut *database.conn().await).await;
                }
            })
        })
        .collect();
    // Meanwhile: nothing may appear at or below a stamp that was the highest before.
    let mut conn = database.conn().await;
    let mut seen: std::collections::BTreeSet<i64> = std::collections::BTreeSet::new();
    while !publishers.iter().all(tokio::task::JoinHandle::is_finished) {
        let stamps: Vec<Option<i64>> = publications::table
            .filter(publications::stamp.is_not_null())
            .select(publications::stamp)
            .load(&mut conn)
            .await
            .unwrap();
        let highest = seen.last().copied().unwrap_or(0);
        for stamp in stamps.into_iter().flatten() {
            assert!(stamp > highest || seen.contains(&stamp), "{stamp} slipped behind {highest}");
            seen.insert(stamp);
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let known: i64 = updates::table.count().get_result(&mut conn).await.unwrap();
    assert_eq!(known, 20);
    let last = publish::last_stamp(&mut conn).await.unwrap();
    let newest: Option<i64> =
        updates::table.select(diesel::dsl::max(updates::changed_stamp)).first(&mut conn).await.unwrap();
    assert_eq!(last, newest);
}

#[tokio::test]
async fn r002_updates_an_interrupted_run_left_wait_when_categories_are_published() {
    let database = TestDatabase::create().await;
    store_only(&database, &[product(9), update(1, 1)]).await;
    let mut conn = database.conn().await;
    let publication = publish::open(&mut conn, None).await.unwrap();
    let counts = conn
        .transaction::<_, CatalogError, _>(async |conn| {
            publish::publish(conn, publication, publish::Scope::Configuration).await
        })
        .await
        .unwrap();
    assert_eq!(figures(counts), (0, 0, 0, 1));
    assert_eq!(current(&mut conn, 1).await, None);
    assert!(current(&mut conn, 9).await.is_some());
    assert_eq!(figures(publish_now(&mut conn).await), (1, 0, 0, 1));
    assert!(current(&mut conn, 1).await.is_some());
}
