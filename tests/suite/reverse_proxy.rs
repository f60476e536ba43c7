//! Behind a real nginx that speaks TLS, below a path: links lead on, and people are who they are.

use std::net::Ipv4Addr;
use std::time::Duration;

use reqwest::Method;
use weir::accounts::Role;
use weir::listen::{Hosts, Proxies};

use crate::support::nginx::Nginx;
use crate::support::tls::Authority;
use crate::support::{PASSWORD, Page, TestApp, Visitor};

/// Attributes of a page that lead elsewhere on this server.
fn addresses(page: &Page) -> Vec<String> {
    let selector = scraper::Selector::parse("*").unwrap();
    let html = page.html();
    let names = ["href", "src", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect"];
    let all = html.select(&selector).flat_map(|one| names.iter().filter_map(move |name| one.attr(name)));
    all.filter(|text| text.starts_with('/')).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_below_a_path_and_the_client_is_known() {
    let lab = Authority::new("Laboratory CA");
    let app = TestApp::start_with(|config| {
        config.roles.worker = false;
        config.edge.proxies = Proxies::new(vec!["127.0.0.1/32".parse().unwrap()]);
        config.edge.base = "/weir".into();
    })
    .await;
    app.account("anna", Role::Administrator).await;
    let console = reqwest::Url::parse(&app.console_url("/")).unwrap().port().unwrap();
    let nginx = Nginx::start(&lab.issue(&["127.0.0.1"]), "/weir/", console).await;
    let origin = format!("https://127.0.0.1:{}", nginx.port);
    let visitor = Visitor::trusting(&origin, &lab, Some(Ipv4Addr::new(127, 0, 0, 9).into()));

    let lost = visitor.get("/weir/options/synchronization").await;
    assert_eq!(lost.location(), "/weir/login?next=%2Foptions%2Fsynchronization");
    let fragment = visitor.request(Method::GET, "/weir/options/synchronization/state");
    let fragment =
        fragment.header("HX-Request", "true").header("HX-Current-URL", format!("{origin}/weir/updates"));
    assert!(visitor.send(fragment).await.header("hx-redirect").starts_with("/weir/login?next=%2Fupdates"));

    let fields = [("name", "anna"), ("password", PASSWORD), ("next", "/updates")];
    let signed_in = visitor.post_raw("/weir/login", &fields).await;
    assert_eq!((signed_in.status(), signed_in.location()), (303, "/weir/updates"), "{}", nginx.log());
    assert!(visitor.cookie("__Host-weir").is_some(), "{}", signed_in.header("set-cookie"));
    assert_eq!(signed_in.header("strict-transport-security"), "max-age=31536000");

    let mut seen = 0;
    for path in ["/", "/updates", "/synchronize", "/options/synchronization", "/users", "/profile", "/audit"]
    {
        let page = visitor.get(&format!("/weir{path}")).await;
        assert_eq!(page.status(), 200, "{path}");
        for address in addresses(&page) {
            assert!(address.starts_with("/weir/"), "{path} leads to {address}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
    let page = visitor.get("/weir/").await;
    let script = page.attribute("script[src]", "src").unwrap();
    assert_eq!(visitor.get(&script).await.status(), 200);

    // an address that is handed over as text
    let added =
        visitor.post_from("/weir/users", "/weir/users", &[("name", "ben"), ("role", "reporter")]).await;
    assert!(
        added.texts("main code").iter().any(|text| text.starts_with("/weir/set-password/")),
        "{}",
        added.body
    );

    // a form, and a stream that is not held back
    let saved = visitor.post_from("/weir/profile", "/weir/theme", &[("theme", "dark"), ("next", "/profile")]);
    assert_eq!(saved.await.location(), "/weir/profile");
    let sql = "INSERT INTO sync_runs (trigger, started_by, state, started_at) \
               VALUES ('manual', 'test', 'running', now()) RETURNING id";
    let run: i64 = app.db.client().await.query_one(sql, &[]).await.unwrap().get(0);
    let path = format!("/weir/synchronizations/{run}/events");
    let mut stream = visitor.request(Method::GET, &path).send().await.unwrap();
    let first = async {
        let mut text = String::new();
        while !text.contains("action=") {
            text.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("it goes on")));
        }
        text
    };
    let first = tokio::time::timeout(Duration::from_secs(5), first).await.expect("in time");
    assert!(first.contains("action=\"/weir/") && !first.contains("action=\"/sync"), "{first}");
    drop(stream);

    // who it was is the browser, whatever it claims itself to be
    let sneaky = visitor.request(Method::POST, "/weir/login").header("X-Forwarded-For", "6.6.6.6");
    let sneaky = sneaky.header("X-Real-IP", "6.6.6.6").header("Origin", &origin).header("Cookie", "");
    let sneaky = sneaky.header("Content-Type", "application/x-www-form-urlencoded");
    visitor.send(sneaky.body("name=nobody&password=wrong-wrong-wrong")).await;
    let sql = "SELECT string_agg(DISTINCT peer, ' ') FROM audit WHERE action LIKE 'sign-in%'";
    let peers: String = app.db.client().await.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(peers, "127.0.0.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn r166_r192_a_stranger_is_not_believed_and_another_name_is_refused() {
    let app = TestApp::start_with(|config| {
        config.edge.proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        config.edge.hosts = Hosts::These(vec!["weir.corp.example".to_owned()]);
    })
    .await;
    app.account("anna", Role::Administrator).await;
    let visitor = app.visitor_from(7);
    // every guess claims to be another: they count as one
    let mut last = 0;
    for guess in 0..7 {
        let claim = format!("192.0.2.{guess}");
        let mut request = visitor.request(Method::POST, "/login").header("Sec-Fetch-Site", "same-origin");
        for header in ["X-Real-IP", "X-Forwarded-For", "X-Client-IP", "True-Client-IP"] {
            request = request.header(header, &claim);
        }
        request = request.header("Forwarded", format!("for={claim}"));
        request = request.header("X-Forwarded-Host", "evil.test").header("X-Forwarded-Proto", "https");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = visitor.send(request.body("name=anna&password=wrong-wrong-wrong")).await;
        assert!(!answer.headers.contains_key("strict-transport-security"));
        last = answer.status();
    }
    assert_eq!(last, 429);
    let sql = "SELECT string_agg(DISTINCT peer, ' ') FROM audit";
    let peers: String = app.db.client().await.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(peers, "127.0.0.7");

    for (host, status) in [
        ("evil.test", 421),
        ("evil.test:8540", 421),
        ("weir.corp.example.evil.test", 421),
        ("weir.corp.example", 303),
        ("weir.corp.example:8540", 303),
        ("localhost", 303),
    ] {
        let page = visitor.send(visitor.request(Method::GET, "/").header("Host", host)).await;
        assert_eq!(page.status(), status, "{host}");
        assert!(!page.location().contains(host), "{host}: {}", page.location());
        assert!(status == 303 || page.body.contains("WEIR_HOSTS"), "{}", page.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s184_behind_a_proxy_only_what_came_over_tls_is_answered() {
    let app = TestApp::start_with(|config| {
        config.edge.proxies = Proxies::new(vec!["127.0.0.1/32".parse().unwrap()]);
        config.edge.hosts = Hosts::These(vec!["weir.corp.example".to_owned()]);
        config.edge.base = "/weir".into();
        config.edge.require_tls = true;
    })
    .await;
    app.account("anna", Role::Administrator).await;
    let (proxy, stranger) = (app.visitor(), app.visitor_from(7));
    let ask = async |visitor: &Visitor, method: Method, path: &str, host: &str, scheme: &str| {
        let request = visitor.request(method, path).header("Host", host).header("X-Forwarded-Proto", scheme);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let request = request.header("Sec-Fetch-Site", "same-origin");
        visitor.send(request.body(format!("name=anna&password={}", PASSWORD.replace(' ', "+")))).await
    };
    let listed = "weir.corp.example:80";
    for (visitor, scheme) in [(&proxy, "http"), (&stranger, "https"), (&stranger, "http")] {
        // a page under a listed name is at its https address, whatever it is
        let moved = ask(visitor, Method::GET, "/updates?q=a%20b", listed, scheme).await;
        assert_eq!(moved.status(), 307, "{scheme}");
        assert_eq!(moved.location(), "https://weir.corp.example/weir/updates?q=a%20b");
        assert_eq!((moved.header("set-cookie"), moved.header("strict-transport-security")), ("", ""));
        assert!(!moved.body.contains('<'), "no content: {}", moved.body);
        // no address is made of a name that nobody listed
        let refused = ask(visitor, Method::GET, "/", "localhost:8540", scheme).await;
        assert_eq!((refused.status(), refused.location()), (403, ""));
        for (method, path) in [(Method::POST, "/login"), (Method::POST, "/theme"), (Method::DELETE, "/users")]
        {
            let refused = ask(visitor, method, path, listed, scheme).await;
            assert_eq!((refused.status(), refused.header("set-cookie")), (403, ""), "{path}");
            assert!(refused.body.contains("requires TLS"), "{}", refused.body);
        }
        assert_eq!(ask(visitor, Method::GET, "/healthz", listed, scheme).await.status(), 200);
    }
    let sessions =
        "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM audit WHERE action LIKE 'sign-in%')";
    assert_eq!(app.db.client().await.query_one(sessions, &[]).await.unwrap().get::<_, i64>(0), 0);
    let signed_in = ask(&proxy, Method::POST, "/login", listed, "https").await;
    assert_eq!(signed_in.status(), 303, "{}", signed_in.body);
    assert!(signed_in.header("set-cookie").starts_with("__Host-weir="));
    // the services too: behind the same proxy it counts, past it nothing does
    let services = Visitor::new(&app.services_url(""));
    let soap = "/ServerSyncWebService/ServerSyncWebService.asmx";
    assert_eq!(ask(&services, Method::POST, soap, listed, "http").await.status(), 403);
    assert_ne!(ask(&services, Method::POST, soap, listed, "https").await.status(), 403);
}
