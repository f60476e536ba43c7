//! Every route of the console, asked by nobody and by each role. A route that is new must get its line here.

use crate::support::TestApp;
use reqwest::Method;
use rocket::http::Method as RocketMethod;
use weir::accounts::{self, Role};

const PASSWORD: &str = "correct horse battery";

/// Who may call a route at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Least {
    Anyone,
    /// A program with a token; a session counts for nothing.
    Token,
    Role(Role),
}

/// Method, path as mounted, a path to ask for, and the rule.
pub const RULES: &[(&str, &str, &str, Least)] = &[
    ("GET", "/assets/<hash>/<path..>", "/assets/0/weir.css", Least::Anyone),
    ("GET", "/favicon.ico", "/favicon.ico", Least::Anyone),
    ("GET", "/refused", "/refused", Least::Anyone),
    ("GET", "/login?<next>&<ended>&<set>", "/login", Least::Anyone),
    ("POST", "/login", "/login", Least::Anyone),
    ("GET", "/setup", "/setup", Least::Anyone),
    ("POST", "/setup", "/setup", Least::Anyone),
    ("POST", "/theme", "/theme", Least::Anyone),
    ("GET", "/", "/", Least::Role(Role::Reporter)),
    ("GET", "/help", "/help", Least::Role(Role::Reporter)),
    ("GET", "/help/<topic>", "/help/schedule", Least::Role(Role::Reporter)),
    ("GET", "/options", "/options", Least::Role(Role::Reporter)),
    ("GET", "/reports", "/reports", Least::Role(Role::Reporter)),
    (
        "GET",
        "/reports/synchronization-results?<from>&<until>",
        "/reports/synchronization-results",
        Least::Role(Role::Reporter),
    ),
    (
        "GET",
        "/reports/synchronization-results/<file>?<from>&<until>",
        "/reports/synchronization-results/synchronization-results.csv",
        Least::Role(Role::Reporter),
    ),
    ("GET", "/reports/settings-summary", "/reports/settings-summary", Least::Role(Role::Reporter)),
    (
        "GET",
        "/reports/settings-summary/<file>",
        "/reports/settings-summary/settings-summary.json",
        Least::Role(Role::Reporter),
    ),
    ("GET", "/reports/differences?<asked..>", "/reports/differences", Least::Role(Role::Reporter)),
    (
        "GET",
        "/reports/differences/<file>?<asked..>",
        "/reports/differences/differences.csv?since=2026-11-01",
        Least::Role(Role::Reporter),
    ),
    ("GET", "/users", "/users", Least::Role(Role::Administrator)),
    ("POST", "/users", "/users", Least::Role(Role::Administrator)),
    ("GET", "/users/<id>", "/users/9999", Least::Role(Role::Administrator)),
    ("POST", "/users/<id>", "/users/9999", Least::Role(Role::Administrator)),
    ("POST", "/users/<id>/link", "/users/9999/link", Least::Role(Role::Administrator)),
    (
        "POST",
        "/users/<id>/sessions/<key>/end",
        "/users/9999/sessions/00/end",
        Least::Role(Role::Administrator),
    ),
    ("POST", "/users/<id>/sessions/end", "/users/9999/sessions/end", Least::Role(Role::Administrator)),
    ("GET", "/audit?<query..>", "/audit", Least::Role(Role::Administrator)),
    ("GET", "/audit/<file>?<query..>", "/audit/lines.csv", Least::Role(Role::Administrator)),
    ("GET", "/profile?<changed>", "/profile", Least::Role(Role::Reporter)),
    ("POST", "/profile/display", "/profile/display", Least::Role(Role::Reporter)),
    ("POST", "/profile/failed-sign-ins", "/profile/failed-sign-ins", Least::Role(Role::Reporter)),
    ("POST", "/profile/password", "/profile/password", Least::Role(Role::Reporter)),
    ("POST", "/profile/sessions/end", "/profile/sessions/end", Least::Role(Role::Reporter)),
    ("POST", "/profile/tokens", "/profile/tokens", Least::Role(Role::Reporter)),
    ("POST", "/profile/tokens/<id>/end", "/profile/tokens/9999/end", Least::Role(Role::Reporter)),
    (
        "POST",
        "/users/<id>/tokens/<token>/end",
        "/users/9999/tokens/9999/end",
        Least::Role(Role::Administrator),
    ),
    ("GET", "/api/v1/status", "/api/v1/status", Least::Token),
    ("GET", "/set-password/<token>", "/set-password/none", Least::Anyone),
    ("POST", "/set-password/<token>", "/set-password/none", Least::Anyone),
    ("GET", "/updates?<done>&<query..>", "/updates", Least::Role(Role::Reporter)),
    (
        "GET",
        "/updates/<id>?<done>&<tab>",
        "/updates/00000000-0000-4000-8000-000000000001",
        Least::Role(Role::Reporter),
    ),
    ("GET", "/updates/approve?<id>&<back>", "/updates/approve", Least::Role(Role::Operator)),
    ("POST", "/updates/approve", "/updates/approve", Least::Role(Role::Operator)),
    ("GET", "/updates/decline?<id>&<back>", "/updates/decline", Least::Role(Role::Operator)),
    ("POST", "/updates/decline", "/updates/decline", Least::Role(Role::Operator)),
    ("POST", "/updates/restore", "/updates/restore", Least::Role(Role::Operator)),
    ("POST", "/updates/undo", "/updates/undo", Least::Role(Role::Operator)),
    (
        "GET",
        "/updates/<id>/document/<revision>",
        "/updates/00000000-0000-4000-8000-000000000001/document/1",
        Least::Role(Role::Reporter),
    ),
    ("GET", "/updates/export/<file>?<query..>", "/updates/export/updates.csv", Least::Role(Role::Reporter)),
    ("POST", "/updates/views", "/updates/views", Least::Role(Role::Reporter)),
    ("POST", "/updates/views/remove", "/updates/views/remove", Least::Role(Role::Reporter)),
    (
        "GET",
        "/options/automatic-approval/run",
        "/options/automatic-approval/run",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/automatic-approval/run",
        "/options/automatic-approval/run",
        Least::Role(Role::Administrator),
    ),
    (
        "GET",
        "/options/automatic-approval?<saved>",
        "/options/automatic-approval",
        Least::Role(Role::Reporter),
    ),
    ("POST", "/options/automatic-approval", "/options/automatic-approval", Least::Role(Role::Administrator)),
    ("GET", "/options/groups", "/options/groups", Least::Role(Role::Reporter)),
    ("POST", "/options/groups", "/options/groups", Least::Role(Role::Administrator)),
    (
        "GET",
        "/options/groups/<id>",
        "/options/groups/00000000-0000-4000-8000-000000000001",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/groups/<id>",
        "/options/groups/00000000-0000-4000-8000-000000000001",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/groups/<id>/delete",
        "/options/groups/00000000-0000-4000-8000-000000000001/delete",
        Least::Role(Role::Administrator),
    ),
    ("GET", "/options/connections", "/options/connections", Least::Role(Role::Reporter)),
    ("GET", "/options/synchronization?<draft>", "/options/synchronization", Least::Role(Role::Reporter)),
    (
        "POST",
        "/options/synchronization?<then>&<confirmed>",
        "/options/synchronization",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/undo",
        "/options/synchronization/undo",
        Least::Role(Role::Administrator),
    ),
    (
        "GET",
        "/options/synchronization/next-run?<fields..>",
        "/options/synchronization/next-run",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/synchronize?<confirmed>",
        "/options/synchronization/synchronize",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/stop?<run>",
        "/options/synchronization/stop",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/products/count",
        "/options/synchronization/products/count",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/test/<what>",
        "/options/synchronization/test/source",
        Least::Role(Role::Administrator),
    ),
    ("GET", "/options/synchronization/state", "/options/synchronization/state", Least::Role(Role::Reporter)),
    (
        "GET",
        "/options/synchronization/events",
        "/options/synchronization/events",
        Least::Role(Role::Reporter),
    ),
    (
        "POST",
        "/options/synchronization/products",
        "/options/synchronization/products",
        Least::Role(Role::Administrator),
    ),
    (
        "GET",
        "/options/synchronization/products?<draft>&<back>&<find>",
        "/options/synchronization/products?draft=1",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/products/find",
        "/options/synchronization/products/find",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/products/choice",
        "/options/synchronization/products/choice",
        Least::Role(Role::Administrator),
    ),
    (
        "GET",
        "/options/synchronization/products/children?<draft>&<back>&<parent>",
        "/options/synchronization/products/children?draft=1&parent=1",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/classifications",
        "/options/synchronization/classifications",
        Least::Role(Role::Administrator),
    ),
    (
        "GET",
        "/options/synchronization/classifications?<draft>&<back>",
        "/options/synchronization/classifications?draft=1",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/classifications/choice",
        "/options/synchronization/classifications/choice",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/advanced",
        "/options/synchronization/advanced",
        Least::Role(Role::Administrator),
    ),
    (
        "GET",
        "/options/synchronization/advanced?<draft>&<back>&<read>",
        "/options/synchronization/advanced?draft=1",
        Least::Role(Role::Administrator),
    ),
    (
        "POST",
        "/options/synchronization/advanced/choice",
        "/options/synchronization/advanced/choice",
        Least::Role(Role::Administrator),
    ),
    ("GET", "/synchronizations?<before>", "/synchronizations", Least::Role(Role::Reporter)),
    ("GET", "/synchronizations/<id>?<joined>", "/synchronizations/1", Least::Role(Role::Reporter)),
    ("GET", "/synchronizations/<id>/progress", "/synchronizations/1/progress", Least::Role(Role::Reporter)),
    ("GET", "/synchronizations/<id>/report", "/synchronizations/1/report", Least::Role(Role::Reporter)),
    ("GET", "/synchronizations/<id>/events", "/synchronizations/9999/events", Least::Role(Role::Reporter)),
    ("POST", "/synchronizations", "/synchronizations", Least::Role(Role::Operator)),
    ("POST", "/synchronizations/categories", "/synchronizations/categories", Least::Role(Role::Operator)),
    ("POST", "/synchronizations/<id>/stop", "/synchronizations/1/stop", Least::Role(Role::Operator)),
    ("GET", "/jobs", "/jobs", Least::Role(Role::Operator)),
    ("POST", "/jobs/<id>/cancel", "/jobs/1/cancel", Least::Role(Role::Operator)),
    ("POST", "/jobs/<id>/retry", "/jobs/1/retry", Least::Role(Role::Operator)),
    ("GET", "/instances", "/instances", Least::Role(Role::Operator)),
    ("GET", "/content-store", "/content-store", Least::Role(Role::Reporter)),
    ("POST", "/content-store/retry", "/content-store/retry", Least::Role(Role::Operator)),
    ("POST", "/content-store/retry/<file_row>", "/content-store/retry/1", Least::Role(Role::Operator)),
    ("POST", "/content-store/verify", "/content-store/verify", Least::Role(Role::Operator)),
    ("GET", "/content-store/clean-up", "/content-store/clean-up", Least::Role(Role::Administrator)),
    ("POST", "/content-store/clean-up", "/content-store/clean-up", Least::Role(Role::Administrator)),
    ("GET", "/content-store/limits", "/content-store/limits", Least::Role(Role::Administrator)),
    ("POST", "/content-store/limits", "/content-store/limits", Least::Role(Role::Administrator)),
    ("GET", "/synchronize", "/synchronize", Least::Role(Role::Reporter)),
    ("POST", "/synchronize", "/synchronize", Least::Role(Role::Operator)),
    // Signing out comes last, because it ends the session that the others use.
    ("POST", "/logout", "/logout", Least::Role(Role::Reporter)),
];

#[test]
fn every_route_has_a_rule() {
    let mut mounted: Vec<String> =
        weir::web::routes().iter().map(|route| format!("{} {}", route.method, route.uri)).collect();
    let mut ruled: Vec<String> =
        RULES.iter().map(|(method, mounted, _, _)| format!("{method} {mounted}")).collect();
    mounted.sort();
    ruled.sort();
    assert_eq!(mounted, ruled, "each route of the console needs a line in RULES");
    assert!(weir::web::routes().iter().all(|route| route.method != RocketMethod::Head));
}

#[tokio::test(flavor = "multi_thread")]
async fn r184_every_route_admits_exactly_the_roles_of_its_rule() {
    let app = TestApp::start().await;
    let mut conn = app.db.conn().await;
    let roles = [Role::Reporter, Role::Operator, Role::Administrator];
    for role in roles {
        accounts::create(&mut conn, role.as_str(), role, PASSWORD).await.unwrap();
    }
    drop(conn);

    for role in [None].into_iter().chain(roles.map(Some)) {
        let visitor = app.visitor();
        if let Some(role) = role {
            assert_eq!(visitor.sign_in(role.as_str(), PASSWORD).await.status(), 303);
        }
        let mut token = if role.is_some() { visitor.get("/").await.csrf() } else { String::new() };
        for (method, _, path, least) in RULES {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = visitor
                .request(method.clone(), path)
                .header("Sec-Fetch-Site", "same-origin")
                .header("X-CSRF-Token", &token);
            let answer = visitor.send(request).await;
            let to_login = answer.status() == 303 && answer.location().starts_with("/login?");
            let asked = format!("{role:?} {method} {path}: {} {}", answer.status(), answer.location());
            match (least, role) {
                (Least::Anyone, _) => {
                    assert!(!to_login, "{asked}");
                    assert!(*path == "/refused" || answer.status() != 403, "{asked}");
                }
                (Least::Token, _) => assert_eq!(answer.status(), 401, "{asked}"),
                (Least::Role(_), None) => assert!(to_login, "{asked}"),
                (Least::Role(least), Some(role)) if role >= *least => {
                    assert!(!to_login && answer.status() != 403, "{asked}");
                }
                (Least::Role(_), Some(_)) => assert_eq!(answer.status(), 403, "{asked}"),
            }
            assert_ne!(answer.status(), 500, "{asked}");
            // Signing out everywhere works, so the walk goes on with a new session.
            if let (Some(role), "/profile/sessions/end") = (role, *path) {
                assert_eq!(visitor.sign_in(role.as_str(), PASSWORD).await.status(), 303);
                token = visitor.get("/").await.csrf();
            }
        }
    }
}
