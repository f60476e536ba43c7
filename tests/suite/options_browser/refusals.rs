//! What is refused: the summary with its links first, a message at each field, everything typed kept.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_said_at_its_field_and_keeps_what_was_typed() {
    let desk = Desk::sit_down(Scripts::On).await;
    let page = &desk.browser;
    page.check(DAILY).await;
    page.check(USE_PROXY).await;
    page.check(USE_CREDENTIALS).await;
    page.check(FROM_UPSTREAM).await;
    // label by label: what is typed, and how the answer begins
    let rounds: [[(&str, &str, &str, &str); 6]; 3] = [
        [
            (SCHEDULE, "Time", "24:00", "Enter a time from 00:00 to 23:59"),
            (PROXY, "Server name", "http://proxy", "Enter the host name alone, without http://"),
            (PROXY, "Port number", "0", "Enter a port from 1 to 65535."),
            (PROXY, "User name", "", "Enter the user name, or clear"),
            (SOURCE, "Server name", "wsus01/content", "Enter the host name alone, without anything after"),
            (SOURCE, "Port number", "65536", "Enter a port from 1 to 65535."),
        ],
        [
            (SCHEDULE, "Time", "7:5", "Enter a time"),
            (PROXY, "Server name", "", "Enter the proxy server's name"),
            (PROXY, "Port number", "eighty", "Enter a port"),
            (PROXY, "User name", "", "Enter the user name"),
            (SOURCE, "Server name", "", "Enter the name of the upstream server"),
            (SOURCE, "Port number", "", "Enter a port"),
        ],
        [
            (SCHEDULE, "Time", "later", "Enter a time"),
            (PROXY, "Server name", "two words", "A host name has no spaces."),
            (PROXY, "Port number", "-1", "Enter a port"),
            (PROXY, "User name", "", "Enter the user name"),
            (SOURCE, "Server name", "wsus01:8530", "Enter the port number in its own field"),
            (SOURCE, "Port number", "8530.0", "Enter a port"),
        ],
    ];
    for round in rounds {
        for (panel, label, typed, _) in round {
            page.fill_in(panel, label, typed).await;
        }
        page.fill_in(PROXY, "Domain", "kept").await;
        page.fill_in(PROXY, "Password", "hunter2").await;
        page.click_button("Save settings").await;
        // The summary of the round before says the same; this message is new.
        page.see(round[1].3).await;
        page.see("Nothing was saved. Correct the following, then save again.").await;
        assert!(page.focused().await.starts_with("Nothing was saved."), "the summary has the focus");
        for (panel, label, typed, message) in round {
            let shown = page.error_in(panel, label).await;
            assert!(shown.starts_with(message), "{panel}, {label} = {typed:?}: {shown:?}");
            assert_eq!(page.value_in(panel, label).await, typed);
        }
        assert_eq!(page.value_in(PROXY, "Domain").await, "kept");
        assert_eq!(page.value_in(PROXY, "Password").await, "");
        page.see("The password you typed was not kept. Type it again.").await;
        page.see("Unsaved changes").await;
    }
    page.click_link_with("Update Source, Port number").await;
    assert_eq!(page.focused().await, "Port number");

    // this server itself, and what is not in force does not stand in the way
    page.check(MANUALLY).await;
    page.uncheck(USE_PROXY).await;
    page.fill_in(SOURCE, "Server name", "localhost").await;
    page.fill_in(SOURCE, "Port number", &desk.app.services_port().to_string()).await;
    page.click_button("Save settings").await;
    page.see("This is the address of this server itself.").await;
    assert_eq!(page.error_in(SCHEDULE, "Time").await, "");
    page.fill_in(SOURCE, "Server name", "wsus01").await;
    page.click_button("Save settings").await;
    page.see(SAVED).await;
    assert_eq!(desk.stored().await.version, 2);
    desk.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_the_same_is_refused_in_the_same_words() {
    let desk = Desk::sit_down(Scripts::Off).await;
    let page = &desk.browser;
    // nothing is disabled without a script, so that a proxy can still be switched on
    assert!(page.is_enabled_in(PROXY, "Server name").await);
    page.check(FROM_UPSTREAM).await;
    page.fill_in(SOURCE, "Port number", "0").await;
    page.click_button("Save settings").await;
    page.see("Nothing was saved.").await;
    assert!(page.focused().await.starts_with("Nothing was saved."));
    assert!(page.error_in(SOURCE, "Server name").await.starts_with("Enter the name of the upstream server"));
    assert!(page.error_in(SOURCE, "Port number").await.starts_with("Enter a port"));
    page.fill_in(SOURCE, "Server name", "wsus01").await;
    page.fill_in(SOURCE, "Port number", "8530").await;
    desk.save("Update Source").await;
    desk.leave().await;
}
