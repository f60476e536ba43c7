//! Help: every setting has its paragraph, and a message leads to it.

use weir::settings::keys::Key;
use weir::web::help;

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_has_its_paragraph() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    for key in Key::ALL {
        let address = help::of_field(key.name()).unwrap();
        let (page, anchor) = address.split_once('#').unwrap();
        assert!(visitor.get(page).await.has(&format!("[id=\"{anchor}\"]")), "{address}");
    }
    let index = visitor.get("/help").await;
    assert_eq!(index.texts("main li").len(), 9);
    assert_eq!(visitor.get("/help/nothing").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_leads_to_the_paragraph_that_helps() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let page = visitor.get("/options/synchronization").await;
    let fields = [("csrf", page.csrf()), ("version", page.field("version").value().to_owned())];
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    fields.extend([("proxy.enabled", "true"), ("proxy.server", "proxy.test"), ("proxy.port", "0")]);
    fields.extend([("source.kind", "microsoft-update"), ("schedule.mode", "manual")]);
    let refused = visitor.post_raw("/options/synchronization", &fields).await;
    assert_eq!(refused.status(), 422, "{}", refused.body);
    assert!(refused.has("a[href='/help/proxy-server#proxy.port']"), "{}", refused.body);
    assert!(visitor.get("/synchronize").await.has("header a[href='/help/synchronizing']"));
}
