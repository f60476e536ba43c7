//! Walks over every route with a fingerprint of the database: what must change nothing changes nothing.

use std::collections::BTreeMap;

use reqwest::Method;
use tokio_postgres::Client;
use weir::accounts::Role;

use crate::routes::{Least, RULES};
use crate::support::{PASSWORD, TestApp, Visitor};

/// Tables that move by themselves, or with every request of anybody: signs of life, sessions, and the audit log, which
/// has to grow when something is refused.
const MOVING: [&str; 3] = ["audit", "instances", "sessions"];

/// The content of each table as a hash.
pub(crate) async fn fingerprint(client: &Client) -> BTreeMap<String, String> {
    let tables = "SELECT table_name FROM information_schema.tables \
                  WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let mut all = BTreeMap::new();
    for row in client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        if MOVING.contains(&table.as_str()) {
            continue;
        }
        // when somebody was seen last is no change
        let line = if table == "accounts" { "(to_jsonb(t) - 'last_seen_at')::text" } else { "t::text" };
        let sql = format!("SELECT coalesce(md5(string_agg({line}, '|' ORDER BY {line})), '') FROM {table} t");
        all.insert(table, client.query_one(&sql, &[]).await.unwrap().get(0));
    }
    assert!(all.len() > 20, "{all:?}");
    all
}

/// A server without a worker, so that nothing happens by itself, with something in most tables.
async fn furnished() -> TestApp {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    for role in [Role::Reporter, Role::Operator, Role::Administrator] {
        app.account(role.as_str(), role).await;
    }
    let sql = "INSERT INTO sync_runs (trigger, started_by, state, started_at, finished_at) \
               VALUES ('manual', 'test', 'failed', now(), now())";
    app.db.client().await.batch_execute(sql).await.unwrap();
    app
}

async fn signed_in(app: &TestApp, role: Role) -> Visitor {
    let visitor = app.visitor();
    assert_eq!(visitor.sign_in(role.as_str(), PASSWORD).await.status(), 303);
    visitor
}

/// The path with a value for each parameter that the mounted pattern names.
fn with_parameters(mounted: &str, path: &str) -> String {
    let Some((_, pattern)) = mounted.split_once('?') else { return path.to_owned() };
    let all = "done=1&from=2026-11-01&until=2026-11-30&since=2026-11-01&q=x&who=anna&what=user&before=9&after=1&upto=2\
               &schedule.mode=daily&schedule.time=03:00&schedule.per_day=2&schedule.time_zone=UTC&role=administrator";
    let named: Vec<String> = pattern
        .split('&')
        .map(|part| match part.trim_matches(['<', '>']) {
            rest if rest.ends_with("..") => all.to_owned(),
            "draft" => "draft=00000000-0000-4000-8000-000000000001".to_owned(),
            "id" => "id=00000000-0000-4000-8000-000000000001".to_owned(),
            "from" | "until" => format!("{}=2026-11-01", part.trim_matches(['<', '>'])),
            name => format!("{name}=1"),
        })
        .collect();
    let glue = if path.contains('?') { '&' } else { '?' };
    format!("{path}{glue}{}", named.join("&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn r188_reading_any_page_with_any_parameter_changes_nothing() {
    let app = furnished().await;
    let client = app.db.client().await;
    for role in [Role::Administrator, Role::Operator, Role::Reporter] {
        let visitor = signed_in(&app, role).await;
        let before = fingerprint(&client).await;
        for (method, mounted, path, _) in RULES {
            if *method != "GET" {
                continue;
            }
            for path in [(*path).to_owned(), with_parameters(mounted, path)] {
                for method in [Method::GET, Method::HEAD] {
                    let answer = visitor.send(visitor.request(method.clone(), &path)).await;
                    assert_ne!(answer.status(), 500, "{method} {path}");
                }
            }
            let after = fingerprint(&client).await;
            assert_eq!(before, after, "{role:?} GET {path}");
        }
    }
}

/// What a Reporter may change: the own session, password, tokens, display and saved views.
const OWN: [&str; 11] = [
    "/login",
    "/logout",
    "/theme",
    "/profile/display",
    "/profile/failed-sign-ins",
    "/profile/password",
    "/profile/sessions/end",
    "/profile/tokens",
    "/profile/tokens/<id>/end",
    "/updates/views",
    "/updates/views/remove",
];

/// Fields that somebody might smuggle in.
const CRAFTED: &str = "role=administrator&id=1&id=2&account_id=3&owner=3&version=1&disabled=false&name=eve&theme=dark\
                       &zone=UTC&days=30&next=/&then=save&confirmed=saved&query=&password=another+long+secret\
                       &schedule.mode=daily&source.kind=upstream&source.server=evil.example&source.port=80&group=all";

#[tokio::test(flavor = "multi_thread")]
async fn a_reporter_changes_nothing_with_any_request() {
    let app = furnished().await;
    let client = app.db.client().await;
    let visitor = signed_in(&app, Role::Reporter).await;
    let token = visitor.get("/").await.csrf();
    let before = fingerprint(&client).await;
    let unsafe_methods = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let mut asked = 0;
    for (_, mounted, path, least) in RULES {
        if OWN.contains(&mounted.split('?').next().unwrap()) {
            continue;
        }
        for method in &unsafe_methods {
            for disguise in ["", "HX-Request", "X-HTTP-Method-Override"] {
                let mut request = visitor
                    .request(method.clone(), path)
                    .header("Content-Type", "application/x-www-form-urlencoded")
                    .header("Sec-Fetch-Site", "same-origin")
                    .body(format!("csrf={token}&_method=post&{CRAFTED}"));
                if !disguise.is_empty() {
                    request =
                        request.header(disguise, if disguise == "HX-Request" { "true" } else { "POST" });
                }
                let answer = visitor.send(request).await;
                asked += 1;
                let refused = matches!(answer.status(), 401 | 403 | 404 | 405 | 413 | 422);
                let elsewhere = *least == Least::Anyone && answer.status() == 303;
                assert!(refused || elsewhere, "{method} {path} {disguise}: {}", answer.status());
            }
        }
        assert_eq!(before, fingerprint(&client).await, "{mounted}");
    }
    assert!(asked > 500, "{asked}");

    // the own things, with more than belongs to them: nobody's role, name or password changes
    let people = "SELECT string_agg((to_jsonb(a) - '{last_seen_at,theme,time_zone,failures_seen_id}'::text[])::text, \
                  '|' ORDER BY id) FROM accounts a";
    let accounts: String = client.query_one(people, &[]).await.unwrap().get(0);
    for path in OWN.iter().filter(|path| !path.contains("log") && !path.contains("sessions")) {
        let path = path.replace("<id>", "1");
        let request = visitor
            .request(Method::POST, &path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Sec-Fetch-Site", "same-origin")
            .body(format!("csrf={token}&{CRAFTED}"));
        assert_ne!(visitor.send(request).await.status(), 500, "{path}");
        let now: String = client.query_one(people, &[]).await.unwrap().get(0);
        assert_eq!(accounts, now, "{path}");
    }
    let stolen = "SELECT count(*) FROM api_tokens WHERE role <> 'reporter'";
    assert_eq!(client.query_one(stolen, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r186_r187_every_changing_request_needs_its_own_fresh_token_and_this_site() {
    let app = furnished().await;
    let client = app.db.client().await;
    let before = signed_in(&app, Role::Administrator).await;
    let old = before.get("/").await.csrf();
    assert_eq!(before.post_from("/", "/logout", &[]).await.status(), 303);
    let visitor = signed_in(&app, Role::Administrator).await;
    let token = visitor.get("/").await.csrf();
    let others = signed_in(&app, Role::Operator).await.get("/").await.csrf();
    let origin = app.console_url("");
    let same = ("Sec-Fetch-Site", "same-origin");
    /// What is wrong, the body, a header.
    type Case<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);
    let cases: [Case<'_>; 10] = [
        ("without", "", Some(same)),
        ("wrong", "csrf=AAAA", Some(same)),
        ("another user's", &format!("csrf={others}"), Some(same)),
        ("old", &format!("csrf={old}"), Some(same)),
        ("second field", &format!("x=1&csrf={token}"), Some(same)),
        ("cross-site", &format!("csrf={token}"), Some(("Sec-Fetch-Site", "cross-site"))),
        ("same-site", &format!("csrf={token}"), Some(("Sec-Fetch-Site", "same-site"))),
        ("foreign origin", &format!("csrf={token}"), Some(("Origin", "https://evil.example"))),
        ("origin null", &format!("csrf={token}"), Some(("Origin", "null"))),
        ("neither", &format!("csrf={token}"), None),
    ];
    let before = fingerprint(&client).await;
    for (method, _, path, _) in RULES {
        if *method != "POST" {
            continue;
        }
        for (what, body, header) in &cases {
            let mut request = visitor
                .request(Method::POST, path)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(format!("{body}&{CRAFTED}"));
            if let Some((name, value)) = header {
                request = request.header(*name, *value);
            }
            let answer = visitor.send(request).await;
            assert_eq!(answer.status(), 403, "{path} {what}");
        }
        assert_eq!(before, fingerprint(&client).await, "{path}");
        assert_eq!(visitor.get("/profile").await.status(), 200, "{path} ended no session");
    }
    let good = visitor
        .request(Method::POST, "/theme")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Origin", origin)
        .body(format!("csrf={token}&theme=dark&next=/"));
    assert_eq!(visitor.send(good).await.status(), 303);
}
