//! The dialogs by mouse, by keyboard alone, and without a script.

use std::time::{Duration, Instant};

use fantoccini::key::Key;
use weir::sync::runs;

use super::*;

const FAMILY_HINT: &str = "A ticked family stands for all its products";
const NO_LONGER: &str = "Future products of Windows will no longer be added.";

#[tokio::test(flavor = "multi_thread")]
async fn by_mouse_a_choice_goes_into_the_page_and_loses_nothing_typed() {
    let desk = Desk::sit_down(Scripts::On).await;
    let page = &desk.browser;
    page.check(USE_PROXY).await;
    page.check(USE_CREDENTIALS).await;
    page.fill_in(PROXY, "Server name", "proxy").await;
    page.fill_in(PROXY, "User name", "svc").await;
    page.fill_in(PROXY, "Password", "hunter2 hunter2").await;

    page.click_button("Change products").await;
    page.see(FAMILY_HINT).await;
    page.see("all products, and future ones").await;
    page.click_button("Show 21 products of Windows").await;
    page.see("Windows XP included").await;
    page.see("1 whole family selected").await;
    page.uncheck("Windows XP").await;
    page.see("20 single products selected").await;
    page.see(NO_LONGER).await;
    page.see("some selected, future ones not included").await;
    // ticking the family again takes that back
    page.check("Windows").await;
    page.see_no_more(NO_LONGER).await;
    assert!(page.is_checked("Windows XP").await);
    page.uncheck("Windows").await;
    assert!(!page.is_checked("Windows XP").await);
    page.check("Windows 11").await;
    page.click_button("OK").await;
    page.see_no_more(FAMILY_HINT).await;
    assert_eq!(page.focused().await, "Change products", "the focus goes back");
    page.see("Products Windows 11").await;
    page.see("Unsaved changes").await;

    // search asks the server; Cancel changes nothing
    page.click_button("Change products").await;
    page.fill("Find", "server 2008").await;
    page.see("2 products match.").await;
    page.check("Windows Server 2008 R2").await;
    page.click_link("Cancel").await;
    page.see_no_more(FAMILY_HINT).await;
    assert!(!page.text().await.contains("Windows Server 2008"));

    // a wrong choice is answered in the dialog
    page.click_button("Advanced").await;
    page.see("Before you change this").await;
    page.click_link("OK").await;
    page.see("Advanced Synchronization Options").await;
    page.check("Download updates only in the selected languages").await;
    page.click_button("OK").await;
    page.see("Select at least one language.").await;
    page.check("German").await;
    page.check("Download express installation files").await;
    page.click_button("OK").await;
    page.see_no_more("Advanced Synchronization Options").await;
    page.see("Express installation files are fetched too.").await;

    assert_eq!(page.value_in(PROXY, "Password").await, "hunter2 hunter2", "still there after every OK");
    desk.save("Products and Classifications, Proxy server, Update Files and Languages").await;
    let stored = desk.stored().await;
    assert!(stored.proxy.password.is_some() && stored.files.express);
    assert_eq!(stored.files.languages.to_text(), "de");
    assert_eq!(stored.selections.len(), 3);

    // without local files the rest of the dialog is not in force
    page.click_button("Advanced").await;
    page.click_link("OK").await;
    page.see("Advanced Synchronization Options").await;
    page.check("Do not store updates locally; clients install updates from Microsoft Update").await;
    for label in ["Download express installation files", "Download updates in all languages"] {
        assert!(!page.is_enabled(label).await, "S106: {label}");
    }
    page.click_button("OK").await;
    page.see("Update files are not stored here.").await;
    desk.save("Update Files and Languages").await;
    desk.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_keyboard_alone_classifications_are_chosen_and_saved() {
    let desk = Desk::sit_down(Scripts::On).await;
    let page = &desk.browser;
    page.tab_to("Change products").await;
    page.press(Key::Enter).await;
    page.see(FAMILY_HINT).await;
    assert_eq!(page.focused().await, "Find", "the first field has the focus");
    page.press(Key::Escape).await;
    page.see_no_more(FAMILY_HINT).await;
    assert_eq!(page.focused().await, "Change products");
    page.tab_to("Change update classifications").await;
    page.press(Key::Enter).await;
    page.see("Add/Remove Classifications").await;
    page.tab_to("Definition Updates").await;
    page.type_keys(" ").await;
    page.tab_to("OK").await;
    page.press(Key::Enter).await;
    page.see_no_more("Add/Remove Classifications").await;
    page.see("Critical Updates Definition Updates Security Updates").await;
    page.tab_to("Synchronize manually").await;
    page.press(Key::Down).await;
    assert!(page.is_checked(DAILY).await);
    page.press(Key::Enter).await; // Enter in a field saves
    page.see("Changed: Schedule, Products and Classifications.").await;
    assert_eq!(desk.stored().await.selections.len(), 4);
    desk.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_each_dialog_is_a_page_and_comes_back() {
    let desk = Desk::sit_down(Scripts::Off).await;
    let page = &desk.browser;
    page.check(USE_PROXY).await;
    page.fill_in(PROXY, "Server name", "proxy").await;
    page.check(USE_CREDENTIALS).await;
    page.fill_in(PROXY, "User name", "svc").await;
    page.fill_in(PROXY, "Password", "hunter2 hunter2").await;
    page.click_button("Change products").await;
    page.see(FAMILY_HINT).await;
    page.click_button("Show 21 products of Windows").await;
    page.uncheck("Windows XP").await;
    page.click_button("OK").await;
    page.see("Choose OK again if this is what you want.").await;
    page.see(NO_LONGER).await;
    page.see("20 of 21 selected, future ones not included").await;
    page.click_button("OK").await;
    page.see("Windows: 20 of 21").await;
    page.see("The password you typed was not kept. Type it again.").await;
    assert_eq!(page.value_in(PROXY, "Server name").await, "proxy");
    page.click_button("Change products").await;
    page.fill("Find", "xp").await;
    page.click_button("Find").await;
    page.see("1 product matches.").await;
    page.click_link("Cancel").await;
    page.see("Windows: 20 of 21").await;
    page.click_button("Change update classifications").await;
    page.check("Definition Updates").await;
    page.click_button("OK").await;
    page.see("Unsaved changes").await;
    page.fill_in(PROXY, "Password", "hunter2 hunter2").await;
    desk.save("Products and Classifications, Proxy server").await;
    let stored = desk.stored().await;
    assert!(stored.proxy.password.is_some());
    assert_eq!(stored.selections.len(), 23);
    desk.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s057_the_list_of_products_is_fetched_from_the_dialog_and_shows_what_came() {
    let (above, desk) = tokio::join!(TestApp::with_sample(60, 4), Desk::sit_down(Scripts::On));
    desk.app.follow(&above, |_| {}).await;
    desk.reload().await;
    let page = &desk.browser;
    page.click_button("Change products").await;
    page.see("The update source has not told its products yet.").await;
    page.click_button("Fetch the list of products").await;
    page.see("The list of products is being fetched.").await;
    page.click_link("Cancel").await;
    let until = Instant::now() + Duration::from_secs(30);
    while runs::active(&mut *desk.app.db.conn().await).await.unwrap().is_some() {
        assert!(Instant::now() < until, "the run does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    page.click_button("Change products").await;
    page.see("The update source may have new products since the last synchronization.").await;
    page.open(&desk.app.console_url("/synchronizations")).await;
    page.see("Products only").await;
    desk.leave().await;
}
