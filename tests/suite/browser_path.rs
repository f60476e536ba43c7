//! What a person does with the console, in a real browser.

use crate::support::{Browser, Scripts};

const PAGE: &str = "data:text/html,<body><p id=p>no script ran</p>\
    <label>Name <input></label><label for=c>Tick</label><input id=c type=checkbox><button>Go on</button>\
    <script>document.getElementById('p').textContent = 'a script ran'</script>";

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_runs_scripts_only_when_told() {
    for (scripts, seen) in [(Scripts::On, "a script ran"), (Scripts::Off, "no script ran")] {
        let browser = Browser::start(scripts).await;
        browser.open(PAGE).await;
        browser.see(seen).await;
        browser.fill("Name", "it's me").await;
        assert_eq!(browser.value_of("Name").await, "it's me");
        browser.check("Tick").await;
        assert!(browser.is_checked("Tick").await);
        browser.click_button("Go on").await;
        browser.resize(390, 844).await;
        assert_eq!(browser.sideways_scroll().await, 0);
        let picture = tempfile::NamedTempFile::new().unwrap();
        browser.screenshot(picture.path()).await;
        assert!(picture.path().metadata().unwrap().len() > 500);
        browser.close().await;
    }
}
