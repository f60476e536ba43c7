//! Limits of fetching: bandwidth, files at once, and what of the disk is kept free.

use std::time::{Duration, Instant};

use weir::accounts::Role;
use weir::content::limits::{self, Limits};

use crate::files::{content, count, stored, until};
use crate::support::file_server::{FileServer, hurry, want};
use crate::support::options::{change_options, use_upstream};
use crate::support::{TestApp, Visitor};

const PAGE: &str = "/content-store/limits";

async fn follower(source: &FileServer) -> TestApp {
    let app = TestApp::start().await;
    change_options(&app.db, |options| use_upstream(options, source.port)).await;
    app
}

async fn change(app: &TestApp, change: impl FnOnce(&mut Limits)) {
    let conn = &mut *app.db.conn().await;
    let mut limits = limits::load(conn).await.unwrap();
    change(&mut limits);
    assert!(limits::save(conn, &limits).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_together_keep_to_the_bandwidth_and_a_new_one_counts_for_those_under_way() {
    let source = FileServer::start().await;
    let files: Vec<_> = (0..4).map(|number| source.offer(number, 250_000)).collect();
    let app = follower(&source).await;
    change(&app, |limits| limits.rate = 400_000).await;
    let begun = Instant::now();
    want(&app.db, &files).await;
    until("all came", async || count(&app, "stored").await == 4).await;
    // 1,000,000 bytes, of which 100,000 may come at once.
    assert!(begun.elapsed() >= Duration::from_millis(2_200), "{:?}", begun.elapsed());

    change(&app, |limits| limits.rate = 1_000).await;
    let large = source.offer(9, 400_000);
    want(&app.db, &[large]).await;
    until("it is under way", async || !source.asked().is_empty() && begun_files(&app).await == 1).await;
    let visitor = app.sign_in_as("rita", Role::Reporter).await;
    let page = visitor.get("/content-store").await;
    assert!(page.text("section[aria-labelledby=now]").contains("file-9.cab"));
    assert!(page.text("section[aria-labelledby=figures-head]").contains("At most 1 KB a second"));
    change(&app, |limits| limits.rate = 0).await;
    until("it comes without a limit", async || count(&app, "stored").await == 5).await;
    assert_eq!(begun_files(&app).await, 0);
}

async fn begun_files(app: &TestApp) -> i64 {
    let sql = "SELECT count(*) FROM content_files WHERE begun_at IS NOT NULL";
    app.db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_files_are_under_way_than_allowed_neither_in_all_nor_from_one_host() {
    for (workers, per_host, most) in [(16, 3, 3), (2, 16, 2)] {
        let source = FileServer::start().await;
        source.pause(Duration::from_millis(10));
        let files: Vec<_> = (0..30).map(|number| source.offer(number, 80_000)).collect();
        let app = follower(&source).await;
        change(&app, |limits| (limits.workers, limits.per_host) = (workers, per_host)).await;
        want(&app.db, &files).await;
        until("all came", async || count(&app, "stored").await == 30).await;
        assert_eq!(source.most(), most, "{workers} workers, {per_host} from one host");
    }
}

/// More than are listed at once, and more than may wait to be written down.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_files_each_is_asked_for_once() {
    let source = FileServer::start().await;
    let files: Vec<_> = (0..1_500).map(|number| source.offer(number, 500)).collect();
    let app = follower(&source).await;
    change(&app, |limits| (limits.workers, limits.per_host) = (16, 16)).await;
    want(&app.db, &files).await;
    until("all came", async || count(&app, "stored").await == 1_500).await;
    let mut places: Vec<String> = source.asked().into_iter().map(|asked| asked.place).collect();
    assert_eq!(places.len(), 1_500);
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 1_500);
    assert_eq!(stored(&content(&app)).len(), 1_500);
    assert_eq!(begun_files(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r087_fetching_waits_before_the_reserve_is_used_and_goes_on_by_itself() {
    let source = FileServer::start().await;
    let files: Vec<_> = (0..3).map(|number| source.offer(number, 50_000)).collect();
    let app = follower(&source).await;
    change(&app, |limits| limits.reserve = Some(i64::MAX as u64)).await;
    want(&app.db, &files).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(source.asked().is_empty(), "nothing is even asked for");
    assert_eq!(count(&app, "wanted").await, 3);
    let visitor = app.sign_in_admin().await;
    assert!(visitor.get("/content-store").await.text("main").contains("The disk is full"));

    change(&app, |limits| limits.reserve = Some(1_000_000)).await;
    until("there is room", async || {
        hurry(&app.db).await;
        count(&app, "stored").await == 3
    })
    .await;
    assert!(content(&app).join(files[0].place()).exists());
}

async fn save(visitor: &Visitor, fields: &[(&str, &str)]) -> crate::support::Page {
    let page = visitor.get(PAGE).await;
    let version = page.field("version").value().to_owned();
    let mut all = vec![("version", version.as_str())];
    let names = ["rate", "other_from", "other_until", "other_rate", "workers", "per_host", "reserve"];
    let typed: Vec<_> = names.iter().map(|name| (*name, page.field(name).value().to_owned())).collect();
    for (name, value) in &typed {
        if !fields.iter().any(|(other, _)| other == name) {
            all.push((name, value.as_str()));
        }
    }
    all.extend_from_slice(fields);
    visitor.post_from(PAGE, PAGE, &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_limits_saves_what_is_right_and_keeps_what_is_typed() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let refused =
        save(&visitor, &[("rate", "fast"), ("workers", "17"), ("other_from", "25:00"), ("reserve", "-1")])
            .await;
    assert_eq!(refused.status(), 422);
    assert_eq!(refused.field("rate").value(), "fast");
    for name in ["rate", "workers", "other_from", "reserve"] {
        assert!(refused.field(name).error().starts_with("Enter "), "{name}");
    }
    let same = [("other_hours", "true"), ("other_from", "08:00"), ("other_until", "08:00")];
    assert!(save(&visitor, &same).await.field("other_until").error().starts_with("Enter another time"));
    let load = async || limits::load(&mut *app.db.conn().await).await.unwrap();
    assert_eq!(load().await.version, 1, "nothing was saved");

    let right = [
        ("rate", "500"),
        ("other_hours", "true"),
        ("other_from", "20:00"),
        ("other_until", "06:30"),
        ("other_rate", ""),
        ("workers", "16"),
        ("per_host", "4"),
        ("reserve", "0.5"),
    ];
    assert_eq!(save(&visitor, &right).await.status(), 303);
    let saved = load().await;
    assert_eq!((saved.rate, saved.workers, saved.per_host), (500_000, 16, 4));
    assert_eq!((saved.other.enabled, saved.other.rate, saved.reserve), (true, 0, Some(500_000_000)));
    let shown = visitor.get("/content-store").await.text("section[aria-labelledby=figures-head]");
    assert!(
        shown.contains("At most 500 KB a second, 16 at once; from 20:00 to 06:30 as fast as possible"),
        "{shown}"
    );
    let sql = "SELECT count(*) FROM audit WHERE action = 'content.limits'
        AND (before ->> 'bytes_per_second')::int = 0 AND (after ->> 'bytes_per_second')::int = 500000";
    assert_eq!(app.db.client().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);

    let stale = [
        ("version", "1"),
        ("rate", "1"),
        ("other_from", "20:00"),
        ("other_until", "06:00"),
        ("workers", "1"),
        ("per_host", "1"),
    ];
    let conflict = visitor.post_from(PAGE, PAGE, &stale).await;
    assert_eq!(conflict.status(), 422);
    assert!(conflict.text("main").contains("Somebody else saved these limits"));
    assert_eq!(load().await, saved);
}
