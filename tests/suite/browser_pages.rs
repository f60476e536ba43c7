//! Every page in a real browser: nothing scrolls sideways, nothing is reported on the console.
//!
//! With a folder named in `WEIR_SCREENSHOTS` (`make screenshots`) each page is also kept as pictures.

use std::path::PathBuf;

use weir::accounts::Role;
use weir::sample::{self, Catalogue, Target};

use crate::support::{Browser, PASSWORD, Scripts, TestApp};

/// Pages and the name of their pictures. The first two are for strangers.
const PAGES: &[(&str, &str)] = &[
    ("/login", "login"),
    ("/no-such-page", "error"),
    ("/", "home"),
    ("/updates", "updates"),
    ("/updates?q=KB", "updates-found"),
    ("/options", "options-index"),
    ("/options/synchronization", "synchronization-options"),
    ("/synchronize", "synchronize"),
    ("/synchronizations", "synchronizations"),
    ("/jobs", "jobs"),
    ("/instances", "instances"),
];

const STRANGERS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn no_page_scrolls_sideways_in_any_width() {
    let app = TestApp::start().await;
    app.account("admin", Role::Administrator).await;
    let content = app.data_dir().join("content");
    let target = Target { pool: app.db.pool(), url: app.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(120, 1)).await.unwrap();

    let browser = Browser::start(Scripts::On).await;
    for (at, (path, name)) in PAGES.iter().enumerate() {
        if at == STRANGERS {
            sign_in(&app, &browser).await;
        }
        browser.open(&app.console_url(path)).await;
        for width in [320, 390, 1280] {
            browser.resize(width, 844).await;
            let over = browser.sideways_scroll().await;
            assert!(over <= 0, "{path} is {over} px too wide at {width}: {}", browser.widest().await);
        }
        keep_pictures(&browser, name).await;
        let complaints = browser.complaints().await;
        let expected = usize::from(*path == "/no-such-page"); // that it does not exist
        assert_eq!(complaints.len(), expected, "{path}: {complaints:#?}");
    }
    browser.close().await;
}

async fn sign_in(app: &TestApp, browser: &Browser) {
    browser.open(&app.console_url("/login")).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", PASSWORD).await;
    browser.click_button("Sign in").await;
    browser.see("Synchronization Status").await;
}

/// Wide and narrow, light and dark.
async fn keep_pictures(browser: &Browser, name: &str) {
    let Some(folder) = std::env::var_os("WEIR_SCREENSHOTS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for (width, height) in [(1280, 900), (390, 844)] {
        browser.resize(width, height).await;
        for (dark, shade) in [(false, "light"), (true, "dark")] {
            browser.prefer_dark(dark).await;
            browser.screenshot(&folder.join(format!("{name}-{width}-{shade}.png"))).await;
        }
    }
    browser.prefer_dark(false).await;
}
