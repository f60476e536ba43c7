//! `/synchronize`, the page people keep as a bookmark: opening it starts nothing, and one press starts one run.

use std::net::TcpListener;
use std::time::Duration;

use fantoccini::key::Key;
use reqwest::Method;
use weir::accounts::Role;
use weir::settings::{self, Actor};
use weir::sync::runs;

use crate::support::{Browser, PASSWORD, Page, Scripts, TestApp, Visitor};

/// A server whose update source takes connections and never answers, so that a run stays at work.
async fn with_silent_source() -> (TestApp, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let app = TestApp::start_with(|config| config.microsoft_update.url = url.parse().unwrap()).await;
    (app, silent)
}

async fn runs_of(app: &TestApp) -> usize {
    runs::list(&mut *app.db.conn().await, None, 100).await.unwrap().len()
}

/// Waits until no run is at work.
async fn quiet(app: &TestApp) {
    for _ in 0..300 {
        if runs::active(&mut *app.db.conn().await).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run did not end");
}

/// Presses the button of a page that was opened before.
async fn press(visitor: &Visitor, page: &Page) -> Page {
    let key = page.attribute("main input[name=key]", "value").expect("the form has a one-time key");
    visitor.post_raw("/synchronize", &[("csrf", &page.csrf()), ("key", &key)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_bookmark_starts_nothing() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    for path in ["/synchronize", "/synchronize?start=1", "/synchronize?key=1"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), 200);
        assert!(page.has("main button[autofocus]"), "Enter is enough");
        visitor.send(visitor.request(Method::HEAD, path)).await;
        visitor.send(visitor.request(Method::GET, path).header("Sec-Purpose", "prefetch")).await;
    }
    assert_eq!(runs_of(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_signs_in_and_comes_straight_back() {
    let app = TestApp::start().await;
    app.account("admin", Role::Administrator).await;
    let visitor = app.visitor();
    let sent = visitor.get("/synchronize").await;
    assert_eq!((sent.status(), sent.location()), (303, "/login?next=%2Fsynchronize"));
    let login = visitor.get(sent.location()).await;
    assert!(login.text("main form").contains("You then go on to /synchronize"), "{}", login.body);
    let fields = [("name", "admin"), ("password", PASSWORD), ("next", "/synchronize")];
    assert_eq!(visitor.post_raw("/login", &fields).await.location(), "/synchronize");
    assert_eq!(runs_of(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_press_is_one_run_however_often_the_form_arrives() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let page = visitor.get("/synchronize").await;
    let first = press(&visitor, &page).await;
    assert_eq!((first.status(), first.location()), (303, "/synchronizations/1"));
    quiet(&app).await;
    let again = press(&visitor, &page).await;
    assert_eq!(again.location(), "/synchronizations/1?joined=true", "the same form leads to the same run");
    assert_eq!(runs_of(&app).await, 1);

    let fresh = visitor.get("/synchronize").await;
    assert_eq!(fresh.text("main button.primary"), "Synchronize again");
    assert!(fresh.text("main").contains("Last synchronization: ✕ Failed"), "{}", fresh.text("main"));
    assert_eq!(press(&visitor, &fresh).await.location(), "/synchronizations/2");
    quiet(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_and_two_people_get_the_same_run() {
    let (app, _silent) = with_silent_source().await;
    let admin = app.sign_in_admin().await;
    let other = app.sign_in_as("olga", Role::Operator).await;
    let (one, two, three) =
        (admin.get("/synchronize").await, admin.get("/synchronize").await, other.get("/synchronize").await);
    let answers = tokio::join!(press(&admin, &one), press(&admin, &two), press(&other, &three));
    let places = [answers.0.location(), answers.1.location(), answers.2.location()];
    assert!(places.iter().all(|place| place.starts_with("/synchronizations/1")), "{places:?}");
    assert_eq!(places.iter().filter(|place| place.ends_with("joined=true")).count(), 2);
    assert_eq!(runs_of(&app).await, 1);

    let seen = other.get("/synchronize").await;
    let text = seen.text("main");
    assert!(text.contains("A synchronization is already running."), "{text}");
    assert!(text.contains("began it at") && text.contains("A second one is not started."), "{text}");
    assert!(!seen.has("form[action='/synchronize']"));
    let refresh = seen.attribute("head noscript meta", "content");
    assert!(refresh.is_some() || seen.body.contains("http-equiv=\"refresh\" content=\"5\""));
    let stop = seen.attribute("#live form", "action").unwrap();
    other.post_from("/synchronize", &stop, &[]).await;
    quiet(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ran_out_starts_nothing_and_comes_back() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let page = visitor.get("/synchronize").await;
    app.db.client().await.batch_execute("DELETE FROM sessions").await.unwrap();
    let sent = press(&visitor, &page).await;
    assert_eq!((sent.status(), sent.location()), (303, "/login?next=%2Fsynchronize&ended=1"));
    let login = visitor.get(sent.location()).await;
    assert!(login.text("main").contains("You were signed out. Nothing was started"), "{}", login.body);
    assert_eq!(runs_of(&app).await, 0);

    // What cannot be opened itself leads back to the page that the form stood on.
    let stop = visitor
        .request(Method::POST, "/synchronizations/1/stop")
        .header("Sec-Fetch-Site", "same-origin")
        .header("Referer", app.console_url("/synchronizations/1"));
    assert_eq!(visitor.send(stop).await.location(), "/login?next=%2Fsynchronizations%2F1&ended=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reporter_reads_who_may_start() {
    let app = TestApp::start().await;
    let reporter = app.sign_in_as("rita", Role::Reporter).await;
    let page = reporter.get("/synchronize").await;
    assert!(page.text("main").contains("Operators and administrators may start a synchronization."));
    assert!(!page.has("main button"));
    assert_eq!(reporter.post("/synchronize", &[]).await.status(), 403);
    assert_eq!(runs_of(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_chosen_is_said_and_not_tried() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let mut conn = app.db.conn().await;
    let mut options = settings::load(&mut conn).await.unwrap();
    options.selections.clear();
    let version = options.version;
    let (name, peer, request_id) = ("command line".to_owned(), String::new(), String::new());
    let actor = Actor { name, account_id: None, peer, request_id };
    settings::save(&mut conn, version, &options, &actor).await.unwrap();
    let page = visitor.get("/synchronize").await;
    assert!(page.text("main").contains("No product is chosen yet."), "{}", page.text("main"));
    assert!(page.has("main .notice a[href='/options/synchronization']") && !page.has("main button"));
    let forced = visitor.post("/synchronize", &[]).await;
    assert_eq!(forced.status(), 422);
    assert!(forced.text("main").contains("No product is chosen yet."));
    assert_eq!(runs_of(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_press_is_refused_and_written_down() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let forged = visitor.request(Method::POST, "/synchronize").header("Sec-Fetch-Site", "cross-site");
    let answer = visitor.send(forged).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.has("nav[aria-label=Main]"), "in the frame");
    let sql = "SELECT object, actor, after->>'reason' FROM audit WHERE action = 'request.forged'";
    let row = app.db.client().await.query_one(sql, &[]).await.unwrap();
    let line: [String; 3] = [row.get(0), row.get(1), row.get(2)];
    assert_eq!(line, ["POST /synchronize", "admin", "Sec-Fetch-Site"]);
    assert_eq!(runs_of(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_is_enough_and_a_double_click_is_one_run() {
    for scripts in [Scripts::On, Scripts::Off] {
        let (app, _silent) = with_silent_source().await;
        app.account("admin", Role::Administrator).await;
        let browser = Browser::start(scripts).await;
        browser.open(&app.console_url("/synchronize")).await;
        browser.fill("User name", "admin").await;
        browser.fill("Password", PASSWORD).await;
        browser.click_button("Sign in").await;
        browser.see("This asks Microsoft Update").await;
        if scripts == Scripts::On {
            browser.double_click_button("Synchronize now").await;
        } else {
            browser.press(Key::Enter).await;
        }
        browser.see("Stop synchronization").await;
        assert_eq!(browser.path().await, "/synchronizations/1");
        browser.open(&app.console_url("/synchronize")).await;
        browser.see("A second one is not started.").await;
        browser.click_button("Stop synchronization").await;
        browser.see("Canceled").await;
        assert_eq!(runs_of(&app).await, 1);
        browser.close().await;
    }
}
