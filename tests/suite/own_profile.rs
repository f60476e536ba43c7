//! What a person sets and sees on the own profile: colours, time zone, failed attempts, a common password refused.

use weir::accounts::Role;

use crate::support::{PASSWORD, Page, TestApp, Visitor};

async fn save_display(visitor: &Visitor, theme: &str, zone: &str) -> Page {
    visitor.post_from("/profile", "/profile/display", &[("theme", theme), ("zone", zone)]).await
}

fn theme_of(page: &Page) -> String {
    page.attribute("html", "data-theme").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_follow_the_person_to_another_browser_and_are_drawn_by_the_server() {
    let app = TestApp::start().await;
    let here = app.sign_in_as("anna", Role::Reporter).await;
    assert_eq!(theme_of(&here.get("/").await), "system");
    assert_eq!(save_display(&here, "dark", "").await.location(), "/profile?changed=display");
    assert_eq!(theme_of(&here.get("/").await), "dark");
    let elsewhere = app.visitor();
    assert_eq!(theme_of(&elsewhere.get("/login").await), "system");
    elsewhere.sign_in("anna", PASSWORD).await;
    assert_eq!(theme_of(&elsewhere.get("/").await), "dark");
    // the menu changes the same choice, and the pages before signing in remember it
    let menu = [("next", "/updates"), ("theme", "light")];
    assert_eq!(elsewhere.post_from("/", "/theme", &menu).await.location(), "/updates");
    assert_eq!(theme_of(&here.get("/profile").await), "light");
    assert!(here.get("/profile").await.has("#theme-light[checked]"));
    elsewhere.post_from("/", "/logout", &[]).await;
    assert_eq!(theme_of(&elsewhere.get("/login").await), "light");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_shown_in_the_persons_zone_and_else_in_the_schedules() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Administrator).await;
    let ben = app.sign_in_as("ben", Role::Administrator).await;
    let schedule = "UPDATE sync_options SET schedule_time_zone = 'Europe/Berlin'";
    app.db.client().await.batch_execute(schedule).await.unwrap();
    assert_eq!(save_display(&anna, "system", "Asia/Taipei").await.status(), 303);
    for path in ["/profile", "/users", "/audit"] {
        let (own, usual) = (anna.get(path).await, ben.get(path).await);
        let all = |page: &Page, zone: &str| {
            let shown = page.texts("main time");
            assert!(!shown.is_empty() && shown.iter().all(|text| text.ends_with(zone)), "{path}: {shown:?}");
        };
        all(&own, "Asia/Taipei");
        all(&usual, "Europe/Berlin");
    }
    assert_eq!(anna.get("/profile").await.field("zone").value(), "Asia/Taipei");
    assert_eq!(ben.get("/profile").await.field("zone").value(), "", "as the schedule");
    // back to the usual one, written down each time
    save_display(&anna, "system", "").await;
    assert!(anna.get("/users").await.texts("main time").iter().all(|text| text.ends_with("Europe/Berlin")));
    let lines = anna.get("/audit/lines.jsonl?what=profile.display").await.body;
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.contains("Asia/Taipei"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_or_colour_that_does_not_exist_is_refused_beside_its_field() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Reporter).await;
    let refused = save_display(&anna, "light", "Mars/Olympus").await;
    assert_eq!(refused.status(), 422);
    assert!(refused.field("zone").error().starts_with("Choose a time zone"), "{}", refused.text("main"));
    let refused = save_display(&anna, "neon", "UTC").await;
    assert_eq!(
        (refused.status(), refused.text("#theme-error")),
        (422, "Choose one of the three.".to_owned())
    );
    assert_eq!(theme_of(&anna.get("/").await), "system", "nothing was saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_attempts_are_told_after_signing_in_until_they_are_closed() {
    let app = TestApp::start().await;
    app.account("anna", Role::Reporter).await;
    app.account("ben", Role::Reporter).await;
    let stranger = app.visitor();
    for name in ["anna", "ANNA", "ben", "nobody"] {
        assert_eq!(stranger.sign_in(name, "a wrong long password").await.status(), 422);
    }
    let anna = app.visitor();
    assert_eq!(anna.sign_in("anna", PASSWORD).await.status(), 303);
    for path in ["/", "/updates"] {
        let notice = anna.get(path).await.text(".failed-sign-ins");
        assert!(notice.starts_with("2 failed attempts to sign in with your name"), "{notice}");
        assert!(notice.contains("from 127.0.0.1"), "{notice}");
    }
    let second = app.visitor();
    second.sign_in("anna", PASSWORD).await;
    assert!(second.get("/").await.has(".failed-sign-ins"), "not closed yet");
    let closed = anna.post_from("/updates", "/profile/failed-sign-ins", &[("next", "/updates")]).await;
    assert_eq!((closed.status(), closed.location()), (303, "/updates"));
    for browser in [&anna, &second] {
        assert!(!browser.get("/").await.has(".failed-sign-ins"));
    }
    let profile = anna.get("/profile").await;
    let rows = profile.texts("[aria-label='When and from where'] tbody tr");
    assert_eq!(rows.len(), 2, "the profile goes on listing them");
    assert!(rows.iter().all(|row| row.ends_with("127.0.0.1")), "{rows:?}");
    // only new ones are told again
    stranger.sign_in("anna", "a wrong long password").await;
    let third = app.visitor();
    third.sign_in("anna", PASSWORD).await;
    assert!(third.get("/").await.text(".failed-sign-ins").starts_with("1 failed attempt to sign in"));
    let next = [("next", "//evil.example")];
    assert_eq!(third.post_from("/", "/profile/failed-sign-ins", &next).await.location(), "/");
    let ben = app.visitor();
    ben.sign_in("ben", PASSWORD).await;
    assert!(ben.get("/").await.text(".failed-sign-ins").starts_with("1 failed attempt"), "each their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_common_password_is_refused_wherever_one_is_set_and_old_ones_go_on_working() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Administrator).await;
    let form = [("current", PASSWORD), ("new", "password1234")];
    let refused = anna.post_from("/profile", "/profile/password", &form).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text("#new-error").starts_with("Many people use this password"), "{}", refused.body);
    let added = anna.post("/users", &[("name", "ben"), ("role", "reporter")]).await;
    let link = added.attribute("main a[href^='/set-password/']", "href").unwrap();
    let refused = app.visitor().post(&link, &[("password", "qwertyuiop123")]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text("#password-error").starts_with("Many people"), "{}", refused.body);
    // one that was set before there was a list
    let hash = {
        use argon2::password_hash::PasswordHasher;
        argon2::Argon2::default().hash_password(b"password1234").unwrap().to_string()
    };
    let sql = "UPDATE accounts SET password_hash = $1 WHERE name = 'anna'";
    app.db.client().await.execute(sql, &[&hash]).await.unwrap();
    assert_eq!(app.visitor().sign_in("anna", "password1234").await.status(), 303);
}
