//! Defaults, each panel saved and read back, and what enables what.

use super::*;

async fn see_the_defaults(page: &Browser) {
    assert_eq!(page.buttons_in("Tasks").await, ["Synchronize now", "Save settings", "Undo changes"]);
    for words in [
        "Last synchronization: Never",
        "Next synchronization: Manual",
        "Current status: Idle",
        "All Windows Products",
        "Critical Updates Security Updates",
        "Update files are stored on this server, each fetched when its update is approved.",
        "All, including new languages",
    ] {
        page.see(words).await;
    }
    assert!(page.is_checked(MANUALLY).await && page.is_checked(FROM_MICROSOFT).await);
    assert!(!page.is_checked(USE_PROXY).await);
    assert_eq!(page.value_in(PROXY, "Port number").await, "80");
    assert_eq!(page.value_in(SOURCE, "Port number").await, "8530");
    assert!(!page.text().await.contains("Unsaved changes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn defaults_then_each_panel_is_saved_and_read_back() {
    let desk = Desk::sit_down(Scripts::On).await;
    let page = &desk.browser;
    see_the_defaults(page).await;

    assert!(!page.is_enabled_in(SCHEDULE, "Time").await, "S36: not in force, and kept");
    page.check(DAILY).await;
    assert!(page.is_enabled_in(SCHEDULE, "Time").await);
    page.see("Unsaved changes").await;
    page.fill_in(SCHEDULE, "Time", "02:37").await;
    page.select("Synchronizations per day", "4").await;
    page.select("Time zone", "Asia/Taipei (UTC+08:00)").await;
    page.see("37 Asia/Taipei").await;
    page.see("UTC), in").await;
    page.see("starts at a random moment within 30 minutes").await;
    page.see("On days when the clock changes").await;
    desk.save("Schedule").await;
    assert!(page.is_checked(DAILY).await);
    assert_eq!(page.value_in(SCHEDULE, "Time").await, "02:37");
    assert_eq!(page.value_in(SCHEDULE, "Synchronizations per day").await, "4");
    assert_eq!(page.value_in(SCHEDULE, "Time zone").await, "Asia/Taipei");

    for label in ["Server name", "Port number", "User name", "Domain", "Password"] {
        assert!(!page.is_enabled_in(PROXY, label).await, "S73: {label}");
    }
    page.check(USE_PROXY).await;
    assert!(page.is_enabled_in(PROXY, "Server name").await);
    assert!(!page.is_enabled_in(PROXY, "User name").await);
    page.check(USE_CREDENTIALS).await;
    assert!(page.is_enabled_in(PROXY, "Allow basic authentication").await);
    page.fill_in(PROXY, "Server name", "proxy.corp.example").await;
    page.fill_in(PROXY, "Port number", "3128").await;
    page.fill_in(PROXY, "User name", "svc").await;
    page.fill_in(PROXY, "Domain", "CORP").await;
    page.fill_in(PROXY, "Password", "hunter2 hunter2").await;
    page.check("Allow basic authentication (password in clear text)").await;
    desk.save("Proxy server").await;
    assert_eq!(page.value_in(PROXY, "Server name").await, "proxy.corp.example");
    assert_eq!(page.value_in(PROXY, "Domain").await, "CORP");
    assert_eq!(page.value_in(PROXY, "Password").await, "");
    page.see("Unchanged unless you type a new one.").await;
    page.uncheck(USE_PROXY).await;
    assert!(!page.is_enabled_in(PROXY, "User name").await, "S73: off with the proxy itself");
    desk.save("Proxy server").await;
    assert_eq!(page.value_in(PROXY, "Server name").await, "proxy.corp.example", "kept, not erased");

    for label in ["Server name", "Port number", "Use SSL", "This server is a replica"] {
        assert!(!page.is_enabled_in(SOURCE, label).await, "S85: {label}");
    }
    page.check(FROM_UPSTREAM).await;
    page.fill_in(SOURCE, "Server name", "WSUS01.Corp.Example").await;
    page.check("Use SSL when synchronizing update information").await;
    assert_eq!(page.value_in(SOURCE, "Port number").await, "8531", "S89: the usual port follows");
    page.fill_in(SOURCE, "Port number", "8530").await;
    page.see("8531 is the usual SSL port").await;
    page.fill_in(SOURCE, "Port number", "8531").await;
    page.see_no_more("8531 is the usual SSL port").await;
    desk.save("Update Source").await;
    assert_eq!(page.value_in(SOURCE, "Server name").await, "wsus01.corp.example");
    assert!(page.is_checked("Use SSL when synchronizing update information").await);

    // nothing changed says so; undoing puts the saved values back
    page.click_button("Save settings").await;
    page.see("Nothing changed.").await;
    page.fill_in(SOURCE, "Server name", "elsewhere").await;
    page.see("Unsaved changes").await;
    page.click_button("Undo changes").await;
    page.see_no_more("Unsaved changes").await;
    assert_eq!(page.value_in(SOURCE, "Server name").await, "wsus01.corp.example");
    assert_eq!(desk.stored().await.version, 5);
    desk.leave().await;
}
