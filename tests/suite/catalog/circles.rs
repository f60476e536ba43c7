//! Updates that lead back to themselves: stored as they came, worked out within limits, and marked on their pages.

use std::time::{Duration, Instant};

use weir::accounts::Role;

use super::build::{Linked, bring, classification, hidden, id, product, update};
use crate::support::{TestApp, Visitor};

const LONGEST: Duration = Duration::from_secs(60);

async fn relations_of(visitor: &Visitor, number: u32) -> String {
    let page = visitor.get(&format!("/updates/{}?tab=relations", id(number))).await;
    assert_eq!(page.status(), 200, "{number}");
    page.text("main")
}

#[tokio::test(flavor = "multi_thread")]
async fn r107_prerequisites_in_circles_of_1_2_and_1000_are_stored_and_marked() {
    let app = TestApp::start().await;
    let mut batch = vec![product(1), classification(3)];
    batch.extend([update(10, 1).needs(&[10]), update(20, 1).needs(&[21]), update(21, 1).needs(&[20])]);
    batch.push(update(30, 1).needs(&[20])); // leads into a circle and is not on it
    batch.extend((1_000..2_000).map(|number| update(number, 1).needs(&[1_000 + (number + 1) % 1_000])));
    let begun = Instant::now();
    bring(&app.db, &batch).await;
    let rita = app.sign_in_as("rita", Role::Reporter).await;
    for number in [10, 20, 21, 1_000, 1_500, 1_999] {
        let text = relations_of(&rita, number).await;
        assert!(text.contains("is its own prerequisite"), "{number}: {text}");
    }
    assert!(!relations_of(&rita, 30).await.contains("is its own prerequisite"));
    assert_eq!(rita.get("/updates").await.status(), 200);
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn r108_a_bundle_of_itself_and_bundles_ten_thousand_deep_end_and_are_marked() {
    let app = TestApp::start().await;
    let mut batch = vec![product(1), classification(3)];
    batch.push(update(40, 1).member_of(&[1, 3]).bundles(&[40]));
    batch.extend([update(50, 1).bundles(&[51]), update(51, 1).bundles(&[50])]);
    batch.extend([update(60, 1).member_of(&[1, 3]).bundles(&[61]), hidden(61, 1)]);
    batch.push(update(10_000, 1).member_of(&[1, 3]).bundles(&[10_001]));
    batch.extend((10_001..20_000).map(|number| hidden(number, 1).bundles(&[number + 1])));
    batch.push(hidden(20_000, 1));
    let begun = Instant::now();
    bring(&app.db, &batch).await;
    // The innermost has learnt of the product through all of them.
    let sql = "SELECT count(*) FROM update_categories m JOIN updates u ON u.update_row = m.update_row
               WHERE u.update_id = $1";
    let row = app.db.client().await.query_one(sql, &[&id(20_000)]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2);
    let rita = app.sign_in_as("rita", Role::Reporter).await;
    for number in [40, 50, 51] {
        let text = relations_of(&rita, number).await;
        assert!(text.contains("is a part of itself"), "{number}: {text}");
    }
    let nested = "nested more than 50 levels deep";
    assert!(relations_of(&rita, 10_000).await.contains(nested));
    for number in [60, 19_990] {
        let text = relations_of(&rita, number).await;
        assert!(!text.contains(nested) && !text.contains("part of itself"), "{number}: {text}");
    }
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
}
