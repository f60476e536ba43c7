//! Looking after stored files: verifying, cleaning up, and a folder that is not there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;
use weir::accounts::{Role, audit};
use weir::approvals::change;
use weir::config::Roles;
use weir::settings::FileStore;
use weir::sync::runs::{self, Trigger};

use crate::files::{content, count, stored, until};
use crate::support::options::change_options;
use crate::support::process::{output, succeed, weir};
use crate::support::{Page, TestApp, Visitor};

const PAGE: &str = "/content-store";
const CLEAN_UP: &str = "/content-store/clean-up";

/// Two servers; the second has fetched every file from the first.
async fn with_files() -> (TestApp, TestApp) {
    let (above, app) = (TestApp::with_sample(120, 3).await, TestApp::start().await);
    app.follow(&above, |options| options.files.deferred = false).await;
    app.synchronize().await;
    until("all files are here", async || count(&app, "stored").await > 0 && count(&app, "wanted").await == 0)
        .await;
    (above, app)
}

/// The files under final names, with their bytes.
fn names(app: &TestApp) -> Vec<PathBuf> {
    stored(&content(app)).into_iter().map(|(name, _)| content(app).join(name)).collect()
}

async fn number(app: &TestApp, sql: &str) -> i64 {
    app.db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits until no check is at work and returns what the page says of the last one of a kind.
async fn ended(app: &TestApp, visitor: &Visitor) -> String {
    until("the check has ended", async || {
        number(
            app,
            "SELECT count(*) FROM jobs WHERE kind = 'content_check' AND state IN ('waiting', 'running')",
        )
        .await
            == 0
    })
    .await;
    visitor.get(PAGE).await.text("section[aria-labelledby=checks]")
}

async fn post(visitor: &Visitor, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
    visitor.post_from(from, to, fields).await
}

/// Audit entries of these actions.
async fn audited(app: &TestApp, actions: &[&str]) -> i64 {
    let sql = "SELECT count(DISTINCT action) FROM audit WHERE action = ANY($1)";
    app.db.client().await.query_one(sql, &[&actions]).await.unwrap().get(0)
}

fn make_old(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(25 * 3_600);
    std::fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r089_a_file_changed_or_deleted_behind_the_servers_back_is_found_and_fetched_again() {
    let (_above, app) = with_files().await;
    let before = stored(&content(&app));
    let files = names(&app);
    let mut bytes = std::fs::read(&files[0]).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&files[0], &bytes).unwrap();
    std::fs::write(&files[1], b"short").unwrap();
    std::fs::remove_file(&files[2]).unwrap();

    let visitor = app.sign_in_as("olga", Role::Operator).await;
    assert_eq!(post(&visitor, PAGE, "/content-store/verify", &[]).await.status(), 303);
    let said = ended(&app, &visitor).await;
    assert!(said.contains("2 damaged and moved aside, 1 missing"), "{said}");
    let aside = content(&app).join(".damaged").join(files[0].file_name().unwrap());
    assert_eq!(std::fs::read(aside).unwrap(), bytes, "what was damaged can be looked at");
    until("all files are here again", async || count(&app, "wanted").await == 0).await;
    assert_eq!(stored(&content(&app)), before);
    assert_eq!(audited(&app, &["content.verify", "content.verified"]).await, 2);

    post(&visitor, PAGE, "/content-store/verify", &[]).await;
    let said = ended(&app, &visitor).await;
    assert!(said.contains("All of them are right."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r089_a_damaged_file_is_not_served_until_it_is_right_again() {
    let (above, app) = with_files().await;
    let file = names(&app).remove(0);
    let name = file.strip_prefix(content(&app)).unwrap().display().to_string();
    std::fs::write(&file, b"not the file").unwrap();
    // Nobody can bring it back.
    std::fs::remove_dir_all(content(&above)).unwrap();
    let visitor = app.sign_in_admin().await;
    post(&visitor, PAGE, "/content-store/verify", &[]).await;
    ended(&app, &visitor).await;
    assert_eq!(app.ask_services(&format!("/Content/{name}")).await.status(), 404);
    assert_eq!(count(&app, "wanted").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r258_an_older_database_takes_newer_files_over_and_a_newer_one_fetches_what_an_older_folder_lacks() {
    let (_above, app) = with_files().await;
    let (all, visitor) = (stored(&content(&app)), app.sign_in_admin().await);
    // The database knows the updates and has forgotten the files; one of them is damaged.
    app.db.client().await.batch_execute("DELETE FROM content_files").await.unwrap();
    std::fs::write(&names(&app)[0], b"damaged").unwrap();
    post(&visitor, PAGE, "/content-store/verify", &[]).await;
    let said = ended(&app, &visitor).await;
    let adopted = all.len() - 1;
    assert!(said.contains(&format!("{adopted} files taken over that were not on the list")), "{said}");
    assert!(stored(&content(&app)).is_subset(&all), "what is damaged is not served");
    until("the damaged one is fetched", async || count(&app, "stored").await as usize == all.len()).await;

    // And a folder of yesterday under a database of today.
    for file in names(&app).iter().take(5) {
        std::fs::remove_file(file).unwrap();
    }
    post(&visitor, PAGE, "/content-store/verify", &[]).await;
    ended(&app, &visitor).await;
    until("what was missing is here", async || count(&app, "stored").await as usize == all.len()).await;
    assert_eq!(stored(&content(&app)), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn r258_a_clean_up_tells_first_and_takes_only_what_nothing_needs() {
    let (_above, app) = with_files().await;
    let before = stored(&content(&app));
    // An update that is no part of another one, has all its files here and shares none, declined.
    let sql = "SELECT u.update_id FROM updates u
        WHERE u.approvable
          AND NOT EXISTS (SELECT FROM relations r WHERE r.target_row = u.update_row AND r.kind = 3)
          AND EXISTS (SELECT FROM revision_files rf WHERE rf.revision_row = u.revision_row)
          AND NOT EXISTS (SELECT FROM revision_files rf LEFT JOIN content_files c USING (file_row)
              WHERE rf.revision_row = u.revision_row AND (c.state IS DISTINCT FROM 'stored'
                  OR EXISTS (SELECT FROM revision_files o
                             WHERE o.file_row = rf.file_row AND o.revision_row <> rf.revision_row)))
        ORDER BY u.update_id LIMIT 1";
    let client = app.db.client().await;
    let update: Uuid = client.query_one(sql, &[]).await.unwrap().get(0);
    let by = audit::Entry { actor: "anna", ..audit::Entry::default() };
    change::decline(&mut *app.db.conn().await, &[update], "", by).await.unwrap();
    let sql = "SELECT upper(encode(f.sha1, 'hex')) FROM updates u
        JOIN revision_files rf ON rf.revision_row = u.revision_row JOIN files f ON f.id = rf.file_row
        WHERE u.update_id = $1";
    let declined: BTreeSet<String> =
        client.query(sql, &[&update]).await.unwrap().iter().map(|row| row.get(0)).collect();

    // Things of others, young things, and things nothing refers to.
    let hex = |last: &str| format!("0123456789ABCDEF0123456789ABCDEF012345{last}");
    let folder = content(&app);
    let (stray, young) = (format!("0A/{}.cab", hex("0A")), format!("0B/{}.cab", hex("0B")));
    let (rest, notes) = (format!(".partial/{}", hex("0C")), "0A/notes.txt".to_owned());
    for name in [&stray, &young, &rest, &notes] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"some bytes").unwrap();
    }
    for path in names(&app).into_iter().chain([folder.join(&rest), folder.join(&notes)]) {
        if path != folder.join(&young) {
            make_old(&path);
        }
    }

    let visitor = app.sign_in_admin().await;
    let outlook = visitor.get(CLEAN_UP).await;
    let told: BTreeSet<String> =
        outlook.texts("section[aria-labelledby=names] tbody th").into_iter().collect();
    assert_eq!(told.len(), 2 + declined.len(), "{told:?}");
    assert!(told.contains(&stray) && told.contains(&rest), "{told:?}");
    assert!(declined.iter().all(|digest| told.iter().any(|name| name.contains(digest))), "{told:?}");
    assert!(names(&app).len() >= before.len(), "a look removes nothing");
    // R240: what only a declined update needs is not given out, although it is here.
    for (name, _) in &before {
        let name = name.display().to_string();
        let gone = declined.iter().any(|digest| name.contains(digest));
        let status = app.ask_services(&format!("/Content/{name}")).await.status();
        assert_eq!(status, if gone { 404 } else { 200 }, "{name}");
    }

    assert_eq!(post(&visitor, CLEAN_UP, CLEAN_UP, &[]).await.status(), 303);
    let said = ended(&app, &visitor).await;
    assert!(said.contains(&format!("{} files removed", told.len())), "{said}");
    for name in &told {
        assert!(!folder.join(name).exists(), "{name}");
    }
    assert!(folder.join(&young).exists() && folder.join(&notes).exists());
    let kept = before.iter().filter(|(name, _)| !told.contains(&name.display().to_string()));
    assert!(kept.clone().all(|(name, bytes)| &std::fs::read(folder.join(name)).unwrap() == bytes));
    assert_eq!(count(&app, "stored").await as usize, kept.count(), "the list says the same");
    assert_eq!(audited(&app, &["content.clean-up", "content.cleaned-up"]).await, 2);
    let empty = visitor.get(CLEAN_UP).await;
    assert!(empty.text("main").contains("Nothing to remove"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r258_more_than_a_fifth_of_the_store_goes_only_when_somebody_says_so() {
    let (_above, app) = with_files().await;
    for path in names(&app) {
        make_old(&path);
    }
    let before = stored(&content(&app));
    change_options(&app.db, |options| options.files.store = FileStore::Source).await;
    let visitor = app.sign_in_admin().await;
    let refused = post(&visitor, CLEAN_UP, CLEAN_UP, &[]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.field("confirmed").error().contains("Nothing was removed"));
    let refused = output(weir(&app.db, app.data_dir(), &["content", "cleanup"])).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("more than one fifth"), "{refused:?}");
    assert_eq!(stored(&content(&app)), before);

    assert_eq!(post(&visitor, CLEAN_UP, CLEAN_UP, &[("confirmed", "true")]).await.status(), 303);
    ended(&app, &visitor).await;
    assert!(stored(&content(&app)).is_empty(), "files are not kept here any more");
    assert_eq!(number(&app, "SELECT count(*) FROM content_files").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_waits_for_nobody_and_is_refused_during_a_run() {
    let app = TestApp::start_with(|config| config.roles = Roles { worker: false, ..Roles::ALL }).await;
    let stray = content(&app).join("0A/0123456789ABCDEF0123456789ABCDEF0123450A.cab");
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, b"x").unwrap();
    make_old(&stray);
    runs::request(&mut *app.db.conn().await, Trigger::Manual, "test").await.unwrap();
    let visitor = app.sign_in_admin().await;
    let refused = post(&visitor, CLEAN_UP, CLEAN_UP, &[("confirmed", "true")]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text("main").contains("A synchronization is at work"));
    assert_eq!(number(&app, "SELECT count(*) FROM content_checks").await, 0);
    assert!(stray.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn r088_without_its_folder_a_server_fetches_nothing_and_loses_nothing() {
    let (_above, app) = with_files().await;
    let (folder, elsewhere) = (content(&app), app.data_dir().join("unmounted"));
    let before = stored(&folder);
    std::fs::rename(&folder, &elsewhere).unwrap();
    std::fs::create_dir(&folder).unwrap(); // the mount point
    let sql = "UPDATE content_files SET state = 'wanted', next_try = now()
        WHERE file_row = (SELECT min(file_row) FROM content_files)";
    app.db.client().await.batch_execute(sql).await.unwrap();
    std::fs::remove_file(elsewhere.join(first_wanted(&app).await)).unwrap();

    let visitor = app.sign_in_admin().await;
    assert!(visitor.get(PAGE).await.text("main").contains("The stored files are not there"));
    post(&visitor, PAGE, "/content-store/verify", &[]).await;
    let said = ended(&app, &visitor).await;
    assert!(said.contains("perhaps its disk is not mounted"), "{said}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(count(&app, "wanted").await, 1, "nothing more is counted as lost");
    assert_eq!(count(&app, "failed").await, 0);
    assert!(folder.read_dir().unwrap().next().is_none(), "the disk below is not filled");

    std::fs::remove_dir(&folder).unwrap();
    std::fs::rename(&elsewhere, &folder).unwrap();
    until("it goes on by itself", async || count(&app, "wanted").await == 0).await;
    assert_eq!(stored(&folder), before);
}

/// Place of the file that is wanted.
async fn first_wanted(app: &TestApp) -> String {
    let sql = "SELECT upper(right(encode(f.sha1, 'hex'), 2)) || '/' || upper(encode(f.sha1, 'hex'))
        || substring(f.name FROM '\\.[^.]*$') FROM content_files c JOIN files f ON f.id = c.file_row
        WHERE c.state = 'wanted' LIMIT 1";
    app.db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_verifies_cleans_up_and_counts_with_and_without_a_server() {
    let (_above, app) = with_files().await;
    let here = names(&app);
    std::fs::write(&here[0], b"damaged").unwrap();
    let said = |output: std::process::Output| String::from_utf8(output.stdout).unwrap();
    let run = async |args: &[&str]| said(succeed(weir(&app.db, app.data_dir(), args)).await);
    let verified = run(&["content", "verify"]).await;
    assert!(verified.contains("1 damaged, 0 missing"), "{verified}");
    until("it is fetched again", async || count(&app, "wanted").await == 0).await;
    let stats = run(&["content", "stats"]).await;
    assert!(stats.contains(&format!("Stored: {} files", here.len())), "{stats}");

    let folder = app.data_dir().to_owned();
    let keep = tempfile::tempdir().unwrap();
    let copied = keep.path().join("content");
    succeed(copy(&folder.join("content"), &copied)).await;
    let db = app.stop().await;
    let stray = copied.join("0A/0123456789ABCDEF0123456789ABCDEF0123450A.cab");
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, b"x").unwrap();
    make_old(&stray);
    let alone = async |args: &[&str]| said(succeed(weir(&db, keep.path(), args)).await);
    let outlook = alone(&["content", "cleanup", "--dry-run"]).await;
    assert!(outlook.contains("0A/0123456789ABCDEF0123456789ABCDEF0123450A.cab 1"), "{outlook}");
    assert!(stray.exists(), "a dry run removes nothing");
    let done = alone(&["content", "cleanup"]).await;
    assert!(done.starts_with("1 files removed") && !stray.exists(), "{done}");
}

fn copy(from: &Path, to: &Path) -> std::process::Command {
    let mut command = std::process::Command::new("cp");
    command.arg("-a").arg(from).arg(to);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_what_products_and_classifications_take() {
    let (_above, app) = with_files().await;
    let visitor = app.sign_in_as("rita", Role::Reporter).await;
    let page = visitor.get(PAGE).await;
    for part in ["products", "classifications"] {
        let rows = page.texts(&format!("section[aria-labelledby={part}] tbody tr"));
        assert!(
            !rows.is_empty() && rows.iter().all(|row| row.contains('B') || row.contains("byte")),
            "{rows:?}"
        );
    }
    assert!(!page.has("form[action='/content-store/verify']"), "a reporter only looks");
    let part = visitor.get_fragment(PAGE).await;
    assert!(!part.has("section[aria-labelledby=products]"), "what refreshes itself stays small");
}
