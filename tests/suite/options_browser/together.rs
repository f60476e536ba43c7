//! Two people edit at once.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn s010_two_sessions_editing_at_once_see_both_values() {
    let desk = Desk::sit_down(Scripts::On).await;
    desk.app.account("bert", Role::Administrator).await;
    let page = &desk.browser;
    let other = Browser::start(Scripts::Off).await;
    other.open(&desk.app.console_url("/login?next=/options/synchronization")).await;
    other.fill("User name", "bert").await;
    other.fill("Password", PASSWORD).await;
    other.click_button("Sign in").await;
    other.see("Choose which updates are synchronized").await;

    page.check(DAILY).await;
    page.fill_in(SCHEDULE, "Time", "04:00").await;
    other.check(DAILY).await;
    other.fill_in(SCHEDULE, "Time", "05:00").await;
    other.click_button("Save settings").await;
    other.see(SAVED).await;

    page.click_button("Save settings").await;
    page.see("bert saved these settings while you were changing them").await;
    page.see("Schedule: Time 04:00 05:00").await;
    assert_eq!(page.value_in(SCHEDULE, "Time").await, "04:00");
    assert_eq!(desk.stored().await.schedule.time.to_string(), "05:00:00", "nothing was written");
    page.click_button("Save settings").await;
    page.see(SAVED).await;
    assert_eq!(desk.stored().await.schedule.time.to_string(), "04:00:00");

    // the other way round, undoing keeps what is saved
    other.fill_in(SCHEDULE, "Time", "06:00").await;
    other.click_button("Save settings").await;
    other.see("anna saved these settings").await;
    other.click_button("Undo changes").await;
    other.see_no_more("anna saved these settings").await;
    assert_eq!(other.value_in(SCHEDULE, "Time").await, "04:00");
    // that the answer was a conflict is all the browsers have to report
    for browser in [page, &other] {
        assert!(browser.complaints().await.iter().all(|one| one.contains(" 409 ")));
    }
    other.close().await;
    desk.leave().await;
}
