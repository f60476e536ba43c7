//! Products and classifications of updates, and the tree of categories.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use weir::catalog::{categories, publish};
use weir::db::schema::{update_categories, update_ids, updates};

use super::build::{Linked, bring, classification, hidden, id, product, update};
use crate::support::TestDatabase;

async fn members(database: &TestDatabase, number: u32) -> BTreeSet<u32> {
    let mut conn = database.conn().await;
    let found: Vec<uuid::Uuid> = update_categories::table
        .inner_join(updates::table.on(updates::update_row.eq(update_categories::update_row)))
        .inner_join(update_ids::table.on(update_ids::id.eq(update_categories::category_row)))
        .filter(updates::update_id.eq(id(number)))
        .select(update_ids::update_id)
        .load(&mut conn)
        .await
        .unwrap();
    (0..100_000).filter(|number| found.contains(&id(*number))).take(found.len()).collect()
}

fn set(numbers: &[u32]) -> BTreeSet<u32> {
    numbers.iter().copied().collect()
}

#[tokio::test]
async fn marked_groups_count_first_then_plain_ones() {
    let database = TestDatabase::create().await;
    let batch = [
        product(1),
        product(2),
        classification(3),
        update(10, 1).member_of(&[1, 3]).needs(&[2, 77]),
        update(11, 1).needs(&[2, 3]),
        update(12, 1).member_of(&[3]).needs(&[2]),
        update(13, 1).needs(&[10, 77]),
    ];
    bring(&database, &batch).await;
    assert_eq!(members(&database, 10).await, set(&[1, 3]));
    assert_eq!(members(&database, 11).await, set(&[2, 3]));
    // Products and classifications are looked for each on their own.
    assert_eq!(members(&database, 12).await, set(&[2, 3]));
    assert_eq!(members(&database, 13).await, set(&[]));
}

#[tokio::test]
async fn bundled_children_without_any_take_those_of_their_bundles() {
    let database = TestDatabase::create().await;
    let batch = [
        product(1),
        product(2),
        classification(3),
        update(10, 1).member_of(&[1, 3]).bundles(&[20]),
        update(11, 1).member_of(&[2, 3]).bundles(&[20, 22]),
        hidden(20, 1).bundles(&[21]),
        hidden(21, 1).bundles(&[20]),
        hidden(22, 1).needs(&[1]),
    ];
    bring(&database, &batch).await;
    assert_eq!(members(&database, 20).await, set(&[1, 2, 3]));
    assert_eq!(members(&database, 21).await, set(&[1, 2, 3]));
    assert_eq!(members(&database, 22).await, set(&[1]));
    // A bundle that changes its mind takes its children along, and they count as changed.
    let mut conn = database.conn().await;
    let before = publish::last_stamp(&mut conn).await.unwrap().unwrap();
    bring(&database, &[update(11, 2).member_of(&[1, 3]).bundles(&[20])]).await;
    assert_eq!(members(&database, 21).await, set(&[1, 3]));
    let stamp: i64 = updates::table
        .filter(updates::update_id.eq(id(21)))
        .select(updates::changed_stamp)
        .first(&mut conn)
        .await
        .unwrap();
    assert!(stamp > before);
}

#[tokio::test]
async fn a_child_may_come_before_its_bundle_and_an_update_before_its_product() {
    let database = TestDatabase::create().await;
    bring(&database, &[hidden(20, 1), update(10, 1).member_of(&[1, 3])]).await;
    assert_eq!(members(&database, 10).await, set(&[]));
    bring(&database, &[classification(3)]).await;
    assert_eq!(members(&database, 10).await, set(&[3]));
    bring(&database, &[product(1), update(11, 1).member_of(&[1]).bundles(&[20])]).await;
    assert_eq!(members(&database, 10).await, set(&[1, 3]));
    assert_eq!(members(&database, 20).await, set(&[1]));
    // Nothing else changes when nothing changed.
    let mut conn = database.conn().await;
    let before = publish::last_stamp(&mut conn).await.unwrap().unwrap();
    bring(&database, &[update(12, 1)]).await;
    let changed: i64 =
        updates::table.filter(updates::changed_stamp.gt(before)).count().get_result(&mut conn).await.unwrap();
    assert_eq!(changed, 1);
}

#[tokio::test]
async fn r107_r108_circles_and_deep_bundles_end() {
    let database = TestDatabase::create().await;
    let mut batch = vec![product(1).member_of(&[2]), product(2).member_of(&[1]), product(3).member_of(&[3])];
    batch.push(update(10, 1).member_of(&[1]).bundles(&[10, 1_000]));
    batch.extend((1_000..3_000).map(|number| hidden(number, 1).bundles(&[number + 1]).needs(&[number])));
    bring(&database, &batch).await;
    assert_eq!(members(&database, 2_999).await, set(&[1]));
    let mut conn = database.conn().await;
    let tree = categories::all(&mut conn).await.unwrap();
    let parents: Vec<Vec<uuid::Uuid>> = tree.into_iter().map(|category| category.parents).collect();
    assert_eq!(parents, [vec![id(2)], vec![id(1)], vec![]]);
}

#[tokio::test]
async fn the_tree_has_parents_kinds_and_counts() {
    let database = TestDatabase::create().await;
    let batch = [
        product(1),
        product(2).member_of(&[1]),
        classification(3),
        update(10, 1).member_of(&[2, 3]),
        update(11, 1).member_of(&[2, 3]).expired(),
        hidden(12, 1).needs(&[2]),
    ];
    bring(&database, &batch).await;
    let mut conn = database.conn().await;
    let tree = categories::all(&mut conn).await.unwrap();
    let seen: Vec<_> =
        tree.iter().map(|category| (category.id, category.parents.clone(), category.updates)).collect();
    assert_eq!(seen, [(id(3), vec![], 1), (id(1), vec![], 0), (id(2), vec![id(1)], 1)]);
    assert_eq!(categories::classifications(&mut conn).await.unwrap().len(), 1);
    assert_eq!(categories::products(&mut conn).await.unwrap().len(), 2);
}
