//! Weaknesses that a test of the console's security found: one test each.

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;
use weir::accounts::Role;
use weir::approvals::{ALL_COMPUTERS, ApprovalError};

use crate::approvals::updates;
use crate::support::process::Process;
use crate::support::{PASSWORD, Page, TestApp, TestDatabase, Visitor};

/// A form as somebody sends it who chooses its headers.
async fn send(visitor: &Visitor, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
    let mut request =
        visitor.request(Method::POST, path).header("Content-Type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    visitor.send(request.body(body.to_owned())).await
}

const OURS: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

#[tokio::test(flavor = "multi_thread")]
async fn r267_the_token_of_a_link_is_in_no_log_and_no_audit_when_its_use_is_refused() {
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    for (name, role) in [("anna", Role::Administrator), ("ben", Role::Reporter)] {
        weir::accounts::create(&mut *db.conn().await, name, role, PASSWORD).await.unwrap();
    }
    let mut server = Process::start_logged(&db, data.path(), &[("WEIR_LOG", "trace")]);
    server.ready().await;
    let anna = server.visitor();
    assert_eq!(anna.sign_in("anna", PASSWORD).await.status(), 303);
    let made = anna.post("/users", &[("name", "carla"), ("role", "reporter")]).await;
    let link = made.attribute("main a[href^='/set-password/']", "href").unwrap();
    let token = link.trim_start_matches("/set-password/").to_owned();
    let (ben, stranger) = (server.visitor(), server.visitor());
    assert_eq!(ben.sign_in("ben", PASSWORD).await.status(), 303);
    let csrf = ben.get("/profile").await.csrf();
    let spellings = [
        link.clone(),
        format!("//set-password//{token}"),
        format!("/%73et-password/{token}"),
        format!("/SET-PASSWORD/{token}"),
        format!("/set-password/{token}/more"),
    ];
    for path in &spellings {
        let password = "password=a+good+long+password";
        for visitor in [&ben, &stranger] {
            let elsewhere = [("Origin", "https://evil.test")];
            assert_eq!(send(visitor, path, &elsewhere, password).await.status(), 403, "{path}");
            let cross = [("Sec-Fetch-Site", "cross-site")];
            assert_eq!(send(visitor, path, &cross, password).await.status(), 403, "{path}");
        }
        let stale = format!("csrf=AAAA&{password}");
        assert_eq!(send(&ben, path, &[OURS], &stale).await.status(), 403, "{path}");
        let more = format!("csrf={csrf}&{password}&owner=1");
        assert!(matches!(send(&ben, path, &[OURS], &more).await.status(), 404 | 422), "{path}");
        let nul = format!("{password}%00");
        assert!(matches!(send(&stranger, path, &[OURS], &nul).await.status(), 404 | 422), "{path}");
        assert!(matches!(stranger.get(path).await.status(), 200 | 404), "{path}");
    }
    let rows = "SELECT coalesce(string_agg(to_jsonb(a)::text, ' '), ''), count(*) FILTER (WHERE action IN \
                ('request.forged', 'form.refused')), count(*) FILTER (WHERE object = 'POST /set-password/…') FROM audit a";
    let row = db.client().await.query_one(rows, &[]).await.unwrap();
    let (all, refusals, shown): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let log = std::fs::read_to_string(data.path().join("serve.log")).unwrap();
    assert!(refusals > 20 && shown == refusals, "{refusals} {shown}");
    assert!(log.contains("/set-password/…"), "the refusals are in the log");
    for (place, text) in [("audit", all), ("log", log)] {
        assert!(!text.contains(&token), "{place} holds the token");
    }
    assert_eq!(
        stranger.post(&link, &[("password", "a good long password")]).await.location(),
        "/login?set=1"
    );
    let page = stranger.get("/login?set=1").await;
    assert!(page.text("main").contains("Your password is set. Sign in with it."));
    assert!(!stranger.get("/login").await.text("main").contains("Your password is set"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r201_the_number_of_a_refusal_is_in_the_log() {
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    weir::accounts::create(&mut *db.conn().await, "ben", Role::Reporter, PASSWORD).await.unwrap();
    let mut server = Process::start_logged(&db, data.path(), &[("WEIR_LOG", "info")]);
    server.ready().await;
    let ben = server.visitor();
    assert_eq!(ben.sign_in("ben", PASSWORD).await.status(), 303);
    let csrf = ben.get("/profile").await.csrf();
    let mut pages = vec![
        ("not enough rights", ben.get("/users").await),
        ("from elsewhere", send(&ben, "/theme", &[("Origin", "https://evil.test")], "theme=dark").await),
        ("no page sends", send(&ben, "/theme", &[OURS], &format!("csrf={csrf}&owner=1")).await),
    ];
    db.refuse_connections().await;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut page = ben.get("/users").await;
    while page.status() != 503 && std::time::Instant::now() < until {
        page = ben.get("/users").await; // the pool finds out that its connections are gone
    }
    assert_eq!(page.status(), 503);
    pages.push(("session", page));
    db.accept_connections().await;
    let log = std::fs::read_to_string(data.path().join("serve.log")).unwrap();
    for (words, page) in pages {
        let number = page.text("main code");
        let line = log.lines().find(|line| line.contains(&number));
        let line = line.unwrap_or_else(|| panic!("{words}: {number} is not in the log"));
        assert!(line.contains(words) && line.contains("request="), "{line}");
    }
}

/// A server with some updates, an operator, and the id of an update that can be approved.
async fn with_updates() -> (TestApp, Visitor, Uuid) {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    app.fill(60, 1).await;
    let operator = app.sign_in_as("olga", Role::Operator).await;
    let id = updates(&app).await[0].0;
    (app, operator, id)
}

async fn approve(operator: &Visitor, id: Uuid, more: &[(&str, &str)]) -> Page {
    let (id, group) = (id.to_string(), format!("group[{ALL_COMPUTERS}]"));
    let mut fields = vec![("id", id.as_str()), (group.as_str(), "install"), ("licenses", "true")];
    fields.extend_from_slice(more);
    operator.post_from("/updates", "/updates/approve", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_no_server_below_can_read_is_refused_beside_its_field() {
    let (app, operator, id) = with_updates().await;
    for date in ["+262142-12-31", "+99999-01-01", "-0001-01-01", "0001-01-01", "1969-12-30", "3000-01-02"] {
        let by = [("deadline", "by"), ("date", date), ("time", "23:59"), ("reason", "kept as typed")];
        let refused = approve(&operator, id, &by).await;
        assert_eq!(refused.status(), 422, "{date}: {}", refused.body);
        let field = refused.field("date");
        assert_eq!(field.error(), ApprovalError::DeadlineYear.to_string(), "{date}");
        assert!(field.invalid && field.value() == date, "{date}: {field:?}");
        assert_eq!(refused.field("reason").value(), "kept as typed");
        assert_eq!(refused.field("time").value(), "23:59");
    }
    let wrong = approve(&operator, id, &[("deadline", "by"), ("date", "soon"), ("time", "")]).await;
    assert!(wrong.field("date").error().starts_with("Enter the deadline as a date and a time"));
    let client = app.db.client().await;
    let stored = "SELECT count(*) FROM approvals WHERE deadline IS NOT NULL";
    assert_eq!(client.query_one(stored, &[]).await.unwrap().get::<_, i64>(0), 0);
    let good = [("deadline", "by"), ("date", "2999-12-30"), ("time", "12:00")];
    let done = approve(&operator, id, &good).await;
    if done.status() == 422 {
        assert!(done.text("main").contains("may ask the user for input"), "{}", done.text("main"));
    } else {
        assert_eq!(client.query_one(stored, &[]).await.unwrap().get::<_, i64>(0), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_no_calendar_of_ours_has_are_never_a_failure() {
    let (app, _, _) = with_updates().await;
    let admin = app.sign_in_admin().await;
    for day in ["-5000-01-01", "%2B262142-12-31", "-262143-01-01", "0000-01-01", "9999-12-31", "x"] {
        for name in ["since", "until"] {
            for path in ["/audit", "/audit/lines.csv", "/audit/lines.jsonl", "/updates"] {
                let answer = admin.get(&format!("{path}?{name}={day}")).await;
                assert_eq!(answer.status(), 200, "{path}?{name}={day}");
            }
            for path in ["/updates/export/updates.csv", "/updates/export/updates.json"] {
                let answer = admin.get(&format!("{path}?{name}={day}")).await;
                let wanted = if day == "9999-12-31" { 200 } else { 422 };
                assert_eq!(answer.status(), wanted, "{path}?{name}={day}");
            }
        }
        if day != "9999-12-31" {
            let strange = admin.get(&format!("/updates?since={day}")).await;
            assert!(strange.text("#updates").contains("does not exist"), "{day}");
        }
    }
    let strange = admin.get("/updates?run=abc").await;
    assert!(strange.text("#updates").contains("does not exist"), "{}", strange.text("#updates"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_in_any_text_is_refused_by_name_or_left_out() {
    let (app, operator, id) = with_updates().await;
    let admin = app.sign_in_admin().await;
    for path in ["/audit?who=a%00b", "/audit?what=a%00b", "/audit/lines.csv?who=%00", "/updates?q=a%00b"] {
        assert_eq!(admin.get(path).await.status(), 200, "{path}");
    }
    assert_eq!(admin.get("/updates?product=%00&run=%00&since=%00&sort=%00&after=%00").await.status(), 200);
    let one = id.to_string();
    let one = one.as_str();
    let forms = [
        ("/updates/approve", "reason", vec![("id", one), ("reason", "a\0b")]),
        ("/updates/decline", "reason", vec![("id", one), ("reason", "a\0b")]),
        ("/updates/views", "name", vec![("name", "a\0b"), ("query", "")]),
        ("/updates/views/remove", "name", vec![("name", "a\0b"), ("query", "")]),
        ("/users", "name", vec![("name", "a\0b"), ("role", "reporter")]),
        ("/options/synchronization", "source.server", vec![("version", "1"), ("source.server", "wsus\0")]),
        ("/options/synchronization/test/source", "source.server", vec![("source.server", "wsus\0")]),
        ("/options/synchronization/test/proxy", "proxy.user", vec![("proxy.user", "a\0b")]),
    ];
    for (path, name, fields) in forms {
        let refused = admin.post_from("/profile", path, &fields).await;
        assert_eq!(refused.status(), 422, "{path}: {}", refused.body);
        let sentence =
            format!("The field {name} has a character that cannot be used (NUL). Nothing was changed.");
        assert!(refused.text("main").contains(&sentence), "{path}: {}", refused.text("main"));
    }
    for path in ["/login", "/set-password/none", "/setup"] {
        let refused = app.visitor().post_raw(path, &[("name", "a\0b"), ("password", "\0")]).await;
        assert_eq!(refused.status(), 422, "{path}");
    }
    assert_eq!(operator.get("/updates").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_that_no_redirect_can_name_leads_to_the_list() {
    let (app, operator, id) = with_updates().await;
    let one = id.to_string();
    let one = one.as_str();
    for back in ["/updates?q=\"x", "/updates?q=<x>", "/updates?q=x#y", "/updates?q={}|^`\\"] {
        for (path, word) in [("decline", "declined"), ("restore", "restored"), ("undo", "undone")] {
            let mut fields = vec![("back", back)];
            if path != "undo" {
                fields.insert(0, ("id", one));
            }
            let done = operator.post_from("/updates", &format!("/updates/{path}"), &fields).await;
            assert_eq!(done.status(), 303, "{path} {back}: {}", done.body);
            assert!(done.location().contains(&format!("done={word}-1")), "{}", done.location());
            assert!(done.location().starts_with("/updates"), "{}", done.location());
        }
        let done = approve(&operator, id, &[("back", back)]).await;
        assert_eq!(done.status(), 303, "{back}: {}", done.body);
        let query = back.split_once('?').unwrap().1;
        for path in ["/updates/views", "/updates/views/remove"] {
            let done = operator.post_from("/updates", path, &[("name", "mine"), ("query", query)]).await;
            assert_eq!(done.status(), 303, "{path} {back}: {}", done.body);
        }
        let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        for path in ["approve", "decline"] {
            let without_id = operator.get(&format!("/updates/{path}?back={back}")).await;
            assert_eq!(without_id.status(), 303, "{path} {back}");
        }
    }
    drop(app);
}

/// Kilobytes of a process that are in memory.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_sign_ins_leave_no_more_memory_than_two_hashes_need() {
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let names: Vec<String> = (0..31).map(|nth| format!("person{nth}")).collect();
    for name in &names {
        weir::accounts::create(&mut *db.conn().await, name, Role::Reporter, PASSWORD).await.unwrap();
    }
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    assert_eq!(server.visitor().sign_in(&names[30], PASSWORD).await.status(), 303);
    let before = resident(server.id());
    // from many addresses, since those of one take turns
    let origin = format!("http://127.0.0.1:{}", server.console);
    let people: Vec<Visitor> = (10..40)
        .map(|last| Visitor::from_address(&origin, Some(std::net::Ipv4Addr::new(127, 0, 0, last).into())))
        .collect();
    let all = people.iter().zip(&names).map(|(one, name)| one.sign_in(name, PASSWORD));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.status(), 303);
    }
    let after = resident(server.id());
    println!("{before} kB before, {after} kB after thirty sign-ins");
    assert!(after < before + 48 * 1024, "{before} kB became {after} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_refusals_say_what_happened_and_what_to_do() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    let admin = app.sign_in_admin().await;
    let dead = app.visitor().get("/set-password/ffff").await;
    assert_eq!(dead.text("h1"), "This link no longer works");
    assert_eq!(dead.attribute("main a.button", "href").as_deref(), Some("/login"));
    let forged = send(&admin, "/theme", &[("Origin", "https://evil.test")], "theme=dark").await;
    assert_eq!((forged.status(), forged.text("h1")), (403, "Nothing was changed".to_owned()));
    assert_eq!(forged.attribute("main a.button", "href").as_deref(), Some("/"));
    let wrong = admin.post("/users", &[("name", "ben"), ("role", "king")]).await;
    assert!(wrong.field("role").error().starts_with("The role is one of"), "{}", wrong.text("main"));
    assert_eq!(wrong.field("name").error(), "");
    let huge = admin
        .request(Method::POST, "/users")
        .header("Accept", "text/html")
        .header("Sec-Fetch-Site", "same-origin")
        .body(format!("name={}", "x".repeat(8 << 20)));
    let huge = admin.send(huge).await;
    assert_eq!((huge.status(), huge.text("h1")), (413, "Too large".to_owned()));
    assert!(huge.text("main").contains("Nothing was changed.") && huge.has("main a[href='/']"));
    let client = app.db.client().await;
    client.batch_execute("ALTER TABLE api_tokens RENAME TO away").await.unwrap();
    let failed = admin.get("/profile").await;
    let token = send_api(&app).await;
    client.batch_execute("ALTER TABLE away RENAME TO api_tokens").await.unwrap();
    let words = failed.text("main");
    assert_eq!(failed.status(), 500);
    assert!(words.contains("Look whether it was done, then try again."), "{words}");
    assert_eq!(words.matches(&failed.text("main code")).count(), 1, "the number stands once: {words}");
    assert!(token["reference"].as_str().is_some_and(|number| number.len() == 36), "{token}");
}

/// What a program reads when it asks with some token.
async fn send_api(app: &TestApp) -> Value {
    let visitor = app.visitor();
    let token = format!("Bearer weir_{}", "a".repeat(64));
    let asked = visitor.request(Method::GET, "/api/v1/status").header("Authorization", token);
    serde_json::from_str(&visitor.send(asked).await.body).unwrap()
}
