//! Every page and dialog in a real browser, in three widths and both themes: axe-core finds nothing, nothing
//! scrolls sideways, nothing is reported on the console.
//!
//! With a folder named in `WEIR_SCREENSHOTS` (`make screenshots`) each is also kept as pictures.

use std::path::PathBuf;
use std::time::Duration;

use weir::accounts::Role;
use weir::sample::{self, Catalogue, Target};
use weir::sync::runs::{self, Trigger};

use crate::support::{Browser, Look, PASSWORD, Scripts, TestApp};

/// Width and height of the windows, in CSS pixels.
const WINDOWS: [(u32, u32); 3] = [(1280, 900), (390, 844), (320, 640)];

/// Pages, the name of their pictures, and what is done before one looks.
const PAGES: &[(&str, &str, &[Step])] = &[
    ("/", "home", &[]),
    ("/updates", "updates", &[]),
    ("/updates?q=nothing+has+this+title", "updates-none", &[]),
    ("/updates/UPDATE", "update", &[]),
    ("/updates/approve?id=UPDATE", "approve", &[]),
    ("/updates/decline?id=UPDATE", "decline", &[]),
    ("/synchronizations", "synchronizations", &[]),
    ("/synchronizations/1", "synchronization", &[]),
    ("/synchronize", "synchronize", &[]),
    ("/options", "options", &[]),
    ("/options/synchronization", "synchronization-options", &[]),
    ("/options/synchronization", "products", &[Step::Button("Change products"), DIALOG]),
    ("/options/synchronization", "classifications", &[Step::Button("Change update classifications"), DIALOG]),
    ("/options/synchronization", "before-advanced", &[Step::Button("Advanced"), DIALOG]),
    (
        "/options/synchronization",
        "advanced",
        &[Step::Button("Advanced"), Step::Link("OK"), Step::See("Advanced Synchronization Options")],
    ),
    ("/options/automatic-approval", "automatic-approval", &[]),
    ("/options/groups", "groups", &[]),
    ("/content-store", "content-store", &[]),
    ("/jobs", "jobs", &[]),
    ("/instances", "instances", &[]),
    ("/help", "help", &[]),
    ("/help/schedule", "help-schedule", &[]),
    ("/help/synchronizing", "help-synchronizing", &[]),
    ("/no-such-page", "error", &[]),
];

const DIALOG: Step = Step::See("Cancel");

/// What a person does on the page first.
#[derive(Debug, Clone, Copy)]
enum Step {
    Button(&'static str),
    Link(&'static str),
    See(&'static str),
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_fit_for_everyone_in_every_width_and_theme() {
    let app = TestApp::start().await;
    app.account("admin", Role::Administrator).await;
    let content = app.data_dir().join("content");
    let target = Target { pool: app.db.pool(), url: app.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(60, 1)).await.unwrap();
    let update = an_update(&app).await;
    a_failed_run(&app).await;

    let browser = Browser::start(Scripts::On).await;
    let mut faults = Vec::new();
    browser.open(&app.console_url("/login")).await;
    look_at(&browser, "login", &mut faults).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", PASSWORD).await;
    browser.click_button("Sign in").await;
    browser.see("Synchronization Status").await;
    for (path, name, steps) in PAGES {
        browser.open(&app.console_url(&path.replace("UPDATE", &update))).await;
        for step in *steps {
            match step {
                Step::Button(label) => browser.click_button(label).await,
                Step::Link(label) => browser.click_link(label).await,
                Step::See(text) => browser.see(text).await,
            }
        }
        look_at(&browser, name, &mut faults).await;
        let complaints = browser.complaints().await;
        let expected = usize::from(*path == "/no-such-page"); // that it does not exist
        if complaints.len() != expected {
            faults.push(format!("{name}: {complaints:#?}"));
        }
    }
    browser.close().await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Looks at the page in every window and theme; keeps pictures where a folder is named for them.
async fn look_at(browser: &Browser, name: &str, faults: &mut Vec<String>) {
    let folder = std::env::var_os("WEIR_SCREENSHOTS").map(PathBuf::from);
    for (width, height) in WINDOWS {
        browser.resize(width, height).await;
        let over = browser.sideways_scroll().await;
        if over > 0 {
            faults.push(format!("{name} is {over} px too wide at {width}: {}", browser.widest().await));
        }
        for (dark, shade, look) in [(false, "light", Look::Whole), (true, "dark", Look::Colours)] {
            browser.prefer_dark(dark).await;
            for found in browser.stumbles(look).await {
                faults.push(format!("{name} at {width}, {shade}: {found}"));
            }
            if let Some(folder) = &folder {
                std::fs::create_dir_all(folder).unwrap();
                browser.screenshot(&folder.join(format!("{name}-{width}-{shade}.png"))).await;
            }
        }
        browser.prefer_dark(false).await;
    }
    browser.resize(1280, 900).await;
}

/// The id of an update that the list shows.
async fn an_update(app: &TestApp) -> String {
    let sql =
        "SELECT update_id::text FROM updates WHERE approvable AND NOT expired ORDER BY update_row LIMIT 1";
    app.db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// A synchronization with a source that is not there.
async fn a_failed_run(app: &TestApp) {
    let mut conn = app.db.conn().await;
    let run = runs::request(&mut conn, Trigger::Manual, "admin").await.unwrap();
    for _ in 0..200 {
        if !runs::get(&mut conn, run.run_id).await.unwrap().unwrap().state().is_active() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the synchronization did not end");
}
