//! Home: the check list of an empty installation, what needs a person, and the picture of the last runs.

use weir::sample::{self, Catalogue, Target};

use crate::support::TestApp;
use crate::support::database::keep_free;

/// Runs as history has them: state, new updates.
async fn runs(app: &TestApp, runs: &[(&str, i64)]) {
    let client = app.db.client().await;
    for (state, new) in runs {
        let sql = "INSERT INTO sync_runs (state, trigger, started_by, started_at, finished_at, new, error)
            VALUES ($1, 'schedule', 'schedule', now(), now(), $2, CASE WHEN $1 = 'failed' THEN
            '{\"code\":\"X\",\"message\":\"Nobody answers at wsus01.\",\"hop\":\"\",\"advice\":\"\",\"kept\":\"\",\"next\":\"\"}'::jsonb END)";
        client.execute(sql, &[state, new]).await.unwrap();
    }
}

async fn fill(app: &TestApp) {
    let content = app.data_dir().join("content");
    let target = Target { pool: app.db.pool(), url: app.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(60, 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_installation_shows_the_way_instead_of_zeros() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let page = visitor.get("/").await;
    assert_eq!(page.texts("main h2"), ["First steps", "Synchronization Status"]);
    let steps = page.texts(".steps li");
    assert_eq!(steps.len(), 5);
    assert!(steps[0].contains("At present: Microsoft Update."), "{steps:?}");
    assert!(!page.has(".steps li.done") && !page.has("svg.bars"));
    // More is to be kept free than any disk has.
    keep_free(&app.db.client().await, i64::MAX).await;
    let todo = visitor.get("/").await.texts(".todo li");
    assert!(todo[0].starts_with("The disk of the content store is full."), "{todo:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_person_comes_first() {
    let app = TestApp::start().await;
    fill(&app).await;
    runs(&app, &[("succeeded", 40), ("failed", 0)]).await;
    let page = app.sign_in_admin().await.get("/").await;
    let todo = page.texts(".todo li");
    assert_eq!(page.texts("main h2")[0], "To do");
    assert!(todo[0].starts_with("The last synchronization failed: Nobody answers at wsus01."), "{todo:?}");
    assert!(todo[1].contains("updates wait for approval."), "{todo:?}");
    assert!(!page.has(".steps"));
    runs(&app, &[("succeeded", 1)]).await;
    let page = app.sign_in_as("rita", weir::accounts::Role::Reporter).await.get("/").await;
    assert!(!page.text("main").contains("failed:"), "it is mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_thirty_runs_are_a_picture_words_and_a_table() {
    let app = TestApp::start().await;
    runs(&app, &[("failed", 0); 3]).await;
    runs(&app, &[("succeeded", 10); 28]).await;
    runs(&app, &[("failed", 0), ("canceled", 5)]).await;
    let page = app.sign_in_admin().await.get("/").await;
    assert_eq!(page.texts("svg.bars rect").len(), 30);
    assert_eq!(page.texts("svg.bars path").len(), 1, "a cross for the run that failed");
    let words = "30 synchronizations: 28 successful, 1 failed. New updates: 285 in all, 10 at most in one.";
    assert_eq!(page.text("svg.bars title"), words);
    assert_eq!(page.texts("details table tbody tr").len(), 30);
    assert_eq!(page.texts("details table tbody tr th")[0], "33", "the newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn s033_a_schedule_that_no_longer_succeeds_and_files_that_did_not_come_are_said() {
    let app = TestApp::start().await;
    fill(&app).await;
    runs(&app, &[("succeeded", 40)]).await;
    crate::support::options::change_options(&app.db, crate::support::options::daily).await;
    let visitor = app.sign_in_admin().await;
    let todo = visitor.get("/").await.texts(".todo li").join("\n");
    assert!(!todo.contains("has succeeded"), "{todo}");
    let sql = "UPDATE sync_runs SET finished_at = now() - interval '25 hours 10 minutes';
        UPDATE sync_options SET saved_at = now() - interval '3 days';
        INSERT INTO content_files (file_row, state) SELECT id, 'failed' FROM files ORDER BY id LIMIT 2
        ON CONFLICT (file_row) DO UPDATE SET state = 'failed'";
    app.db.client().await.batch_execute(sql).await.unwrap();
    let todo = visitor.get("/").await.texts(".todo li");
    assert!(todo[0].starts_with("No synchronization has succeeded since"), "{todo:?}");
    assert!(todo[0].contains("though one a day is planned."), "{todo:?}");
    assert!(todo[1].starts_with("2 update files were not fetched."), "{todo:?}");
    let sql = "UPDATE sync_runs SET finished_at = now() - interval '24 hours 50 minutes'";
    app.db.client().await.batch_execute(sql).await.unwrap();
    let todo = visitor.get("/").await.texts(".todo li").join("\n");
    assert!(!todo.contains("has succeeded"), "an hour is allowed: {todo}");
}
