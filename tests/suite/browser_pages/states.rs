//! Pages when something is the matter: refused values, questions, a run at work, a replica, a person with few rights.

use super::*;
use crate::options::{end_every_run, somebodys_run};
use crate::support::options::change_options;
use crate::support::process::free_port;

const OPTIONS: &str = "/options/synchronization";
const FROM_UPSTREAM: &str = "Synchronize from an upstream Windows Server Update Services server";

#[tokio::test(flavor = "multi_thread")]
async fn questions_refusals_and_confirmations_are_fit_for_everyone() {
    let mut gallery = Gallery::open().await;
    gallery.browser.fill("User name", "admin").await;
    gallery.browser.fill("Password", "not the right one").await;
    gallery.browser.click_button("Sign in").await;
    gallery.browser.see("The user name or the password is not right.").await;
    gallery.look("login-refused").await;
    gallery.sign_in("admin").await;
    gallery.browser.complaints().await;

    gallery.go(OPTIONS).await;
    gallery.browser.check("Synchronize daily at").await;
    gallery.browser.fill("Time", "25:00").await;
    gallery.browser.check(FROM_UPSTREAM).await;
    gallery.browser.fill_in("Update Source", "Server name", "http://wsus01/a path").await;
    gallery.browser.click_button("Save settings").await;
    gallery.browser.see("Nothing was saved.").await;
    gallery.look("options-refused").await;
    gallery.expect_complaints("options-refused", 0).await;

    gallery.go(OPTIONS).await;
    gallery.browser.check("Synchronize daily at").await;
    gallery.browser.click_button("Synchronize now").await;
    gallery.browser.see("Synchronize with unsaved changes?").await;
    gallery.look("question-unsaved").await;
    gallery.browser.click_button("Cancel").await;
    gallery.browser.check(FROM_UPSTREAM).await;
    gallery.browser.fill_in("Update Source", "Server name", "wsus01.corp.example").await;
    gallery.browser.check("This server is a replica of the upstream server").await;
    // somebody else saves meanwhile
    change_options(&gallery.app.db, |options| options.source.port = 8531).await;
    gallery.browser.click_button("Save settings").await;
    gallery.browser.see("Make this server a replica of wsus01.corp.example").await;
    gallery.look("question-replica").await;
    gallery.browser.click_button("Save as replica of wsus01.corp.example:8530").await;
    gallery.browser.see("saved these settings while you were changing them").await;
    gallery.look("options-clash").await;
    gallery.expect_complaints("options-clash", 1).await;

    gallery.go(OPTIONS).await;
    gallery.browser.check("Synchronize daily at").await;
    gallery.browser.click_button("Save settings").await;
    gallery.browser.see("Your settings have been saved.").await;
    gallery.look("options-saved").await;
    gallery.browser.click_button("Change products").await;
    gallery.browser.click_button("Show 2 products of Exchange").await;
    gallery.look("products-open").await;
    gallery.expect_complaints("options-saved", 0).await;
    gallery.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_at_work_a_replica_and_few_rights_are_fit_for_everyone() {
    let mut gallery = Gallery::open().await;
    gallery.app.account("rita", Role::Reporter).await;
    gallery.sign_in("admin").await;
    let run = somebodys_run(&gallery.app).await;
    let sql = "UPDATE sync_runs SET phase = 'updates', done = 1204, total = 4210, started_at = now();
        INSERT INTO content_files (file_row, state, attempts, last_error)
        SELECT id, CASE WHEN id % 2 = 0 THEN 'failed' ELSE 'wanted' END, 3, 'The server has no such file (404).'
        FROM files ORDER BY id LIMIT 6
        ON CONFLICT (file_row) DO UPDATE SET state = excluded.state, attempts = 3, last_error = excluded.last_error";
    gallery.app.db.client().await.batch_execute(sql).await.unwrap();
    let page_of_run = format!("/synchronizations/{run}");
    for (path, name) in [
        ("/", "home-running"),
        (OPTIONS, "options-running"),
        ("/synchronize", "synchronize-running"),
        (&page_of_run, "synchronization-running"),
        ("/content-store", "content-store-trouble"),
    ] {
        gallery.go(path).await;
        gallery.look(name).await;
    }
    end_every_run(&gallery.app).await;
    gallery.expect_complaints("a run at work", 0).await;

    change_options(&gallery.app.db, |options| {
        options.source.kind = weir::settings::SourceKind::Upstream;
        options.source.server = "wsus01.corp.example".to_owned();
        options.replica = true;
    })
    .await;
    for (path, name) in [
        (OPTIONS, "options-replica"),
        ("/options/automatic-approval", "automatic-approval-replica"),
        ("/options/groups", "groups-replica"),
        ("/updates", "updates-replica"),
        ("/synchronize", "synchronize-replica"),
    ] {
        gallery.go(path).await;
        gallery.look(name).await;
    }
    gallery.expect_complaints("a replica", 0).await;

    gallery.browser.click_button("admin (Administrator)").await;
    gallery.browser.click_button("Sign out").await;
    gallery.sign_in("rita").await;
    for (path, name, expected) in [
        (OPTIONS, "options-reporter", 0),
        ("/synchronize", "synchronize-reporter", 0),
        ("/options/synchronization/products", "error-forbidden", 1),
    ] {
        gallery.go(path).await;
        gallery.look(name).await;
        gallery.expect_complaints(name, expected).await;
    }
    gallery.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tested_connection_and_its_hints_are_fit_for_everyone() {
    let (above, mut gallery) = tokio::join!(TestApp::start(), Gallery::open());
    change_options(&gallery.app.db, |options| {
        options.proxy.enabled = true;
        options.proxy.server = "proxy.corp.example".to_owned();
        options.proxy.credentials = true;
        options.proxy.user = "svc-weir".to_owned();
        options.proxy.password = Some(b"sealed with a key that is lost".to_vec());
    })
    .await;
    gallery.sign_in("admin").await;
    gallery.go(OPTIONS).await;
    gallery.browser.check(FROM_UPSTREAM).await;
    gallery.browser.check("Use SSL when synchronizing update information").await;
    gallery.browser.fill_in("Update Source", "Port number", "8530").await;
    gallery.browser.see("8531 is the usual SSL port").await;
    gallery.browser.see("The stored password cannot be read").await;
    gallery.look("options-hints").await;

    change_options(&gallery.app.db, |options| options.proxy.enabled = false).await;
    let there = above.services_port().to_string();
    let nowhere = free_port().to_string();
    for (name, port, words) in [
        ("connection-good", &there, "The connection works"),
        ("connection-failed", &nowhere, "refused the connection"),
    ] {
        gallery.go(OPTIONS).await;
        gallery.browser.check(FROM_UPSTREAM).await;
        gallery.browser.fill_in("Update Source", "Server name", "127.0.0.1").await;
        gallery.browser.fill_in("Update Source", "Port number", port).await;
        gallery.browser.click_button("Test connection to the update source").await;
        gallery.browser.see(words).await;
        gallery.look(name).await;
    }
    gallery.expect_complaints("connection", 0).await;
    gallery.close().await;
}
