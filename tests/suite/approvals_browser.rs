//! Approving and declining as a person does it, by the labels of the pages.

use weir::accounts::Role;

use crate::support::{Browser, PASSWORD, Scripts, TestApp};

async fn server() -> TestApp {
    let app = TestApp::with_sample(120, 7).await;
    app.account("olga", Role::Operator).await;
    app.account("anna", Role::Administrator).await;
    app
}

async fn sign_in(browser: &Browser, app: &TestApp, name: &str, path: &str) {
    browser.open(&app.console_url(path)).await;
    browser.fill("User name", name).await;
    browser.fill("Password", PASSWORD).await;
    browser.click_button("Sign in").await;
}

/// Title of an update that takes a deadline, needs no license and is listed on the first page.
async fn plain_update(app: &TestApp) -> String {
    let sql = "SELECT r.title FROM updates u JOIN revisions r ON r.id = u.revision_row
        WHERE u.approvable AND NOT u.expired AND r.details->>'eula' IS NULL
          AND NOT coalesce((r.details->>'asks_user')::bool, false)
        ORDER BY u.created DESC, u.update_row DESC LIMIT 1";
    app.db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

async fn walk(scripts: Scripts) {
    let app = server().await;
    let title = plain_update(&app).await;
    let browser = Browser::start(scripts).await;
    sign_in(&browser, &app, "anna", "/options/groups").await;
    browser.fill("Name", "Berlin").await;
    browser.click_button("Add").await;
    browser.see("Change Berlin").await;
    browser.fill("Name", "berlin").await;
    browser.click_button("Add").await;
    browser.see("There is already a group with this name.").await;

    // One update, from the list.
    browser.open(&app.console_url("/updates?approval=not-approved")).await;
    browser.check(&format!("Select {title}")).await;
    browser.click_button("Approve selected updates").await;
    browser.see("Selected: 1 update").await;
    browser.select("Berlin", "Install").await;
    browser.check("Install the update by the selected date and time").await;
    browser.click_button("Approve").await;
    browser.see("Enter the deadline as a date and a time").await;
    assert_eq!(browser.value_of("Berlin").await, "install", "what was chosen is kept");
    browser.check("Use client settings to determine update installation time").await;
    browser.click_button("Approve").await;
    browser.see("The approval of 1 update has been changed.").await;
    assert_eq!(browser.value_of("Approval").await, "not-approved", "the filter is kept");

    // The filter finds it, and its page shows who did it.
    browser.select("Approval", "Install").await;
    browser.click_button("Filter").await;
    browser.see("1 update").await;
    browser.click_link_with(&title).await;
    browser.see("Approval: Install").await;
    browser.click_link("Decline update").await;
    browser.see("1 approval is withdrawn").await;
    browser.click_button("Decline update").await;
    browser.see("Approval: Declined").await;
    browser.click_button("Take the decline back").await;
    browser.see("Approval: Not approved").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_approved_declined_and_restored() {
    walk(Scripts::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_approved_declined_and_restored_without_scripts() {
    walk(Scripts::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_are_read_saved_and_locked_for_an_operator() {
    let app = server().await;
    let browser = Browser::start(Scripts::On).await;
    sign_in(&browser, &app, "anna", "/options/automatic-approval").await;
    let detect = "Automatically approve updates for detection by using the following rule";
    let install = "Automatically approve updates for installation by using the following rule";
    browser.see("Critical Updates, Security Updates").await;
    assert!(browser.is_checked(detect).await && !browser.is_checked(install).await);
    browser.check(install).await;
    browser.click_button("Save settings").await;
    browser.see("Select at least one classification, or clear the rule.").await;
    assert!(browser.is_checked(install).await, "what was ticked is kept");
    browser.uncheck(install).await;
    browser.check("Keep using the older revision until the new one is approved").await;
    browser.click_button("Save settings").await;
    browser.see("Your settings have been saved.").await;
    assert!(browser.is_checked("Keep using the older revision until the new one is approved").await);
    browser.click_button("Save settings").await;
    browser.see("Nothing has changed").await;
    browser.close().await;

    let browser = Browser::start(Scripts::On).await;
    sign_in(&browser, &app, "olga", "/options/automatic-approval").await;
    browser.see("Only administrators can change these settings.").await;
    browser.close().await;
}
