//! Files from a source with faults: right in the end or with a clear reason, and nothing wrong under a final name.

use std::collections::HashMap;

use weir::content::Store;
use weir::content::store::FileFacts;

use crate::files::{content, count, stored, until};
use crate::support::TestApp;
use crate::support::file_server::{Fault, FileServer, hurry, want};
use crate::support::options::{change_options, use_upstream};

/// A server that fetches its files from this source.
async fn follower(source: &FileServer) -> TestApp {
    let app = TestApp::start().await;
    change_options(&app.db, |options| use_upstream(options, source.port)).await;
    app
}

/// Last error of every file by its name.
async fn reasons(app: &TestApp) -> HashMap<String, String> {
    let sql = "SELECT f.name, c.last_error FROM content_files c JOIN files f ON f.id = c.file_row";
    let rows = app.db.client().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn is_right(app: &TestApp, source: &FileServer, file: &FileFacts) -> bool {
    std::fs::read(content(app).join(file.place())).is_ok_and(|bytes| bytes == **source.bytes(file))
}

#[tokio::test(flavor = "multi_thread")]
async fn r078_a_source_with_every_fault_gives_reasons_first_and_right_files_in_the_end() {
    let source = FileServer::start().await;
    let faults = [
        (
            Fault::Answer("404 Not Found"),
            "does not know this file|does not have the file|status 404|answered",
        ),
        (Fault::Answer("503 Service Unavailable\r\nRetry-After: 90"), "status 503"),
        (Fault::Answer("302 Found\r\nLocation: /Content/again"), "status 302"),
        (Fault::Answer("200 OK\r\nContent-Type: text/html"), "sent a page (text/html)"),
        (Fault::WrongByte, "its SHA-1 digest is wrong, so it was thrown away"),
        (Fault::TooLong, "bytes, and should have"),
        (Fault::TooShort, "bytes, and should have"),
        (Fault::Cut(0), "broke"),
    ];
    let files: Vec<FileFacts> =
        (0..faults.len()).map(|number| source.offer(number as u64, 200_000)).collect();
    for (file, (fault, _)) in files.iter().zip(&faults) {
        source.break_file(file, *fault);
    }
    let app = follower(&source).await;
    want(&app.db, &files).await;
    until("each was tried", async || reasons(&app).await.values().all(|reason| !reason.is_empty())).await;
    assert!(stored(&content(&app)).is_empty(), "nothing wrong has a final name");
    let told = reasons(&app).await;
    for (file, (fault, words)) in files.iter().zip(&faults) {
        let reason = &told[&file.name];
        assert!(words.split('|').any(|words| reason.contains(words)), "{fault:?}: {reason}");
    }
    let both = &told[&files[4].name];
    assert!(both.contains(&files[4].sha1.to_string()), "{both}");
    let sql = "SELECT extract(epoch FROM next_try - now())::float8 FROM content_files c
        JOIN files f ON f.id = c.file_row WHERE f.name = $1";
    let client = app.db.client().await;
    let wait: f64 = client.query_one(sql, &[&files[1].name]).await.unwrap().get(0);
    assert!((60.0..=90.0).contains(&wait), "the source asked to be left alone: {wait}");

    source.heal();
    until("all came in the end", async || {
        // A file that the source did not know waits for a person.
        let sql = "UPDATE content_files SET state = 'wanted' WHERE state = 'failed'";
        client.execute(sql, &[]).await.unwrap();
        hurry(&app.db).await;
        count(&app, "stored").await as usize == files.len()
    })
    .await;
    assert!(files.iter().all(|file| is_right(&app, &source, file)));
}

#[tokio::test(flavor = "multi_thread")]
async fn r077_a_redirect_of_a_file_is_not_followed_also_not_to_where_it_is() {
    let (source, elsewhere) = (FileServer::start().await, FileServer::start().await);
    let file = source.offer(1, 20_000);
    elsewhere.offer(1, 20_000);
    let there =
        format!("302 Found\r\nLocation: http://127.0.0.1:{}/Content/{}", elsewhere.port, file.place());
    source.break_file(&file, Fault::Answer(there.leak()));
    let app = follower(&source).await;
    want(&app.db, std::slice::from_ref(&file)).await;
    until("it was tried", async || reasons(&app).await.values().all(|reason| !reason.is_empty())).await;
    assert!(reasons(&app).await[&file.name].contains("status 302"));
    assert!(elsewhere.asked().is_empty(), "nobody was asked whom the options do not name");
    assert!(stored(&content(&app)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn r078_a_digest_that_stays_wrong_is_tried_a_few_times_and_then_reported() {
    let source = FileServer::start().await;
    let file = source.offer(1, 50_000);
    source.break_file(&file, Fault::WrongByte);
    let app = follower(&source).await;
    want(&app.db, std::slice::from_ref(&file)).await;
    until("it is given up", async || {
        hurry(&app.db).await;
        count(&app, "failed").await == 1
    })
    .await;
    assert_eq!(source.asked().len(), weir::content::wanted::ATTEMPTS_MAX as usize);
    assert!(!content(&app).join(file.place()).exists());
    let page = app.sign_in_admin().await.get("/content-store").await;
    assert!(page.text("section[aria-labelledby=failed]").contains("SHA-1 digest is wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r079_both_digests_count() {
    let source = FileServer::start().await;
    let (mut first, mut second) = (source.offer(1, 30_000), source.offer(2, 30_000));
    let other = source.offer(3, 30_000);
    first.sha256 = other.sha256; // SHA-1 right, SHA-256 of another file
    let right = second.clone();
    second.sha1 = weir::protocol::ids::Sha1Digest([7; 20]); // and the reverse
    source.rename(&right, &second);
    let app = follower(&source).await;
    want(&app.db, &[first.clone(), second.clone()]).await;
    until("both were tried", async || reasons(&app).await.values().all(|reason| !reason.is_empty())).await;
    let told = reasons(&app).await;
    assert!(told[&first.name].contains("SHA-256 digest is wrong"), "{told:?}");
    assert!(told[&second.name].contains("SHA-1 digest is wrong"), "{told:?}");
    assert!(stored(&content(&app)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn r083_another_part_than_was_asked_for_means_to_begin_again() {
    let source = FileServer::start().await;
    let files = [source.offer(1, 300_000), source.offer(2, 300_000)];
    let app = follower(&source).await;
    begin(&app, &source, &files[0], 100_000).await;
    begin(&app, &source, &files[1], 100_000).await;
    source.break_file(&files[0], Fault::OtherPart);
    source.break_file(&files[1], Fault::Answer("416 Range Not Satisfiable"));
    want(&app.db, &files).await;
    until("both were tried", async || reasons(&app).await.values().all(|reason| !reason.is_empty())).await;
    source.heal();
    until("both came", async || {
        hurry(&app.db).await;
        count(&app, "stored").await == 2
    })
    .await;
    assert!(files.iter().all(|file| is_right(&app, &source, file)));
    let froms: Vec<usize> = source.asked().iter().map(|asked| asked.from).collect();
    assert_eq!(froms.iter().filter(|from| **from == 100_000).count(), 2, "{froms:?}");
    // Where a part is refused the whole file is asked for at once, and here refused once more.
    assert_eq!(froms.iter().filter(|from| **from == 0).count(), 3, "{froms:?}");
}

/// Leaves the beginning of a file in the folder, as a download that was cut does.
async fn begin(app: &TestApp, source: &FileServer, file: &FileFacts, len: usize) {
    let store = Store::new(content(app));
    store.make_ready(&[]).await.unwrap();
    let mut partial = store.open_partial(file).await.unwrap();
    partial.add(bytes::Bytes::copy_from_slice(&source.bytes(file)[..len])).await.unwrap();
    drop(partial);
    let path = content(app).join(".partial").join(file.sha1.to_hex_upper());
    until("it is written", async || std::fs::metadata(&path).is_ok_and(|about| about.len() == len as u64))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r084_a_beginning_that_was_altered_is_fetched_again_from_zero_once() {
    let source = FileServer::start().await;
    let file = source.offer(1, 300_000);
    let app = follower(&source).await;
    begin(&app, &source, &file, 150_000).await;
    let path = content(&app).join(".partial").join(file.sha1.to_hex_upper());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    want(&app.db, std::slice::from_ref(&file)).await;
    until("it came", async || {
        hurry(&app.db).await;
        count(&app, "stored").await == 1
    })
    .await;
    assert!(is_right(&app, &source, &file));
    let froms: Vec<usize> = source.asked().iter().map(|asked| asked.from).collect();
    assert_eq!(froms, [150_000, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r095_a_way_that_breaks_again_and_again_leads_there_without_fetching_much_twice() {
    let source = FileServer::start().await;
    let len = 3_000_000;
    let files: Vec<FileFacts> = (0..10).map(|number| source.offer(number, len)).collect();
    for (number, file) in files.iter().enumerate() {
        // After every tenth part, and after uneven ones.
        source.break_file(file, Fault::Cut(len / 10 + number * 7_777));
    }
    let app = follower(&source).await;
    want(&app.db, &files).await;
    until("all came", async || count(&app, "stored").await as usize == files.len()).await;
    assert!(files.iter().all(|file| is_right(&app, &source, file)));
    let sent: usize = source.asked().iter().map(|asked| asked.sent).sum();
    assert!(sent <= len * files.len() + (1 << 20), "{sent} bytes");
}
