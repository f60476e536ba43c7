//! Every page and dialog in a real browser: axe-core finds nothing in light at two widths and in dark, nothing scrolls
//! sideways at three, nothing is reported on the console.
//!
//! [`pages`] has the pages as they are most of the time, [`states`] what they look like when something is the matter,
//! [`connections`] the ways in which a tested connection fails.
//!
//! With a folder named in `WEIR_SCREENSHOTS` (`make screenshots`) each is kept as pictures in three widths and both
//! themes, and axe-core looks at all six.

mod connections;
mod pages;
mod states;

use std::path::PathBuf;
use std::time::Duration;

use weir::accounts::Role;
use weir::sync::runs::{self, Trigger};

use crate::support::{Browser, Look, PASSWORD, Scripts, TestApp};

/// Width and height of the windows, in CSS pixels.
const WINDOWS: [(u32, u32); 3] = [(1280, 900), (390, 844), (320, 640)];

/// A person in front of a server, and what was found wrong so far.
struct Gallery {
    app: TestApp,
    browser: Browser,
    faults: Vec<String>,
}

impl Gallery {
    /// A server with sixty updates, `admin` at the sign-in page.
    async fn open() -> Self {
        let app = TestApp::with_sample(60, 1).await;
        app.account("admin", Role::Administrator).await;
        let browser = Browser::start(Scripts::On).await;
        browser.open(&app.console_url("/login")).await;
        Self { app, browser, faults: Vec::new() }
    }

    async fn sign_in(&self, name: &str) {
        self.browser.open(&self.app.console_url("/login")).await;
        self.browser.fill("User name", name).await;
        self.browser.fill("Password", PASSWORD).await;
        self.browser.click_button("Sign in").await;
        self.browser.see("Synchronization Status").await;
    }

    async fn go(&self, path: &str) {
        self.browser.open(&self.app.console_url(path)).await;
    }

    /// Looks at the page in every window and theme; keeps pictures where a folder is named for them.
    async fn look(&mut self, name: &str) {
        let (browser, faults) = (&self.browser, &mut self.faults);
        let folder = std::env::var_os("WEIR_SCREENSHOTS").map(PathBuf::from);
        for (place, (width, height)) in WINDOWS.into_iter().enumerate() {
            browser.resize(width, height).await;
            let over = browser.sideways_scroll().await;
            if over > 0 {
                faults.push(format!("{name} is {over} px too wide at {width}: {}", browser.widest().await));
            }
            // The narrowest differs from the narrow one in its width alone, and colours are the same at any.
            let ways = [(false, "light", Look::Whole, place < 2), (true, "dark", Look::Colours, place == 0)];
            for (dark, shade, look, always) in ways {
                if !always && folder.is_none() {
                    continue;
                }
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

    /// Looks at the page at 1280 and 390 px only: for words in a frame that was looked at.
    async fn glance(&mut self, name: &str) {
        let folder = std::env::var_os("WEIR_SCREENSHOTS").map(PathBuf::from);
        for (width, height) in &WINDOWS[..2] {
            self.browser.resize(*width, *height).await;
            let over = self.browser.sideways_scroll().await;
            if over > 0 {
                let widest = self.browser.widest().await;
                self.faults.push(format!("{name} is {over} px too wide at {width}: {widest}"));
            }
            if let Some(folder) = &folder {
                std::fs::create_dir_all(folder).unwrap();
                self.browser.screenshot(&folder.join(format!("{name}-{width}-light.png"))).await;
            }
        }
        self.browser.resize(1280, 900).await;
    }

    /// The console of the browser said nothing more than `expected` answers that are errors.
    async fn expect_complaints(&mut self, name: &str, expected: usize) {
        let complaints = self.browser.complaints().await;
        if complaints.len() != expected {
            self.faults.push(format!("{name}: {complaints:#?}"));
        }
    }

    async fn close(self) {
        self.browser.close().await;
        assert!(self.faults.is_empty(), "{}", self.faults.join("\n"));
    }
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
