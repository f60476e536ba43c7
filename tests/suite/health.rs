//! `/healthz`, starting and stopping.

use std::time::{Duration, Instant};

use crate::support::{Page, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn both_listeners_answer_while_the_database_does() {
    let app = TestApp::start().await;
    for answer in [app.visitor().get("/healthz").await, app.ask_services("/healthz").await] {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.body.trim(), "ok");
        assert_eq!(answer.header("set-cookie"), "", "a health check needs no session");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_server_says_so_and_recovers() {
    let app = TestApp::start().await;
    app.db.refuse_connections().await;
    // The database ends connections a moment after it was told to.
    let answer = health_once(&app, 503).await;
    assert_eq!(answer.body.trim(), "The database does not answer.");
    app.db.accept_connections().await;
    // The pool asks again after a pause that grows to half of its longest wait.
    assert_eq!(health_once(&app, 200).await.body.trim(), "ok");
}

/// The first answer of `/healthz` with this status; fails when it does not come within 15 seconds.
async fn health_once(app: &TestApp, status: u16) -> Page {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let answer = app.visitor().get("/healthz").await;
        if answer.status() == status {
            return answer;
        }
        assert!(Instant::now() < until, "still {} and not {status}: {}", answer.status(), answer.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r237_pages_are_not_on_the_services_port_and_services_not_on_the_console() {
    let app = TestApp::start().await;
    assert_eq!(app.ask_services("/login").await.status(), 404);
    assert_eq!(app.ask_services("/").await.status(), 404);
    let soap = "/ServerSyncWebService/ServerSyncWebService.asmx";
    assert_eq!(app.visitor().post_raw(soap, &[]).await.status(), 404);
    let asked = app.ask_services(soap).await;
    assert_eq!((asked.status(), asked.header("allow")), (405, "POST"), "a service is only sent to");
}
