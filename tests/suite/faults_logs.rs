//! Faults of logs and audit: crafted text, planted secrets, and one record for each security event.

use reqwest::Method;
use serde_json::Value;
use weir::accounts::Role;

use crate::files::until;
use crate::routes::RULES;
use crate::support::file_server::{Fault, FileServer, want};
use crate::support::options::{change_options, use_upstream};
use crate::support::process::{Process, output_of, weir};
use crate::support::{PASSWORD, TestApp, TestDatabase, Visitor};

const PROXY_SECRET: &str = "planted-proxy-secret-7f3a";
const WRONG: &str = "planted wrong secret 51c2";
const NEW: &str = "planted new secret 9be0";

/// The log of a server that was started with its words in a file.
async fn with_log(db: &TestDatabase, data: &std::path::Path) -> Process {
    let mut server = Process::start_logged(db, data, &[("WEIR_LOG", "trace")]);
    server.ready().await;
    server
}

fn log_of(data: &std::path::Path) -> String {
    std::fs::read_to_string(data.join("serve.log")).unwrap()
}

/// All pages and files that an administrator can open, in one text.
async fn everything(visitor: &Visitor) -> String {
    let mut all = String::new();
    for (method, _, path, _) in RULES {
        if *method == "GET" && !path.ends_with("/events") {
            let answer = visitor.get(path).await;
            all.push_str(&answer.body);
            all.push_str(&format!("{:?}\n", answer.headers.get("location")));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn r267_planted_secrets_are_in_no_log_page_file_or_plain_column() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let made =
        weir(&db, data.path(), &["user", "add", "anna", "--role", "administrator", "--password-stdin"]);
    let made = output_of(made, &format!("{PASSWORD}\n")).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let server = with_log(&db, data.path()).await;
    let anna = server.visitor();
    anna.sign_in("anna", WRONG).await;
    assert_eq!(anna.sign_in("anna", PASSWORD).await.status(), 303);
    let mut secrets: Vec<String> = [PROXY_SECRET, WRONG, NEW, PASSWORD].map(str::to_owned).to_vec();
    secrets.push(anna.cookie("weir").unwrap());
    let options = [
        ("version", "1"),
        ("draft", ""),
        ("schedule.mode", "manual"),
        ("schedule.time", "03:00"),
        ("schedule.per_day", "1"),
        ("schedule.time_zone", "UTC"),
        ("source.kind", "upstream"),
        ("source.server", "127.0.0.1"),
        ("source.port", "9"),
        ("source.content_port", ""),
        ("source.ca", ""),
        ("proxy.enabled", "true"),
        ("proxy.server", "127.0.0.1"),
        ("proxy.port", "9"),
        ("proxy.credentials", "true"),
        ("proxy.user", "svc"),
        ("proxy.domain", ""),
        ("proxy.password", PROXY_SECRET),
    ];
    let saved = anna.post("/options/synchronization", &options).await;
    assert_eq!(saved.status(), 303, "{}", saved.text("main"));
    let token = [("name", "monitoring"), ("role", "reporter"), ("days", "30")];
    let shown = anna.post_from("/profile", "/profile/tokens", &token).await;
    let token = shown.texts("code").into_iter().find(|text| text.starts_with("weir_")).unwrap();
    secrets.push(token.clone());
    let ask = anna.request(Method::GET, "/api/v1/status").header("Authorization", format!("Bearer {token}"));
    assert_eq!(anna.send(ask).await.status(), 200);
    let added = anna.post("/users", &[("name", "ben"), ("role", "reporter")]).await;
    let link = added.attribute("main a[href^='/set-password/']", "href").unwrap();
    secrets.push(link.trim_start_matches("/set-password/").to_owned());
    let ben = server.visitor();
    assert_eq!(ben.get(&link).await.status(), 200);
    assert_eq!(ben.post(&link, &[("password", NEW)]).await.status(), 303);
    assert_eq!(ben.sign_in("ben", NEW).await.status(), 303);
    secrets.push(ben.cookie("weir").unwrap());
    // a test of the connection and a run that fail on the way through the proxy server
    let key = anna.get("/synchronize").await;
    let key = key.attribute("input[name=key]", "value").unwrap_or_default();
    let started = anna.post("/synchronize", &[("key", key.as_str())]).await;
    assert!(matches!(started.status(), 303 | 422), "{}", started.text("main"));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;

    let key_file = std::fs::read_to_string(data.path().join("secret.key")).unwrap();
    secrets.push(key_file.trim().to_owned());
    let mut places = vec![("pages and files", everything(&anna).await), ("log", log_of(data.path()))];
    let client = db.client().await;
    for row in client.query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'", &[]).await.unwrap() {
        let table: String = row.get(0);
        let sql = format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t");
        places.push(("a table", client.query_one(&sql, &[]).await.unwrap().get(0)));
    }
    assert!(places[1].1.len() > 1_000, "the log holds something: {}", places[1].1);
    assert!(places[0].1.len() > 100_000, "the pages hold something");
    for secret in &secrets {
        let hex = hex::encode(secret);
        for (place, text) in &places {
            assert!(!text.contains(secret.as_str()), "{place} holds {secret}");
            assert!(!text.contains(&hex), "{place} holds {secret} in hexadecimal digits");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r266_crafted_text_is_one_line_of_the_log_and_one_of_the_audit() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let made =
        weir(&db, data.path(), &["user", "add", "anna", "--role", "administrator", "--password-stdin"]);
    assert!(output_of(made, &format!("{PASSWORD}\n")).await.status.success());
    let server = with_log(&db, data.path()).await;
    let stranger = server.visitor();
    let forged = "x\r\n2026-01-01T00:00:00Z  WARN forged line\u{1b}[2J\tend";
    for name in [forged, &"y".repeat(1 << 20), "anna\u{1b}[31m"] {
        let answer = stranger.sign_in(name, WRONG).await;
        assert!(matches!(answer.status(), 422 | 413 | 429), "{}", answer.status());
    }
    let path = "/nowhere/%0d%0aforged%1b[2J";
    stranger.get(path).await;
    let anna = server.visitor();
    let login = anna
        .request(Method::POST, "/login")
        .header("Sec-Fetch-Site", "same-origin")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("User-Agent", format!("\t{}", "z".repeat(6_000)))
        .body(format!("name=anna&password={}", PASSWORD.replace(' ', "+")));
    assert_eq!(anna.send(login).await.status(), 303);
    anna.get(path).await;
    let token = [("name", forged), ("role", "reporter"), ("days", "30")];
    assert_eq!(anna.post_from("/profile", "/profile/tokens", &token).await.status(), 422);

    let log = log_of(data.path());
    assert!(
        log.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()),
        "the log holds control characters"
    );
    for line in log.lines() {
        assert!(!line.starts_with("2026-01-01T00:00:00Z"), "{line}");
        assert!(line.len() < 20_000, "a line of {} bytes", line.len());
    }
    let lines = anna.get("/audit/lines.jsonl").await.body;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for column in ["actor", "peer", "action", "object", "request_id"] {
            let text = line[column].as_str().unwrap_or_default();
            assert!(
                text.chars().count() <= 1_024 && !text.contains('\n') && !text.contains('\u{1b}'),
                "{line}"
            );
        }
    }
    let csv = anna.get("/audit/lines.csv").await.body;
    assert_eq!(csv.trim_end().lines().count(), lines.lines().count() + 1, "one record a line");
    let agent: String =
        db.client().await.query_one("SELECT max(user_agent) FROM sessions", &[]).await.unwrap().get(0);
    assert!(agent.chars().count() <= 256, "{}", agent.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn r268_each_security_event_is_one_record_with_time_actor_source_and_object() {
    let app = TestApp::start().await;
    let client = app.db.client().await;
    let count = async |action: &str| -> i64 {
        client.query_one("SELECT count(*) FROM audit WHERE action = $1", &[&action]).await.unwrap().get(0)
    };
    app.account("anna", Role::Administrator).await;
    app.account("ben", Role::Reporter).await;
    let anna = app.visitor();
    anna.sign_in("anna", WRONG).await;
    assert_eq!(count("sign-in.failed").await, 1);
    anna.sign_in("anna", PASSWORD).await;
    assert_eq!(count("sign-in").await, 1);
    let ben = app.visitor();
    ben.sign_in("ben", PASSWORD).await;
    ben.get("/users").await;
    assert_eq!(count("access.refused").await, 1);
    ben.post_raw("/theme", &[("csrf", "AAAA"), ("theme", "dark"), ("next", "/")]).await;
    assert_eq!(count("request.forged").await, 1);
    let id: i64 = client.query_one("SELECT id FROM accounts WHERE name = 'ben'", &[]).await.unwrap().get(0);
    anna.post_from("/users", &format!("/users/{id}"), &[("role", "operator")]).await;
    assert_eq!(count("user.change").await, 1);
    ben.post_from("/", "/logout", &[]).await;
    assert_eq!(count("sign-out").await, 1);
    for _ in 0..6 {
        app.visitor_from(9).sign_in("ben", WRONG).await;
    }
    assert_eq!(count("sign-in.paused").await, 1, "the beginning of the pauses, once");
    let forged = app.visitor();
    forged.set_cookie("weir", "' OR 1=1 --");
    forged.get("/").await;
    assert_eq!(count("session.forged").await, 1);

    let lines = anna.get("/audit/lines.jsonl").await.body;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["at"].as_str().unwrap().ends_with('Z'), "{line}");
        assert_eq!(line["peer"].as_str().unwrap().split('.').next(), Some("127"), "{line}");
        let known = line["actor"].as_str().is_some_and(|actor| !actor.is_empty());
        assert!(known || line["action"] == "session.forged", "{line}");
        assert_eq!(line["request_id"].as_str().unwrap().len(), 32, "{line}");
    }
    let change = anna.get("/audit/lines.jsonl?what=user.change").await.body;
    let change: Value = serde_json::from_str(change.trim()).unwrap();
    assert_eq!(
        (&change["before"]["role"], &change["after"]["role"]),
        (&Value::from("reporter"), &Value::from("operator"))
    );
    assert_eq!(change["object"], "ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn r268_a_file_with_a_wrong_digest_is_a_record_too() {
    let (app, source) = (TestApp::start().await, FileServer::start().await);
    let file = source.offer(1, 10_000);
    source.break_file(&file, Fault::WrongByte);
    change_options(&app.db, |options| use_upstream(options, source.port)).await;
    want(&app.db, std::slice::from_ref(&file)).await;
    let client = app.db.client().await;
    let sql = "SELECT actor, object, after FROM audit WHERE action = 'file.refused'";
    until("it is written down", async || !client.query(sql, &[]).await.unwrap().is_empty()).await;
    let row = client.query_one(&format!("{sql} ORDER BY id LIMIT 1"), &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "weir");
    assert_eq!(row.get::<_, &str>(1), file.sha1.to_string());
    let after: Value = row.get(2);
    assert_eq!(after["host"], "127.0.0.1", "{after}");
    assert!(after["problem"].as_str().unwrap().contains("digest is wrong"), "{after}");
}
