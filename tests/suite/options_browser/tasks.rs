//! Synchronize now and Stop synchronization beside a form with unsaved changes.

use super::*;
use crate::options::{end_every_run, somebodys_run};

const ASKS: &str = "Synchronize with unsaved changes?";

#[tokio::test(flavor = "multi_thread")]
async fn s017_unsaved_changes_are_asked_about() {
    let desk = Desk::sit_down(Scripts::On).await;
    let page = &desk.browser;
    page.check(DAILY).await;
    page.click_button("Synchronize now").await;
    page.see(ASKS).await;
    page.click_button("Cancel").await;
    page.see_no_more(ASKS).await;
    assert_eq!(page.focused().await, "Synchronize now");
    page.click_button("Synchronize now").await;
    page.see(ASKS).await;
    page.click_button("Synchronize with the saved settings").await;
    page.see("The synchronization has been started.").await;
    assert!(page.is_checked(DAILY).await, "what was typed stays");
    page.see("Unsaved changes").await;
    page.see("Last synchronization result: Failed").await;
    page.see("Current status: Idle").await;
    page.click_button("Synchronize now").await;
    page.see(ASKS).await;
    page.click_button("Save and synchronize").await;
    page.see(SAVED).await;
    page.see("The synchronization has been started.").await;
    assert_eq!(desk.stored().await.version, 2);
    desk.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s019_while_a_run_is_active_the_task_stops_it() {
    for scripts in [Scripts::On, Scripts::Off] {
        let desk = Desk::sit_down(scripts).await;
        let page = &desk.browser;
        // bert begins one while this page is open
        somebodys_run(&desk.app).await;
        page.click_button("Synchronize now").await;
        page.see("A synchronization is already running.").await;
        page.see("bert began it at").await;
        page.see("A second one was not started.").await;
        page.check(DAILY).await;
        page.click_button("Stop synchronization").await;
        page.see("Current status: Stopping").await;
        if scripts == Scripts::On {
            // the end is drawn by the stream, without anybody asking
            end_every_run(&desk.app).await;
            page.see("Current status: Idle").await;
            assert!(page.is_button_enabled("Synchronize now").await);
        }
        assert!(page.is_checked(DAILY).await, "what was typed stays");
        page.see("Unsaved changes").await;
        desk.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_the_question_is_on_the_page() {
    let desk = Desk::sit_down(Scripts::Off).await;
    let page = &desk.browser;
    page.check(DAILY).await;
    page.click_button("Synchronize now").await;
    page.see(ASKS).await;
    assert!(page.is_checked(DAILY).await);
    page.click_button("Save and synchronize").await;
    page.see(SAVED).await;
    page.see("The synchronization has been started.").await;
    desk.leave().await;
}
