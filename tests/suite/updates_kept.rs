//! What becomes of updates whose classification is cleared, and what comes when it is chosen again.

use std::collections::BTreeSet;

use uuid::Uuid;
use weir::accounts::Role;
use weir::sample::{self, Catalogue, Target};
use weir::settings::SyncOptions;

use crate::support::TestApp;
use crate::support::options::change_options;

const SECURITY: Uuid = Uuid::from_u128(0x0fa1_201d_4330_4fa8_8ae9_b877_473b_6441);

async fn held(app: &TestApp) -> BTreeSet<Uuid> {
    let sql = "SELECT update_id FROM updates WHERE approvable";
    app.db.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn security(app: &TestApp) -> i64 {
    let sql = "SELECT count(*) FROM updates u WHERE u.approvable AND NOT u.expired AND EXISTS (
        SELECT FROM update_categories m JOIN updates c ON c.update_row = m.category_row
        WHERE m.update_row = u.update_row AND c.update_id = $1)";
    app.db.client().await.query_one(sql, &[&SECURITY]).await.unwrap().get(0)
}

fn clear(options: &mut SyncOptions) {
    options.selections.retain(|one| one.category_id != SECURITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn s062_s063_a_cleared_classification_keeps_its_updates_and_choosing_it_again_brings_what_was_missed() {
    let upstream = TestApp::with_sample(150, 1).await;
    let app = TestApp::start().await;
    app.follow(&upstream, |_| {}).await;
    app.synchronize().await;
    let (first, kept) = (held(&app).await, security(&app).await);
    assert!(kept > 3, "the sample has security updates");

    let mut chosen = Vec::new();
    change_options(&app.db, |options| {
        chosen = options.selections.clone();
        clear(options);
    })
    .await;
    let content = upstream.data_dir().join("content");
    let target = Target { pool: upstream.db.pool(), url: upstream.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(150, 2)).await.unwrap();
    app.synchronize().await;
    assert_eq!(security(&app).await, kept, "none of them came, and none went");
    assert!(held(&app).await.is_superset(&first));

    // They are marked, and only they.
    let page = app
        .sign_in_as("rita", Role::Reporter)
        .await
        .get(&format!("/updates?classification={SECURITY}"))
        .await;
    let rows = page.texts("#updates tbody tr");
    assert!(!rows.is_empty() && rows.iter().all(|row| row.contains("No longer synchronized")), "{rows:?}");

    change_options(&app.db, |options| options.selections = chosen).await;
    app.synchronize().await;
    assert!(security(&app).await > kept);
    let fresh = TestApp::start().await;
    fresh.follow(&upstream, |_| {}).await;
    fresh.synchronize().await;
    assert!(held(&app).await.is_superset(&held(&fresh).await), "nothing is missing that a new server has");
}
