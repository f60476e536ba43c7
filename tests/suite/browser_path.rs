//! What a person does with the console, in a real browser.

use std::time::Duration;

use weir::accounts::Role;
use weir::sample::{self, Catalogue, Target};

use crate::support::{Browser, PASSWORD, Scripts, TestApp};

const PAGE: &str = "data:text/html,<body><p id=p>no script ran</p>\
    <label>Name <input></label><label for=c>Tick</label><input id=c type=checkbox><button>Go on</button>\
    <script>document.getElementById('p').textContent = 'a script ran'</script>";

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_runs_scripts_only_when_told() {
    for (scripts, seen) in [(Scripts::On, "a script ran"), (Scripts::Off, "no script ran")] {
        let browser = Browser::start(scripts).await;
        browser.open(PAGE).await;
        browser.see(seen).await;
        browser.fill("Name", "it's me").await;
        assert_eq!(browser.value_of("Name").await, "it's me");
        browser.check("Tick").await;
        assert!(browser.is_checked("Tick").await);
        browser.click_button("Go on").await;
        browser.resize(390, 844).await;
        assert_eq!(browser.sideways_scroll().await, 0);
        let picture = tempfile::NamedTempFile::new().unwrap();
        browser.screenshot(picture.path()).await;
        assert!(picture.path().metadata().unwrap().len() > 500);
        browser.close().await;
    }
}

/// A server with sample updates, and one that is to synchronize from it.
async fn two_servers() -> (TestApp, TestApp) {
    let upstream = TestApp::start().await;
    let content = upstream.data_dir().join("content");
    let target = Target { pool: upstream.db.pool(), url: upstream.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(200, 1)).await.unwrap();
    (upstream, TestApp::start().await)
}

async fn walk_the_path(scripts: Scripts) {
    let (upstream, app) = two_servers().await;
    app.account("admin", Role::Administrator).await;
    let browser = Browser::start(scripts).await;

    browser.open(&app.console_url("/options/synchronization")).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", PASSWORD).await;
    browser.click_button("Sign in").await;

    browser.see("Update Source").await;
    browser.check("Synchronize from an upstream Windows Server Update Services server").await;
    browser.fill_in("Update Source", "Server name", "localhost").await;
    browser.fill_in("Update Source", "Port number", &upstream.services_port().to_string()).await;
    browser.click_button("Change update classifications").await;
    browser.check("Definition Updates").await;
    browser.click_button("OK").await;
    browser.see("Definition Updates Security Updates").await;
    browser.click_button("Save settings").await;
    browser.see("Your settings have been saved.").await;

    browser.open(&app.console_url("/synchronize")).await;
    browser.click_button("Synchronize now").await;
    browser.see_within("Success", Duration::from_secs(90)).await;

    let (title, kb) = an_update(&app).await;
    browser.open(&app.console_url("/updates")).await;
    browser.fill("Contains text", &format!("KB{kb}")).await;
    browser.click_button("Apply").await;
    browser.click_link_with(&title).await;
    browser.see("Overview").await;
    browser.see(&title).await;
    browser.close().await;
}

/// Title and article number of an update that the list shows.
async fn an_update(app: &TestApp) -> (String, String) {
    let sql = "SELECT r.title, split_part(r.kb, ' ', 1) FROM revisions r
        WHERE r.approvable AND NOT r.expired AND r.kb <> '' ORDER BY r.id LIMIT 1";
    let row = app.db.client().await.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_choose_save_synchronize_watch_and_find() {
    walk_the_path(Scripts::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_path_without_scripts() {
    walk_the_path(Scripts::Off).await;
}
