//! Fetching the files of updates from an upstream server: what is wanted comes, and nothing wrong is kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;
use weir::accounts::audit;
use weir::approvals::change::{self, Change, GroupChoice};
use weir::approvals::{ALL_COMPUTERS, Action};
use weir::config::Roles;
use weir::sync::runs;

use crate::support::TestApp;

/// Files by state.
pub(crate) async fn count(app: &TestApp, state: &str) -> i64 {
    let sql = "SELECT count(*) FROM content_files WHERE state = $1";
    app.db.client().await.query_one(sql, &[&state]).await.unwrap().get(0)
}

pub(crate) async fn until<T: AsyncFn() -> bool>(what: &str, holds: T) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come to this: {what}");
}

/// Names and bytes of everything below a content folder that has a final name.
pub(crate) fn stored(folder: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with('.') || !entry.path().is_dir() {
            continue;
        }
        for file in std::fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
            let name = file.path().strip_prefix(folder).unwrap().to_owned();
            found.insert((name, std::fs::read(file.path()).unwrap()));
        }
    }
    found
}

pub(crate) fn content(app: &TestApp) -> PathBuf {
    app.data_dir().join("content")
}

#[tokio::test(flavor = "multi_thread")]
async fn s108_a_run_that_is_not_deferred_brings_the_files_too() {
    let (above, app) = (TestApp::with_sample(120, 3).await, TestApp::start().await);
    app.follow(&above, |options| options.files.deferred = false).await;
    let run_id = app.synchronize().await;
    until("all files are here", async || count(&app, "wanted").await == 0).await;
    assert_eq!(count(&app, "failed").await, 0);
    let (here, there) = (stored(&content(&app)), stored(&content(&above)));
    assert!(
        !here.is_empty() && here.is_subset(&there),
        "every file is one of the upstream server's, to the byte"
    );
    assert_eq!(count(&app, "stored").await, here.len() as i64);
    let run = runs::get(&mut *app.db.conn().await, run_id).await.unwrap().unwrap();
    assert_eq!(run.files, here.len() as i64);
    assert!(
        std::fs::read_dir(content(&app).join(".partial")).unwrap().next().is_none(),
        "nothing is left over"
    );
}

/// Approves an update that consists of others for installation; the answer is how many files that takes.
async fn approve_a_bundle(app: &TestApp) -> i64 {
    let client = app.db.client().await;
    let closure = "WITH RECURSIVE c (update_row, revision_row) AS (
            SELECT update_row, revision_row FROM updates WHERE update_id = $1
            UNION SELECT u.update_row, u.revision_row FROM c
            JOIN relations r ON r.revision_row = c.revision_row AND r.kind = 3
            JOIN updates u ON u.update_row = r.target_row)
        SELECT count(DISTINCT f.file_row) FROM c JOIN revision_files f ON f.revision_row = c.revision_row";
    let bundle =
        "SELECT u.update_id FROM updates u JOIN relations r ON r.revision_row = u.revision_row AND r.kind = 3
        WHERE u.approvable AND NOT u.expired LIMIT 1";
    let update: Uuid = client.query_one(bundle, &[]).await.unwrap().get(0);
    let wanted: i64 = client.query_one(closure, &[&update]).await.unwrap().get(0);
    assert!(wanted > 0);
    let change = Change {
        updates: vec![update],
        groups: vec![GroupChoice { group_id: ALL_COMPUTERS, action: Some(Action::Install) }],
        accept_licenses: true,
        ..Change::default()
    };
    let by = audit::Entry { actor: "anna", ..audit::Entry::default() };
    change::approve(&mut *app.db.conn().await, &change, by).await.unwrap();
    wanted
}

#[tokio::test(flavor = "multi_thread")]
async fn s107_deferred_files_come_with_the_approval_for_installation_and_exactly_its_closure() {
    let (above, app) = (TestApp::with_sample(120, 3).await, TestApp::start().await);
    app.follow(&above, |options| options.files.deferred = true).await;
    app.synchronize().await;
    // Critical and security updates are approved for detection by now, which downloads nothing.
    assert_eq!(count(&app, "wanted").await, 0);

    let wanted = approve_a_bundle(&app).await;
    until("its files are here", async || count(&app, "stored").await == wanted).await;
    assert_eq!(stored(&content(&app)).len() as i64, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn s098_files_may_come_from_microsoft_although_update_information_does_not() {
    let (above, app) = (TestApp::with_sample(120, 3).await, TestApp::start().await);
    // Stands where the documents say that Microsoft has the files.
    let elsewhere = TestApp::with_sample(120, 3).await;
    app.follow(&above, |options| options.files.from_microsoft = true).await;
    app.synchronize().await;
    let sql = format!(
        "UPDATE files SET mu_url = 'http://127.0.0.1:{}/Content/' || upper(right(encode(sha1, 'hex'), 2)) || '/'
             || upper(encode(sha1, 'hex')) || substring(name FROM '\\.[^.]*$')",
        elsewhere.services_port()
    );
    app.db.client().await.batch_execute(&sql).await.unwrap();
    std::fs::remove_dir_all(content(&above)).unwrap();
    let wanted = approve_a_bundle(&app).await;
    until("its files are here", async || count(&app, "stored").await == wanted).await;
    assert!(stored(&content(&app)).is_subset(&stored(&content(&elsewhere))));
}

#[tokio::test(flavor = "multi_thread")]
async fn r085_what_the_source_does_not_have_yet_is_waited_for_and_wrong_bytes_are_never_kept() {
    let (above, app) = (TestApp::with_sample(120, 3).await, TestApp::start().await);
    let files: Vec<PathBuf> =
        stored(&content(&above)).into_iter().map(|(name, _)| content(&above).join(name)).collect();
    // Every file is either missing or damaged in one byte.
    let mut damaged = BTreeSet::new();
    for (number, file) in files.iter().enumerate() {
        let mut bytes = std::fs::read(file).unwrap();
        if number % 2 == 0 || bytes.is_empty() {
            std::fs::remove_file(file).unwrap();
        } else {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(file, &bytes).unwrap();
            damaged.insert(file.clone());
        }
    }
    assert!(!damaged.is_empty());
    app.follow(&above, |options| options.files.deferred = false).await;
    app.synchronize().await;
    let client = app.db.client().await;
    let asked = "SELECT count(*) FROM content_files WHERE last_error = ''";
    until("each was asked for", async || client.query_one(asked, &[]).await.unwrap().get::<_, i64>(0) == 0)
        .await;
    assert!(stored(&content(&app)).is_empty(), "nothing wrong has a final name");
    let reasons = client.query("SELECT DISTINCT last_error FROM content_files", &[]).await.unwrap();
    let reasons: Vec<String> = reasons.iter().map(|row| row.get(0)).collect();
    assert!(reasons.iter().any(|text| text.contains("does not have the file yet")), "{reasons:?}");
    assert!(reasons.iter().any(|text| text.contains("SHA-1 digest is wrong")), "{reasons:?}");

    let reader = app.sign_in_admin().await;
    let page = reader.get("/content-store").await;
    assert!(page.text("main").contains("SHA-1 digest is wrong"));

    // The source mends them: each comes at its next try.
    for file in &damaged {
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
    client.execute("UPDATE content_files SET next_try = now()", &[]).await.unwrap();
    until("the mended ones are here", async || count(&app, "stored").await > 0).await;
    let there = stored(&content(&above));
    assert!(stored(&content(&app)).is_subset(&there));
}

#[tokio::test(flavor = "multi_thread")]
async fn p42_s152_in_a_chain_the_middle_server_fetches_what_the_one_below_asks_for() {
    let (above, middle, below) =
        (TestApp::with_sample(120, 3).await, TestApp::start().await, TestApp::start().await);
    middle.follow(&above, |options| options.files.deferred = true).await;
    middle.synchronize().await;
    assert_eq!(count(&middle, "stored").await, 0);
    below.follow(&middle, |options| options.files.deferred = false).await;
    below.synchronize().await;
    until("the middle server has what was asked for", async || {
        count(&middle, "stored").await > 0 && count(&middle, "wanted").await == 0
    })
    .await;
    let client = below.db.client().await;
    until("the files are at the end of the chain", async || {
        client
            .execute("UPDATE content_files SET next_try = now() WHERE state = 'wanted'", &[])
            .await
            .unwrap();
        count(&below, "wanted").await == 0
    })
    .await;
    assert_eq!(count(&below, "failed").await, 0);
    assert_eq!(stored(&content(&below)), stored(&content(&middle)));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_on_one_database_serve_what_one_of_them_fetched_into_their_shared_folder() {
    let above = TestApp::with_sample(120, 3).await;
    let shared = tempfile::tempdir().unwrap();
    let folder = || shared.path().join("files");
    let worker = TestApp::start_with(|config| config.content_dir = folder()).await;
    let server = worker
        .start_beside_with(|config| {
            config.content_dir = folder();
            config.roles = Roles { worker: false, ..Roles::ALL };
        })
        .await;
    worker.follow(&above, |options| options.files.deferred = false).await;
    worker.synchronize().await;
    until("all files are here", async || count(&worker, "wanted").await == 0).await;
    assert!(
        !content(&worker).exists() && !content(&server).exists(),
        "nothing lies beside the shared folder"
    );

    let below = TestApp::start().await;
    below.follow(&server, |options| options.files.deferred = false).await;
    below.synchronize().await;
    until("all files are there too", async || count(&below, "wanted").await == 0).await;
    assert_eq!(count(&below, "failed").await, 0);
    let (fetched, passed_on) = (stored(&folder()), stored(&content(&below)));
    assert!(!passed_on.is_empty() && passed_on.is_subset(&fetched));
}
