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
    browser.click_button("Apply").await;
    browser.see("1 update").await;
    browser.click_link_with(&title).await;
    browser.see("Approval: Install").await;
    browser.click_link("Decline update").await;
    browser.see("1 approval is withdrawn").await;
    browser.fill("Reason (optional)", "it breaks the printers").await;
    browser.click_button("Decline update").await;
    browser.see("Approval: Declined").await;
    browser.click_link("Status").await;
    browser.see("it breaks the printers").await;
    if scripts == Scripts::On {
        assert!(browser.is_button_enabled("Print status report").await);
    }
    browser.click_button("Take the decline back").await;
    browser.see("Approval: Not approved").await;
    browser.click_button("Undo").await;
    browser.see("The last change is undone.").await;
    browser.see("Approval: Declined").await;
    browser.click_button("Take the decline back").await;

    // Several at once.
    browser.open(&app.console_url("/updates?approval=not-approved&sort=title")).await;
    for title in titles(&app, 3).await {
        browser.check(&format!("Select {title}")).await;
    }
    browser.click_button("Decline selected updates").await;
    browser.see("Selected: 3 updates").await;
    browser.click_button("Decline selected updates").await;
    browser.see("Declined: 3 updates.").await;
    browser.click_button("Undo").await;
    browser.see("3 updates are as before.").await;
    for title in titles(&app, 3).await {
        browser.check(&format!("Select {title}")).await;
    }
    browser.click_button("Approve selected updates").await;
    browser.see("Selected: 3 updates").await;
    browser.select("All Computers", "Detect only").await;
    browser.click_button("Approve").await;
    browser.see("The approval of 3 updates has been changed.").await;
    browser.click_button("Undo").await;
    browser.see("3 updates are as before.").await;
    browser.close().await;
}

/// Titles that lead the list of what is not approved, by title.
async fn titles(app: &TestApp, count: i64) -> Vec<String> {
    let sql = "SELECT u.title FROM updates u WHERE u.approvable AND NOT u.expired
        AND NOT EXISTS (SELECT FROM approvals a WHERE a.update_id = u.update_id)
        AND NOT EXISTS (SELECT FROM updates o WHERE o.title = u.title AND o.update_row <> u.update_row)
        ORDER BY u.title, u.update_row LIMIT $1";
    let rows = app.db.client().await.query(sql, &[&count]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_live_in_the_address_go_back_and_become_a_view() {
    let app = server().await;
    let browser = Browser::start(Scripts::On).await;
    sign_in(&browser, &app, "olga", "/updates").await;
    browser.fill("Contains text", "cumulative").await;
    browser.select("Approval", "Not approved").await;
    browser.click_button("Apply").await;
    browser.see("Save this view").await;
    let filtered = wait_for_path(&browser, "q=cumulative").await;
    assert!(filtered.contains("approval=not-approved"), "{filtered}");
    browser.fill("Contains text", "nothing has this title").await;
    browser.click_button("Apply").await;
    browser.see("No update matches").await;
    browser.evaluate("history.back()").await;
    wait_for_path(&browser, "q=cumulative").await;
    browser.see("Save this view").await;

    browser.open(&app.console_url("/updates?q=cumulative&approval=not-approved")).await;
    browser.evaluate("document.querySelector('#updates details').open = true").await;
    browser.fill("Name of the view", "Needs review").await;
    browser.click_button("Save view").await;
    browser.see("Saved views:").await;
    browser.open(&app.console_url("/updates")).await;
    browser.click_link("Needs review").await;
    assert_eq!(browser.value_of("Contains text").await, "cumulative");
    assert_eq!(browser.value_of("Approval").await, "not-approved");
    browser.close().await;
}

/// The path and query of the page, as soon as it has `part`.
async fn wait_for_path(browser: &Browser, part: &str) -> String {
    for _ in 0..100 {
        let address = browser.evaluate("location.pathname + location.search").await;
        let address = address.as_str().unwrap_or_default().to_owned();
        if address.contains(part) {
            return address;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the address never had {part}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_are_run_over_what_is_here_after_it_was_shown() {
    let app = server().await;
    let browser = Browser::start(Scripts::On).await;
    sign_in(&browser, &app, "anna", "/options/automatic-approval").await;
    browser.click_link("Run now over existing updates").await;
    browser.see("Approve for installation: 0 updates").await;
    browser.see("Approve for detection:").await;
    browser.click_button("Run now").await;
    browser.see("has been changed.").await;
    browser.open(&app.console_url("/options/automatic-approval/run")).await;
    browser.see("There is nothing to do: every update that fits has an approval.").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_shows_approvals_and_changes_none() {
    let app = server().await;
    let title = plain_update(&app).await;
    app.db.client().await.batch_execute("UPDATE sync_options SET replica = true").await.unwrap();
    let browser = Browser::start(Scripts::On).await;
    sign_in(&browser, &app, "anna", "/updates").await;
    browser.see("because this server is its replica. They cannot be changed here.").await;
    let text = browser.text().await;
    assert!(!text.contains("Approve selected updates") && !text.contains("Decline selected updates"));
    browser.click_link_with(&title).await;
    browser.see("Approvals come from").await;
    assert!(!browser.text().await.contains("Change approval"));
    browser.open(&app.console_url("/options/automatic-approval")).await;
    browser.see("These rules sleep until it no longer is.").await;
    assert!(!browser.text().await.contains("Save settings"));
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
