//! Faults of pages and forms: stored scripts, error pages, fields that are no fields, forms sent twice, secrets.

use std::time::Duration;

use reqwest::Method;
use weir::accounts::Role;
use weir::settings;

use crate::routes::RULES;
use crate::support::options::change_options;
use crate::support::{PASSWORD, Page, TestApp, Visitor};

/// Breaks out of text, attribute, script and style wherever it is not escaped.
pub(crate) const EVIL: &str = "=1\"'><img src=x onerror=alert(1)><script>alert(1)</script>{{7*7}}";
const OPTIONS: &str = "/options/synchronization";

/// Whether a page has an element that only a script of [`EVIL`] could have made.
fn is_clean(page: &Page, what: &str) {
    for sign in ["img[src=x]", "[onerror]", "script:not([src])", "[href^='javascript:']"] {
        assert!(!page.has(sign), "{what} has {sign}");
    }
    assert!(!page.body.contains("<script>alert"), "{what}");
}

/// Puts [`EVIL`] wherever a person, an upstream or a downstream server may have put it; the answer is a run.
pub(crate) async fn poison(app: &TestApp, admin: &Visitor) -> i64 {
    // people: names in the audit log, a browser that calls itself so, tokens and views
    let person: String = EVIL.chars().take(64).collect();
    assert_eq!(admin.post("/users", &[("name", person.as_str()), ("role", "reporter")]).await.status(), 200);
    app.visitor().sign_in(&person, "a wrong long password").await;
    let browser = app.visitor();
    let body = format!("name=anna&password={}", PASSWORD.replace(' ', "+"));
    let login = browser
        .request(Method::POST, "/login")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Sec-Fetch-Site", "same-origin")
        .header("User-Agent", EVIL)
        .body(body);
    assert_eq!(browser.send(login).await.status(), 303);
    let short: String = EVIL.chars().take(60).collect();
    let token = [("name", short.as_str()), ("role", "reporter"), ("days", "30")];
    assert_eq!(admin.post_from("/profile", "/profile/tokens", &token).await.status(), 200);
    let view = [("name", short.as_str()), ("query", "q=x")];
    assert_eq!(admin.post_from("/updates", "/updates/views", &view).await.status(), 303);
    // what an upstream and a downstream server may have said
    let client = app.db.client().await;
    let error = serde_json::json!({ "code": EVIL, "message": EVIL, "hop": EVIL, "advice": EVIL });
    let run = "INSERT INTO sync_runs (trigger, started_by, state, started_at, finished_at, source_name, error, notices) \
               VALUES ('manual', $1, 'failed', now(), now(), $1, $2, jsonb_build_array($1::text)) RETURNING id";
    let run: i64 = client.query_one(run, &[&EVIL, &error]).await.unwrap().get(0);
    client
        .execute("INSERT INTO run_log (run_id, level, message) VALUES ($1, 'warn', $2)", &[&run, &EVIL])
        .await
        .unwrap();
    for (action, object) in [("=cmd|' /c calc'!A1", EVIL), ("+1", "-1"), ("@sum", "\tx")] {
        let sql = "INSERT INTO audit (actor, action, object, after) VALUES ($1, $2, $3, jsonb_build_object('x', $1::text))";
        client.execute(sql, &[&EVIL, &action, &object]).await.unwrap();
    }
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn r196_a_stored_script_is_text_on_every_page_and_in_every_file() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let run = poison(&app, &admin).await;
    let client = app.db.client().await;
    let mut pages = 0;
    let own: i64 = client.query_one("SELECT max(id) FROM accounts", &[]).await.unwrap().get(0);
    let mut paths: Vec<String> = RULES
        .iter()
        .filter(|(method, ..)| *method == "GET")
        .map(|(_, _, path, _)| (*path).to_owned())
        .collect();
    paths.extend([
        format!("/users/{own}"),
        format!("/synchronizations/{run}"),
        format!("/synchronizations/{run}/report"),
    ]);
    let query: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
    for path in ["/updates?q=", "/audit?who=", "/reports/differences?since=", "/login?next=/", "/nowhere?x="]
    {
        paths.push(format!("{path}{query}"));
    }
    paths.push(format!("/{query}"));
    for path in paths {
        let answer = admin.get(&path).await;
        if answer.header("content-type").starts_with("text/html") {
            is_clean(&answer, &path);
            pages += 1;
        } else if answer.header("content-type").starts_with("text/csv") {
            for cell in answer.body.lines().flat_map(|line| line.split("\",\"")) {
                let first = cell.trim_start_matches('"').chars().next();
                assert!(!matches!(first, Some('=' | '+' | '@' | '\t')), "{path}: {cell}");
            }
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    assert!(pages > 20, "{pages}");
    assert!(admin.get("/audit").await.text("main").contains("<script>alert(1)</script>"), "shown as text");
    let form = [("name", EVIL), ("password", "x"), ("next", EVIL)];
    is_clean(&app.visitor().post_raw("/login", &form).await, "the sign-in page");
}

#[tokio::test(flavor = "multi_thread")]
async fn r191_no_form_of_next_leads_away() {
    let app = TestApp::start().await;
    app.account("anna", Role::Reporter).await;
    for next in [
        "//evil.example",
        "///evil.example",
        "https://evil.example",
        "HTTPS:evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        "%2f%2fevil.example",
        "/%2fevil.example",
        "/%5cevil.example",
        "/%09/evil.example",
        "/a%0d%0aLocation:%20//evil.example",
        "/a\r\nLocation: //evil.example",
        " //evil.example",
        "data:text/html,x",
        "@evil.example",
        "/\u{2028}/evil",
    ] {
        let answer = app
            .visitor()
            .post_raw("/login", &[("name", "anna"), ("password", PASSWORD), ("next", next)])
            .await;
        assert_eq!((answer.status(), answer.location()), (303, "/"), "{next:?}");
        let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = app.visitor().get(&format!("/login?next={encoded}")).await;
        assert_eq!(page.field("next").value(), "/", "{next:?}");
    }
}

/// What no page may tell about the inside.
fn says_nothing_of_the_inside(page: &Page, what: &str) {
    let text = page.text("body");
    for word in [
        "SELECT",
        "diesel",
        "panicked",
        "src/",
        ".rs:",
        "relation \"",
        "Rocket",
        "postgres://",
        "backtrace",
        "/tmp/",
    ] {
        assert!(!text.contains(word), "{what}: {word} in {text}");
    }
    assert!(!page.body.contains(env!("CARGO_PKG_VERSION")), "{what} names the version");
    assert_eq!((page.header("server"), page.header("x-powered-by")), ("", ""), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r201_every_error_page_is_for_people_with_a_number_and_nothing_of_the_inside() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let reporter = app.sign_in_as("ben", Role::Reporter).await;
    let token = admin.get("/").await.csrf();
    let form = |visitor: &Visitor, path: &str, body: String| {
        visitor
            .request(Method::POST, path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Sec-Fetch-Site", "same-origin")
            .header("X-CSRF-Token", &token)
            .body(body)
    };
    let mut seen = Vec::new();
    let mut check = |expected: &[u16], page: Page, what: &str| {
        assert!(expected.contains(&page.status()), "{what}: {} {}", page.status(), page.body);
        assert!(page.text("h1").len() > 5, "{what}");
        says_nothing_of_the_inside(&page, what);
        let words = page.text("main");
        let number = words.split_whitespace().any(|word| {
            let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
        });
        assert!(number, "{what}: no number to quote in {words}");
        seen.push(page.status());
    };
    check(&[403], reporter.get("/users").await, "403");
    check(&[404], admin.get("/nowhere").await, "404");
    check(&[404], admin.get("/updates/not-a-guid").await, "404 for an update");
    let put = admin.request(Method::DELETE, "/users").header("Sec-Fetch-Site", "same-origin");
    let refused = admin.send(put.header("X-CSRF-Token", &token)).await;
    assert_eq!(refused.header("allow"), "GET, HEAD, POST");
    check(&[405], refused, "405");
    // Refused before anything of the page is asked, so there is only the sentence and the number.
    let huge = admin.send(form(&admin, "/users", format!("name={}", "x".repeat(8 << 20)))).await;
    let broken = admin.send(admin.request(Method::GET, "/").header("Host", "a b")).await;
    for (page, status, sentence) in [
        (huge, 413, "The request is larger than this address takes."),
        (broken, 400, "The request must name one host."),
    ] {
        let rest = page.body.strip_prefix(sentence).expect(sentence);
        let number = rest.split_whitespace().nth(1).unwrap();
        assert_eq!((page.status(), number.len()), (status, 32), "{}", page.body);
        assert_eq!(page.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(page.header("server"), "");
    }
    check(&[422], admin.send(form(&admin, "/profile/password", "nothing=here".to_owned())).await, "422");
    let strangers = app.visitor_from(55);
    for _ in 0..30 {
        let link = "/set-password/00";
        let answer = strangers.post_raw(link, &[("password", "a good long password")]).await;
        if answer.status() == 429 {
            assert!(!answer.header("retry-after").is_empty());
            check(&[429], answer, "429");
            break;
        }
    }
    let client = app.db.client().await;
    client.batch_execute("ALTER TABLE api_tokens RENAME TO away").await.unwrap();
    check(&[500], admin.get("/profile").await, "500");
    client.batch_execute("ALTER TABLE away RENAME TO api_tokens").await.unwrap();
    drop(client);
    app.db.refuse_connections().await;
    let mut page = admin.get("/users").await;
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while page.status() != 503 && std::time::Instant::now() < until {
        page = admin.get("/users").await; // the pool finds out that its connections are gone
    }
    check(&[503], page, "503");
    app.db.accept_connections().await;
    for status in [403, 404, 405, 422, 429, 500, 503] {
        assert!(seen.contains(&status), "{status} was not seen: {seen:?}");
    }
}

/// Every field of the options page that holds text, with values that make all of them count.
const TEXTS: [(&str, &str); 13] = [
    ("schedule.mode", "daily"),
    ("schedule.time", "03:00"),
    ("schedule.per_day", "1"),
    ("schedule.time_zone", "UTC"),
    ("source.kind", "upstream"),
    ("source.server", "wsus.example"),
    ("source.port", "8530"),
    ("proxy.enabled", "true"),
    ("proxy.server", "proxy.example"),
    ("proxy.port", "3128"),
    ("proxy.credentials", "true"),
    ("proxy.user", "svc"),
    ("proxy.password", "hunter2 hunter2"),
];

#[tokio::test(flavor = "multi_thread")]
async fn r204_every_field_of_the_options_in_every_wrong_shape_saves_nothing_and_keeps_the_rest() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let base = [
        ("version", "1"),
        ("draft", ""),
        ("proxy.domain", ""),
        ("source.content_port", ""),
        ("source.ca", ""),
    ];
    let long = "x".repeat(100_000);
    for (name, _) in TEXTS {
        let may_be_empty = name == "proxy.password" || name == "proxy.enabled" || name == "proxy.credentials";
        for (shape, value) in
            [("empty", ""), ("twice", ""), ("over-long", long.as_str()), ("wrong", "\u{1}?"), ("array", "")]
        {
            if shape == "empty" && may_be_empty {
                continue;
            }
            if shape == "wrong" && name == "proxy.password" {
                continue; // a password may be anything
            }
            let mut fields: Vec<(String, String)> = base
                .iter()
                .chain(TEXTS.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let field = fields.iter_mut().find(|(known, _)| known == name).unwrap();
            match shape {
                "twice" => {
                    let again = field.clone();
                    fields.push(again);
                }
                "array" => field.0 = format!("{name}[0]"),
                _ => value.clone_into(&mut field.1),
            }
            let sent: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let refused = admin.post(OPTIONS, &sent).await;
            assert!(matches!(refused.status(), 422 | 413), "{name} {shape}: {}", refused.status());
            let options = settings::load(&mut *app.db.conn().await).await.unwrap();
            assert_eq!(options.version, 1, "{name} {shape} was saved");
            if refused.status() == 422 && matches!(shape, "empty" | "wrong") {
                assert!(refused.has("[aria-invalid=true]") || refused.has("[role=alert]"), "{name} {shape}");
                let other = if name == "source.server" { "proxy.server" } else { "source.server" };
                if name != "source.kind" {
                    let kept = TEXTS.iter().find(|(known, _)| *known == other).unwrap().1;
                    assert_eq!(refused.field(other).value(), kept, "{name} {shape}");
                }
                assert_eq!(refused.field("proxy.password").value(), "", "a secret is not sent back");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r205_fields_that_do_not_belong_to_a_form_are_never_applied() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Administrator).await;
    let ben = app.sign_in_as("ben", Role::Reporter).await;
    let more = [
        ("role", "administrator"),
        ("id", "1"),
        ("account_id", "1"),
        ("owner", "anna"),
        ("disabled", "true"),
    ];
    let with = |own: &[(&'static str, &'static str)]| [own, &more].concat();
    let refused = async |who: &Visitor, from: &str, to: &str, form: &[(&str, &str)], named: &str| {
        let answer = who.post_from(from, to, form).await;
        assert_eq!(answer.status(), 422, "{to}");
        assert!(answer.text("main").contains(&format!("no field named {named}.")), "{to}: {}", answer.body);
    };
    let form = with(&[("current", PASSWORD), ("new", "another long secret")]);
    refused(&ben, "/profile", "/profile/password", &form, "role").await;
    refused(&ben, "/profile", "/profile/display", &with(&[("theme", "dark"), ("zone", "")]), "owner").await;
    refused(&ben, "/updates", "/updates/views", &with(&[("name", "x"), ("query", "q=1")]), "id").await;
    let fine = [("theme", "dark"), ("zone", "")];
    assert_eq!(ben.post_from("/profile", "/profile/display", &fine).await.status(), 303);
    // an administrator's forms too do only what they show: a token belongs to its maker, a link to its person
    let odd = [("name", "t"), ("role", "reporter"), ("days", "30"), ("account_id", "2"), ("hash", "00")];
    refused(&anna, "/profile", "/profile/tokens", &odd, "account_id").await;
    let odd = [("role", "reporter"), ("name", "root"), ("password_hash", "x"), ("failed", "0")];
    refused(&anna, "/users/2", "/users/2", &odd, "password_hash").await;
    let odd =
        [("name", "Pilots"), ("parent", ""), ("id", "a0a08746-4dbe-4a37-9adf-9e7652c0b421"), ("kind", "x")];
    refused(&anna, "/options/groups", "/options/groups", &odd, "id").await;
    let sql = "SELECT NOT EXISTS (SELECT FROM api_tokens) AND EXISTS (SELECT FROM target_groups
        WHERE name = 'All Computers') AND NOT EXISTS (SELECT FROM accounts WHERE password_hash = 'x')";
    assert!(app.db.client().await.query_one(sql, &[]).await.unwrap().get::<_, bool>(0));
    let sql = "SELECT name, role, disabled, theme FROM accounts ORDER BY id";
    let rows = app.db.client().await.query(sql, &[]).await.unwrap();
    let rows: Vec<(String, String, bool, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    assert_eq!(rows[0], ("anna".to_owned(), "administrator".to_owned(), false, None));
    assert_eq!(rows[1], ("ben".to_owned(), "reporter".to_owned(), false, Some("dark".to_owned())));
    assert_eq!(anna.get("/").await.status(), 200);
    assert_eq!(app.visitor().sign_in("anna", PASSWORD).await.status(), 303);
    assert_eq!(app.visitor().sign_in("ben", PASSWORD).await.status(), 303, "no password changed");
    let views = "SELECT count(*) FROM saved_views";
    assert_eq!(app.db.client().await.query_one(views, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r214_a_form_sent_twice_has_one_effect() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let token = admin.get("/users").await.csrf();
    let add = [("csrf", token.as_str()), ("name", "ben"), ("role", "reporter")];
    let (one, two) = tokio::join!(admin.post_raw("/users", &add), admin.post_raw("/users", &add));
    let mut statuses = [one.status(), two.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422], "the second is told that there is such a user");
    let make = [("csrf", token.as_str()), ("name", "monitoring"), ("role", "reporter"), ("days", "30")];
    let (one, two) =
        tokio::join!(admin.post_raw("/profile/tokens", &make), admin.post_raw("/profile/tokens", &make));
    let mut statuses = [one.status(), two.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    let group = [("csrf", token.as_str()), ("name", "Pilots"), ("parent", "")];
    let first = admin.post_raw("/options/groups", &group).await;
    let again = admin.post_raw("/options/groups", &group).await;
    assert!(first.status() == 303 || first.status() == 200, "{}", first.body);
    assert!(matches!(again.status(), 409 | 422), "{}", again.status());
    for (table, expected) in [("accounts", 2), ("api_tokens", 1)] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(
            app.db.client().await.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0),
            expected,
            "{table}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r216_parts_that_contradict_each_other_are_refused_together() {
    fn with<'f>(base: &[(&'f str, &'f str)], changes: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
        let mut fields = base.to_vec();
        for change in changes {
            fields.retain(|(known, _)| *known != change.0);
            fields.push(*change);
        }
        fields
    }
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let base: Vec<(&str, &str)> = [
        ("version", "1"),
        ("draft", ""),
        ("proxy.domain", ""),
        ("source.content_port", ""),
        ("source.ca", ""),
    ]
    .into_iter()
    .chain(TEXTS)
    .collect();
    for (what, changes, field) in [
        ("a proxy server without a name", vec![("proxy.server", "")], "proxy.server"),
        ("credentials without a user", vec![("proxy.user", "")], "proxy.user"),
        ("an upstream server without a name", vec![("source.server", "")], "source.server"),
        (
            "a replica of Microsoft Update",
            vec![("replica", "true"), ("source.kind", "microsoft-update")],
            "source.kind",
        ),
    ] {
        let refused = admin.post(OPTIONS, &with(&base, &changes)).await;
        assert_eq!(refused.status(), 422, "{what}");
        assert!(!refused.field(field).error().is_empty() || refused.has("[data-error-summary]"), "{what}");
        let options = settings::load(&mut *app.db.conn().await).await.unwrap();
        assert_eq!((options.version, options.proxy.enabled), (1, false), "{what}");
    }
    // a replica has what its upstream server decided
    change_options(&app.db, |options| {
        options.source.kind = settings::SourceKind::Upstream;
        options.source.server = "wsus.example".to_owned();
        options.replica = true;
    })
    .await;
    let version = settings::load(&mut *app.db.conn().await).await.unwrap().version;
    let shown = version.to_string();
    let kept = [("version", shown.as_str()), ("replica", "true")];
    let own = with(&with(&base, &kept), &[("files.store", "source")]);
    let refused = admin.post(OPTIONS, &own).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.has("[data-error-summary]"));
    assert_eq!(settings::load(&mut *app.db.conn().await).await.unwrap().version, version);
    // SSL and the port of plain HTTP: told at both fields; whoever says where the files are means it
    for (port, ssl) in [("8530", "true"), ("80", "true"), ("8531", "false"), ("443", "false")] {
        let odd = with(&with(&base, &kept), &[("source.ssl", ssl), ("source.port", port)]);
        let refused = admin.post(OPTIONS, &odd).await;
        assert_eq!(refused.status(), 422, "{port} {ssl}");
        assert!(
            refused.field("source.port").error().contains(port),
            "{}",
            refused.field("source.port").error()
        );
        assert!(
            refused.field("source.ssl").error().contains(port),
            "{}",
            refused.field("source.ssl").error()
        );
        assert_eq!(settings::load(&mut *app.db.conn().await).await.unwrap().version, version);
    }
    let meant = [("source.ssl", "true"), ("source.port", "8530"), ("source.content_port", "8530")];
    assert_eq!(admin.post(OPTIONS, &with(&with(&base, &kept), &meant)).await.status(), 303);
    assert!(admin.get(OPTIONS).await.has("p[data-port-hint=plain]:not([hidden])"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r217_a_stored_password_never_comes_back_stays_when_left_alone_and_goes_only_when_told() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let fields = |version: &'static str, changes: &[(&'static str, &'static str)]| {
        let mut fields: Vec<(&str, &str)> = [
            ("version", version),
            ("draft", ""),
            ("proxy.domain", ""),
            ("source.content_port", ""),
            ("source.ca", ""),
        ]
        .into_iter()
        .chain(TEXTS)
        .collect();
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        fields
    };
    let password = async || settings::load(&mut *app.db.conn().await).await.unwrap().proxy.password;
    let saved = admin.post(OPTIONS, &fields("1", &[])).await;
    assert_eq!(saved.status(), 303, "{}", saved.text("main"));
    let first = password().await;
    assert!(first.is_some());
    let page = admin.get(OPTIONS).await;
    assert_eq!(page.field("proxy.password").value(), "");
    assert!(!page.body.contains("hunter2"));
    let saved =
        admin.post(OPTIONS, &fields("2", &[("proxy.password", ""), ("schedule.time", "04:00")])).await;
    assert_eq!(saved.status(), 303);
    assert_eq!(password().await, first, "an empty field leaves it");
    let refused = admin
        .post(OPTIONS, &fields("3", &[("proxy.password", "hunter3 hunter3"), ("source.port", "x")]))
        .await;
    assert_eq!((refused.status(), refused.body.contains("hunter3")), (422, false));
    let remove = fields("3", &[("proxy.password", ""), ("proxy.remove_password", "true")]);
    let removed = admin.post(OPTIONS, &remove).await;
    assert_eq!(removed.status(), 303, "{}", removed.text("main"));
    assert_eq!(password().await, None);
}
