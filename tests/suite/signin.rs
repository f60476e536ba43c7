//! Signing in and out, and the requests that other sites make a browser send.

use crate::support::{Page, TestApp, Visitor};
use diesel_async::RunQueryDsl;
use reqwest::Method;
use weir::accounts::{self, Role};

pub const PASSWORD: &str = "correct horse battery";

async fn with_people() -> TestApp {
    let app = TestApp::start().await;
    let mut conn = app.db.conn().await;
    accounts::create(&mut conn, "Anna", Role::Administrator, PASSWORD).await.unwrap();
    accounts::create(&mut conn, "olaf", Role::Operator, PASSWORD).await.unwrap();
    drop(conn);
    app
}

async fn signed_in(app: &TestApp) -> Visitor {
    let visitor = app.visitor();
    let answer = visitor.sign_in("anna", PASSWORD).await;
    assert_eq!((answer.status(), answer.location()), (303, "/"), "{}", answer.body);
    visitor
}

fn shape(page: &Page) -> (u16, String, String) {
    (page.status(), page.text("[role=alert]"), page.header("set-cookie").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn r167_wrong_password_unknown_and_disabled_users_get_one_answer() {
    let app = with_people().await;
    let sql = "UPDATE accounts SET disabled = true WHERE name = 'olaf'";
    diesel::sql_query(sql).execute(&mut app.db.conn().await).await.unwrap();
    let visitor = app.visitor();
    let wrong = shape(&visitor.sign_in("anna", "wrong horse battery").await);
    assert_eq!(wrong, (422, "The user name or the password is not right.".to_owned(), String::new()));
    for (name, password) in [
        ("nobody", PASSWORD),
        ("olaf", PASSWORD),
        ("anna", "short"),
        ("", ""),
        ("anna", &"x".repeat(1 << 20)),
    ] {
        assert_eq!(shape(&visitor.sign_in(name, password).await), wrong, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_folded_and_typed_ones_stay_in_the_form() {
    let app = with_people().await;
    let page = app.visitor().sign_in("  ANNA ", "not the password").await;
    assert_eq!(page.field("name").value(), "  ANNA ");
    assert_eq!(page.field("password").value(), "");
    assert_eq!(app.visitor().sign_in("  ANNA ", PASSWORD).await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn r164_many_wrong_passwords_bring_a_pause() {
    let app = with_people().await;
    let visitor = app.visitor();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(visitor.sign_in("anna", "wrong horse battery").await.status());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(statuses[..4].iter().all(|status| *status == 422), "{statuses:?}");
    let page = visitor.sign_in("anna", PASSWORD).await;
    if page.status() == 429 {
        let seconds: u64 = page.header("retry-after").parse().unwrap();
        assert!(seconds <= 31);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r191_sign_in_leads_back_only_to_local_pages() {
    let app = with_people().await;
    let stranger = app.visitor().get("/options?q=KB5").await;
    assert_eq!((stranger.status(), stranger.location()), (303, "/login?next=%2Foptions%3Fq%3DKB5"));
    let fragment = app.visitor().get_fragment("/").await;
    assert_eq!((fragment.status(), fragment.header("hx-redirect")), (401, "/login?next=%2F"));
    for (next, to) in [
        ("/synchronize", "/synchronize"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/%2f%2fevil", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
    ] {
        let fields = [("name", "anna"), ("password", PASSWORD), ("next", next)];
        let answer = app.visitor().post_raw("/login", &fields).await;
        assert_eq!((answer.status(), answer.location()), (303, to), "{next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r170_the_session_is_new_at_sign_in_and_worthless_after_sign_out() {
    let app = with_people().await;
    let visitor = app.visitor();
    let planted = "ab".repeat(32);
    visitor.set_cookie("weir", &planted);
    let answer = visitor.sign_in("anna", PASSWORD).await;
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Secure"), "{cookie}");
    let token = visitor.cookie("weir").unwrap();
    assert_ne!(token, planted);
    assert_eq!(token.len(), 64);

    let home = visitor.get("/").await;
    assert_eq!((home.status(), home.header("cache-control")), (200, "no-store"));
    let out = visitor.post_from("/", "/logout", &[]).await;
    assert_eq!((out.status(), out.location()), (303, "/login"));
    assert_eq!(visitor.cookie("weir"), None);
    visitor.set_cookie("weir", &token);
    assert_eq!(visitor.get("/").await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn r171_sessions_end_at_sign_out_when_idle_when_old_and_with_their_account() {
    for sql in [
        "UPDATE sessions SET last_used_at = now() - interval '8 hours 1 minute'",
        "UPDATE sessions SET created_at = now() - interval '24 hours 1 minute'",
        "UPDATE accounts SET disabled = true",
        "DELETE FROM accounts",
        "", // signs out
    ] {
        let app = with_people().await;
        let visitor = signed_in(&app).await;
        assert_eq!(visitor.get("/").await.status(), 200);
        let token = visitor.cookie("weir").unwrap();
        if sql.is_empty() {
            visitor.post_from("/", "/logout", &[]).await;
            visitor.set_cookie("weir", &token);
        } else {
            diesel::sql_query(sql).execute(&mut app.db.conn().await).await.unwrap();
        }
        assert_eq!(visitor.get("/").await.status(), 303, "{sql}");
        assert_eq!(
            visitor.post_raw("/synchronize", &[("csrf", "x")]).await.location(),
            "/login?next=%2Fsynchronize&ended=1",
            "{sql}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r178_broken_cookies_count_as_signed_out() {
    let app = with_people().await;
    let visitor = signed_in(&app).await;
    let token = visitor.cookie("weir").unwrap();
    for value in ["", "x", &token[1..], &"a".repeat(8_192), &token.replace(|_| true, "g"), "%00%ff"] {
        let other = app.visitor();
        other.set_cookie("weir", value);
        assert_eq!(other.get("/").await.status(), 303, "{} bytes", value.len());
    }
    let twice = format!("weir={token}; weir={token}");
    let request = app.visitor().request(Method::GET, "/").header("Cookie", twice);
    assert_eq!(visitor.send(request).await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn r186_requests_from_elsewhere_or_without_the_token_change_nothing() {
    let app = with_people().await;
    let visitor = signed_in(&app).await;
    let token = visitor.get("/").await.csrf();
    let stranger = signed_in(&app).await.get("/").await.csrf();
    let form = |token: &str| format!("csrf={token}");
    let post = |body: String| {
        visitor
            .request(Method::POST, "/logout")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let own = |body: String| post(body).header("Sec-Fetch-Site", "same-origin");
    let refused = [
        own(String::new()),
        own(form("")),
        own(form("AAAA")),
        own(form(&stranger)),
        own(format!("x=1&csrf={token}")),
        own(form(&token)).header("X-CSRF-Token", "AAAA"),
        post(form(&token)),
        post(form(&token)).header("Origin", "null"),
        post(form(&token)).header("Origin", "http://evil.example"),
        post(form(&token)).header("Sec-Fetch-Site", "cross-site"),
        post(form(&token)).header("Sec-Fetch-Site", "same-site"),
    ];
    for (number, request) in refused.into_iter().enumerate() {
        let answer = visitor.send(request).await;
        assert_eq!(answer.status(), 403, "request {number}");
        assert_eq!(visitor.get("/").await.status(), 200, "request {number} signed nobody out");
    }
    let origin = app.console_url("");
    let answer = visitor.send(post(form(&token)).header("Origin", origin)).await;
    assert_eq!(answer.status(), 303, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn r186_htmx_sends_the_token_as_a_header() {
    let app = with_people().await;
    let visitor = signed_in(&app).await;
    let token = visitor.get("/").await.csrf();
    let request = visitor
        .request(Method::POST, "/logout")
        .header("Sec-Fetch-Site", "same-origin")
        .header("X-CSRF-Token", token);
    assert_eq!(visitor.send(request).await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn r181_a_lowered_role_holds_from_the_next_request() {
    let app = with_people().await;
    let visitor = signed_in(&app).await;
    assert!(visitor.get("/").await.text("details.account summary").contains("Administrator"));
    let sql = "UPDATE accounts SET role = 'reporter'";
    diesel::sql_query(sql).execute(&mut app.db.conn().await).await.unwrap();
    assert!(visitor.get("/").await.text("details.account summary").contains("Reporter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r180_without_an_account_only_setup_works_and_then_it_is_gone() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    assert_eq!(visitor.get("/").await.location(), "/login?next=%2F");
    assert_eq!(visitor.get("/login").await.location(), "/setup");
    let page = visitor.get("/setup").await;
    assert_eq!(page.text("h1"), "Set up Weir");
    let fields = [("code", "aaaaa-aaaaa-aaaaa-aaaaa"), ("name", "eve"), ("password", PASSWORD)];
    let refused = visitor.post("/setup", &fields).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.field("code").error().starts_with("The code is not right."));
    assert_eq!(refused.field("name").value(), "eve");

    let mut conn = app.db.conn().await;
    accounts::create(&mut conn, "anna", Role::Administrator, PASSWORD).await.unwrap();
    assert_eq!(visitor.get("/setup").await.location(), "/login");
    assert_eq!(visitor.post_raw("/setup", &fields).await.location(), "/login");
}

#[tokio::test(flavor = "multi_thread")]
async fn r194_errors_and_files_carry_the_headers_too() {
    let app = with_people().await;
    let visitor = signed_in(&app).await;
    let css = visitor.get("/").await.attribute("link[rel=stylesheet]", "href").unwrap();
    for path in
        ["/", "/login", "/nowhere", css.as_str(), "/assets/0/weir.css", "/assets/0/..%2f..%2fCargo.toml"]
    {
        let answer = visitor.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("server"), "", "{path}");
    }
    let answer = visitor.get(&css).await;
    assert!(answer.header("cache-control").contains("immutable"));
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    let missing = visitor.get("/nowhere").await;
    assert_eq!((missing.status(), missing.text("h1")), (404, "Not found".to_owned()));
    assert!(missing.has("nav a[href='/updates']"), "in the frame");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_are_in_the_audit_log() {
    use diesel::QueryableByName;
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text)]
        line: String,
    }
    let app = with_people().await;
    app.visitor().sign_in("anna", "wrong horse battery").await;
    signed_in(&app).await;
    let sql = "SELECT action || ' ' || actor || ' ' || peer AS line FROM audit ORDER BY id";
    let lines: Vec<Line> = diesel::sql_query(sql).load(&mut app.db.conn().await).await.unwrap();
    let lines: Vec<&str> = lines.iter().map(|line| line.line.as_str()).collect();
    assert_eq!(lines, ["sign-in.failed anna 127.0.0.1", "sign-in Anna 127.0.0.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r179_the_code_of_the_log_makes_one_administrator_and_no_second() {
    use weir::accounts::AccountError;
    use weir::accounts::setup::{FirstAccount, SetupCode, complete};
    let db = crate::support::TestDatabase::create().await;
    let code = SetupCode::prepare(&mut *db.conn().await).await.unwrap();
    let text = code.reveal().unwrap().to_owned();
    let gate = weir::accounts::throttle::Gate::default();
    let form = |code, name| FirstAccount { code, name, password: PASSWORD, peer: None, request_id: "" };
    let wrong = complete(db.pool(), &gate, &code, form("", "anna")).await;
    assert!(matches!(wrong, Err(AccountError::SetupCode)));
    let account = complete(db.pool(), &gate, &code, form(&text, "anna")).await.unwrap();
    assert_eq!(account.role, Role::Administrator);
    let again = complete(db.pool(), &gate, &code, form(&text, "eve")).await;
    assert!(matches!(again, Err(AccountError::AlreadySetUp)));
    assert!(SetupCode::prepare(&mut *db.conn().await).await.unwrap().reveal().is_none());
}
