//! Synchronization Options in a real browser: the dialogs open over the page and leave it as it was.

use std::path::PathBuf;

use crate::support::{Browser, Scripts, TestApp};
use weir::accounts::{self, Role};
use weir::settings;

const PASSWORD: &str = "correct horse battery";

/// Writes a picture when a folder for them is named in `WEIR_SCREENSHOTS`.
async fn picture(browser: &Browser, name: &str) {
    let Ok(folder) = std::env::var("WEIR_SCREENSHOTS") else { return };
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        browser.resize(width, 900).await;
        browser.prefer_dark(dark).await;
        let theme = if dark { "dark" } else { "light" };
        browser.screenshot(&PathBuf::from(&folder).join(format!("{name}-{width}-{theme}.png"))).await;
    }
    browser.prefer_dark(false).await;
    browser.resize(1280, 900).await;
}

async fn signed_in(app: &TestApp, scripts: Scripts) -> Browser {
    accounts::create(&mut *app.db.conn().await, "anna", Role::Administrator, PASSWORD).await.unwrap();
    let browser = Browser::start(scripts).await;
    browser.open(&app.console_url("/login?next=/options/synchronization")).await;
    browser.fill("User name", "anna").await;
    browser.fill("Password", PASSWORD).await;
    browser.click_button("Sign in").await;
    browser.see("Choose which updates are synchronized").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_unticked_in_the_dialog_and_saved_with_the_page() {
    for scripts in [Scripts::On, Scripts::Off] {
        let app = TestApp::start().await;
        let browser = signed_in(&app, scripts).await;
        picture(&browser, "options").await;
        assert_eq!(browser.sideways_scroll().await, 0);
        browser.click_button("Change products").await;
        browser.see("A ticked family stands for all its products").await;
        if scripts == Scripts::On {
            picture(&browser, "products").await;
        }
        browser.click_button("OK").await;
        browser.see_no_more("A ticked family").await;
        browser.see("All Windows Products").await;
        browser.click_button("Change update classifications").await;
        browser.see("Add/Remove Classifications").await;
        browser.check("Definition Updates").await;
        if scripts == Scripts::On {
            picture(&browser, "classifications").await;
        }
        browser.click_button("OK").await;
        browser.see("Unsaved changes").await;
        browser.click_button("Advanced").await;
        browser.see("Before you change this").await;
        browser.click_link("OK").await;
        browser.see("Advanced Synchronization Options").await;
        if scripts == Scripts::On {
            picture(&browser, "advanced").await;
        }
        browser.check("Download express installation files").await;
        browser.click_button("OK").await;
        browser.see("Express installation files are fetched too.").await;
        browser.click_button("Save settings").await;
        browser.see("Your settings have been saved.").await;
        browser.see("Products and Classifications, Update Files and Languages").await;
        picture(&browser, "saved").await;
        let options = settings::load(&mut *app.db.conn().await).await.unwrap();
        assert!(options.files.express);
        assert_eq!(options.selections.len(), 4);
        browser.close().await;
    }
}
