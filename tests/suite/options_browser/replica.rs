//! Replica mode: said and confirmed before, locked while it is on, and off again.

use super::*;

const REPLICA: &str = "This server is a replica of the upstream server";

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_confirmed_and_locks_what_its_upstream_server_decides() {
    let desk = Desk::sit_down(Scripts::On).await;
    let page = &desk.browser;
    page.check(FROM_UPSTREAM).await;
    page.fill_in(SOURCE, "Server name", "wsus01").await;
    page.check(REPLICA).await;
    page.click_button("Save settings").await;
    page.see("Make this server a replica of wsus01:8530?").await;
    page.see("Nothing was saved yet.").await;
    assert!(!desk.stored().await.replica);
    page.click_button("Save as replica of wsus01:8530").await;
    page.see(SAVED).await;
    assert!(desk.stored().await.replica);

    desk.reload().await;
    page.see("This server is a replica of wsus01:8530, which decides this.").await;
    page.see("Everything wsus01:8530 offers.").await;
    for button in ["Change products", "Change update classifications", "Advanced"] {
        assert!(!page.is_button_enabled(button).await, "S123, S124: {button}");
    }
    assert!(!page.is_enabled_in(SOURCE, FROM_MICROSOFT).await, "S122");
    for (panel, label) in
        [(SCHEDULE, MANUALLY), (PROXY, USE_PROXY), (SOURCE, "Server name"), (SOURCE, "Port number")]
    {
        assert!(page.is_enabled_in(panel, label).await, "S120 to S122: {label}");
    }
    assert!(page.is_button_enabled("Synchronize now").await, "S125");
    // the schedule stays editable, and no question is asked again
    page.check(DAILY).await;
    desk.save("Schedule").await;
    page.uncheck(REPLICA).await;
    desk.save("Update Source").await;
    assert!(page.is_button_enabled("Change products").await);
    assert!(page.is_enabled_in(SOURCE, FROM_MICROSOFT).await);
    page.see("All Windows Products").await;
    desk.leave().await;
}
