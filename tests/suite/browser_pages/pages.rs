//! Every page and dialog of a server with a few updates.

use super::*;

/// Pages, the name of their pictures, and what is done before one looks.
const PAGES: &[(&str, &str, &[Step])] = &[
    ("/", "home", &[]),
    ("/updates", "updates", &[]),
    ("/updates?q=nothing+has+this+title", "updates-none", &[]),
    ("/updates?state=all&sort=-title", "updates-sorted", &[]),
    ("/updates/UPDATE", "update", &[]),
    ("/updates/UPDATE?tab=status", "update-status", &[]),
    ("/updates/UPDATE?tab=revisions", "update-revisions", &[]),
    ("/updates/UPDATE?tab=files", "update-files", &[]),
    ("/updates/UPDATE?tab=relations", "update-relations", &[]),
    ("/updates/approve?id=UPDATE", "approve", &[]),
    ("/updates/decline?id=UPDATE", "decline", &[]),
    ("/reports", "reports", &[]),
    ("/reports/synchronization-results", "synchronization-results", &[]),
    ("/reports/differences?since=2026-01-01", "differences", &[]),
    ("/reports/settings-summary", "settings-summary", &[]),
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
    ("/options/automatic-approval/run", "run-rules", &[]),
    ("/options/groups", "groups", &[]),
    ("/content-store", "content-store", &[]),
    ("/content-store/limits", "content-limits", &[]),
    ("/content-store/clean-up", "content-clean-up", &[]),
    ("/jobs", "jobs", &[]),
    ("/instances", "instances", &[]),
    ("/options/connections", "connections", &[]),
    ("/users", "users", &[]),
    ("/users/1", "user", &[]),
    ("/profile", "profile", &[]),
    ("/audit", "audit", &[]),
    ("/help", "help", &[]),
    ("/help/trying-again", "help-trying-again", &[]),
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
    let mut gallery = Gallery::open().await;
    let update = an_update(&gallery.app).await;
    a_failed_run(&gallery.app).await;
    gallery.look("login").await;
    gallery.sign_in("admin").await;
    for (path, name, steps) in PAGES {
        gallery.go(&path.replace("UPDATE", &update)).await;
        for step in *steps {
            match step {
                Step::Button(label) => gallery.browser.click_button(label).await,
                Step::Link(label) => gallery.browser.click_link(label).await,
                Step::See(text) => gallery.browser.see(text).await,
            }
        }
        gallery.look(name).await;
        let expected = usize::from(*path == "/no-such-page"); // that it does not exist
        gallery.expect_complaints(name, expected).await;
    }
    gallery.close().await;
}
