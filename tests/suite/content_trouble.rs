//! Files whose source falls silent, files that are not whole yet, and files that wait for a person.

use std::time::Duration;

use serde_json::json;
use weir::accounts::Role;
use weir::content::Store;
use weir::sync::ContentPlace;
use weir::upstream::TransportLimits;

use crate::files::{content, count, until};
use crate::support::bench::{Bench, Setup};
use crate::support::file_server::{Fault, FileServer, want};
use crate::support::options::{change_options, use_upstream};
use crate::support::{TestApp, TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_falls_silent_is_left_and_the_file_goes_on_where_it_was() {
    let source = FileServer::start().await;
    let files = [source.offer(1, 600_000), source.offer(2, 1_000)];
    source.break_file(&files[0], Fault::Silent(200_000));
    source.break_file(&files[1], Fault::Silent(0));
    let (bench, folder) = (Bench::idle_on(TestDatabase::create().await).await, tempfile::tempdir().unwrap());
    change_options(&bench.db, |options| use_upstream(options, source.port)).await;
    want(&bench.db, &files).await;
    let limits = TransportLimits { idle: Duration::from_secs(1), ..TransportLimits::default() };
    let store = Store::new(folder.path());
    let place = ContentPlace { store: store.clone(), hosts: Vec::new() };
    let database = bench.db.url().clone();
    bench.work_with(Setup { database, limits, content: place, ..Setup::default() }).await;
    weir::jobs::enqueue(&mut *bench.db.conn().await, "download", "download", json!({})).await.unwrap();

    let client = bench.db.client().await;
    let told = "SELECT last_error FROM content_files WHERE state = 'wanted' AND attempts = 1";
    // One after the other: by the time the large one is here, the silent one may be in its second try.
    until("the silent one is told", async || {
        let silent = client.query_opt(told, &[]).await.unwrap();
        silent.is_some_and(|row| row.get::<_, String>(0).contains("sent nothing for 1 seconds"))
    })
    .await;
    until("the other one is here", async || store.holds(&files[0]).await.unwrap()).await;
    assert!(!store.holds(&files[1]).await.unwrap());
    assert_eq!(std::fs::read(folder.path().join(files[0].place())).unwrap(), **source.bytes(&files[0]));
    let asked = source.asked();
    let froms: Vec<usize> =
        asked.iter().filter(|asked| asked.place == files[0].place()).map(|asked| asked.from).collect();
    assert!([0, 200_000, 400_000].starts_with(&froms) && froms.len() >= 2, "{froms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r240_a_file_is_served_when_it_is_whole_and_right_and_not_before() {
    let source = FileServer::start().await;
    let (slow, wrong) = (source.offer(1, 600_000), source.offer(2, 50_000));
    source.break_file(&wrong, Fault::WrongByte);
    source.pause(Duration::from_millis(40));
    let app = TestApp::start().await;
    change_options(&app.db, |options| use_upstream(options, source.port)).await;
    want(&app.db, &[slow.clone(), wrong.clone()]).await;
    let hex = slow.sha1.to_hex_upper();
    until("a part of it is here", async || {
        content(&app).join(".partial").join(&hex).metadata().is_ok_and(|about| about.len() > 0)
    })
    .await;
    let served = async |place: &str| app.ask_services(&format!("/Content/{place}")).await.status();
    let others =
        [wrong.place(), format!(".partial/{hex}"), format!(".damaged/{hex}.cab"), ".weir".to_owned()];
    assert_eq!(served(&slow.place()).await, 404, "a part is nothing");
    until("the slow one is here", async || count(&app, "stored").await == 1).await;
    assert_eq!(served(&slow.place()).await, 200);
    for other in &others {
        // A name without an extension is refused, as real servers do.
        assert!(matches!(served(other).await, 403 | 404), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_that_did_not_come_is_tried_again_alone() {
    let source = FileServer::start().await;
    let files = [source.offer(1, 1_000), source.offer(2, 1_000)];
    let app = TestApp::start().await;
    want(&app.db, &files).await;
    let client = app.db.client().await;
    let fail = "UPDATE content_files SET state = 'failed', last_error = 'It is not there.'";
    client.batch_execute(fail).await.unwrap();
    change_options(&app.db, |options| use_upstream(options, source.port)).await;
    let visitor = app.sign_in_as("olga", Role::Operator).await;
    let page = visitor.get("/content-store").await;
    assert!(
        page.has("button[aria-label='Retry file-1.cab']")
            && page.has("button[aria-label='Retry file-2.cab']")
    );
    let row = "SELECT id FROM files WHERE name = 'file-2.cab'";
    let row: i32 = client.query_one(row, &[]).await.unwrap().get(0);
    let to = format!("/content-store/retry/{row}");
    assert_eq!(visitor.post_from("/content-store", &to, &[]).await.status(), 303);
    until("it came", async || count(&app, "stored").await == 1).await;
    assert_eq!(count(&app, "failed").await, 1, "the other one waits for somebody");
    assert!(content(&app).join(files[1].place()).exists() && !content(&app).join(files[0].place()).exists());
    let reporter = app.sign_in_as("rita", Role::Reporter).await;
    assert!(!reporter.get("/content-store").await.has("button[aria-label='Retry file-1.cab']"));
}
