//! Faults that only a real browser can show: stored scripts, and what is left of a session.

use weir::accounts::Role;

use crate::faults_pages::{EVIL, poison};
use crate::support::{Browser, PASSWORD, Scripts, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn r195_r196_no_stored_script_runs_and_nothing_is_left_after_signing_out() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    app.fill(20, 7).await;
    // an update whose publisher writes scripts
    let sql = "SET session_replication_role = replica;
        UPDATE updates SET title = $$X$$ WHERE approvable; UPDATE revisions SET title = $$X$$, description = $$X$$";
    app.db.client().await.batch_execute(&sql.replace('X', EVIL)).await.unwrap();
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let run = poison(&app, &admin).await;
    let browser = Browser::start(Scripts::On).await;
    browser.open(&app.console_url("/audit")).await;
    browser.fill("User name", "anna").await;
    browser.fill("Password", PASSWORD).await;
    browser.click_button("Sign in").await;
    browser.see("<script>alert(1)</script>").await;
    for path in ["/updates", "/users", "/profile", &format!("/synchronizations/{run}"), "/synchronizations"] {
        browser.open(&app.console_url(path)).await;
        browser.see("onerror=alert(1)").await;
        let injected =
            browser.evaluate("document.querySelectorAll('img[src=x], script:not([src])').length").await;
        assert_eq!(injected, 0, "{path}");
    }
    assert_eq!(browser.evaluate("localStorage.length + sessionStorage.length").await, 0);
    browser.evaluate("document.querySelector('form[action=\"/logout\"]').requestSubmit()").await;
    browser.see("User name").await;
    browser.evaluate("history.back()").await;
    browser.see("User name").await;
    assert!(!browser.text().await.contains("onerror"), "the page before is shown again");
    browser.close().await; // fails when a script, an image or a policy complained on the way
}
