//! What Synchronization Options keeps between two looks: for whom it is, and over a loss of all connections.

use weir::accounts::{self, Role};

use crate::options::{ADDRESS, PASSWORD, start};

const SAVE: &str = "button[form=options]:not(.undo):not(.visually-hidden)";

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_look_gets_another_form_than_who_may_save() {
    let (app, anna) = start().await;
    accounts::create(&mut *app.db.conn().await, "rita", Role::Reporter, PASSWORD).await.unwrap();
    let rita = app.visitor();
    assert_eq!(rita.sign_in("rita", PASSWORD).await.status(), 303);
    for _ in 0..2 {
        let (own, others) = (anna.get(ADDRESS).await, rita.get(ADDRESS).await);
        assert!(own.has(SAVE) && !own.has("fieldset.stack[disabled]"));
        assert!(!others.has(SAVE) && others.has("fieldset.stack[disabled]"));
        assert!(own.has("#panel-schedule[hx-get]") && !others.has("#panel-schedule[hx-get]"));
        assert!(own.has("#panel-files") && others.has("#panel-files"), "all panels");
        let token = |page: &crate::support::Page| page.field("csrf").value().to_owned();
        assert_ne!(token(&own), token(&anna.get(ADDRESS).await), "masked anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_there_at_once_after_all_connections_were_cut() {
    let (app, anna) = start().await;
    let client = app.db.client().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        assert_eq!(anna.get(ADDRESS).await.status(), 200);
        assert!(!client.query(cut, &[]).await.unwrap().is_empty());
        assert_eq!(anna.get(ADDRESS).await.status(), 200, "read again with a connection that lives");
    }
}
