//! Synchronization Options in a real browser, driven by visible label and role alone.

mod dialogs;
mod panels;
mod refusals;
mod replica;
mod tasks;
mod together;

use weir::accounts::Role;
use weir::settings::{self, SyncOptions};

use crate::support::{Browser, PASSWORD, Scripts, TestApp};

const SCHEDULE: &str = "Schedule";
const PROXY: &str = "Proxy server";
const SOURCE: &str = "Update Source";
const DAILY: &str = "Synchronize daily at";
const MANUALLY: &str = "Synchronize manually";
const FROM_MICROSOFT: &str = "Synchronize from Microsoft Update";
const FROM_UPSTREAM: &str = "Synchronize from an upstream Windows Server Update Services server";
const USE_PROXY: &str = "Use a proxy server when synchronizing";
const USE_CREDENTIALS: &str = "Use user credentials to connect to the proxy server";
const SAVED: &str = "Your settings have been saved.";

/// A server of its own with its administrator `anna` in front of the page.
struct Desk {
    app: TestApp,
    browser: Browser,
}

impl Desk {
    async fn sit_down(scripts: Scripts) -> Self {
        let (app, browser) = tokio::join!(TestApp::start(), Browser::start(scripts));
        app.account("anna", Role::Administrator).await;
        browser.open(&app.console_url("/login?next=/options/synchronization")).await;
        browser.fill("User name", "anna").await;
        browser.fill("Password", PASSWORD).await;
        browser.click_button("Sign in").await;
        let desk = Self { app, browser };
        desk.browser.see("Choose which updates are synchronized").await;
        desk
    }

    /// Opens the page anew.
    async fn reload(&self) {
        self.browser.open(&self.app.console_url("/options/synchronization")).await;
        self.browser.see("Choose which updates are synchronized").await;
    }

    /// Saves, reads which panels changed, closes that with OK, and opens the page anew.
    async fn save(&self, panels: &str) {
        self.browser.click_button("Save settings").await;
        self.browser.see(SAVED).await;
        self.browser.see(&format!("Changed: {panels}.")).await;
        self.browser.click_link("OK").await;
        self.browser.see_no_more(SAVED).await;
        self.reload().await;
    }

    async fn stored(&self) -> SyncOptions {
        settings::load(&mut *self.app.db.conn().await).await.unwrap()
    }

    async fn leave(self) {
        self.browser.close().await;
    }
}
