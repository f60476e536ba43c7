//! **Test connection**: each step in words, what fails first with what to do, and nothing typed is kept or told.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir::protocol::soap::Method;

use crate::support::process::free_port;
use crate::support::squid::{ACCOUNT, Squid};
use crate::support::tls::{Authority, Identity, TlsFront};
use crate::support::upstream::{Trouble, Upstream};
use crate::support::{Page, TestApp, Visitor};

const PAGE: &str = "/options/synchronization";

/// What the page sends for an upstream server and no proxy, with changes on top.
fn form<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("version", "1"),
        ("draft", ""),
        ("schedule.mode", "manual"),
        ("proxy.server", ""),
        ("proxy.port", "80"),
        ("proxy.user", ""),
        ("proxy.domain", ""),
        ("proxy.password", ""),
        ("source.kind", "upstream"),
        ("source.server", "127.0.0.1"),
        ("source.port", "8530"),
        ("source.content_port", ""),
        ("source.ca", ""),
    ];
    for change in changes {
        fields.retain(|(name, _)| *name != change.0);
        fields.push(*change);
    }
    fields
}

async fn test(visitor: &Visitor, what: &str, changes: &[(&str, &str)]) -> Page {
    let page = visitor.post_from(PAGE, &format!("{PAGE}/test/{what}"), &form(changes)).await;
    assert_eq!(page.status(), 200, "{}", page.body);
    page
}

/// Each step: its mark, its name, what it says.
fn steps(page: &Page) -> Vec<(String, String, String)> {
    let names = page.texts(".station strong");
    let marks = ["ok", "warn", "bad"].map(|kind| page.texts(&format!(".station.{kind} strong")));
    let texts = page.texts(".station p:nth-of-type(2)");
    let mark =
        |name: &String| ["ok", "warn", "bad"].into_iter().zip(&marks).find(|(_, all)| all.contains(name));
    let steps = names.iter().zip(texts);
    steps.map(|(name, text)| (mark(name).unwrap().0.to_owned(), name.clone(), text)).collect()
}

/// The test must fail at this step, as the last one, and say these words and this advice.
async fn fails(visitor: &Visitor, what: &str, changes: &[(&str, &str)], at: &str, words: &str, advice: &str) {
    let page = test(visitor, what, changes).await;
    let steps = steps(&page);
    let (mark, name, text) = steps.last().unwrap();
    assert_eq!((mark.as_str(), name.as_str()), ("bad", at), "{steps:?}");
    assert!(text.contains(words), "{words:?} is not in {text:?}");
    let given = page.text(".station .advice");
    assert!(given.contains(advice), "{advice:?} is not in {given:?}");
    assert_eq!(page.text(".test-verdict"), format!("The test failed at this step: {at}."));
    assert!(steps[..steps.len() - 1].iter().all(|(mark, ..)| mark != "bad"), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s081_every_step_of_a_good_connection_is_told() {
    let (above, app) = (TestApp::start().await, TestApp::start().await);
    let admin = app.sign_in_admin().await;
    let port = above.services_port().to_string();
    let page = test(&admin, "source", &[("source.port", &port)]).await;
    let names = page.texts(".station strong");
    let all = ["Name", "Connection", "HTTP", "Clock", "Protocol version", "Cookie", "Configuration", "Files"];
    assert_eq!(names, all, "{}", page.text("#test-source-result"));
    assert_eq!(page.texts(".station.ok").len(), all.len());
    let told = page.text("#test-source-result");
    for words in
        ["The connection works", "Connected to 127.0.0.1:", "Version 1.20 is accepted", "Signed in as"]
    {
        assert!(told.contains(words), "{words:?} is not in {told:?}");
    }
    assert!(told.contains("revisions in one request") && told.contains(" ms"), "{told}");
    // What was typed is still there, and nothing was saved.
    assert_eq!(page.field("source.port").value(), port);
    let saved = weir::settings::load(&mut *app.db.conn().await).await.unwrap();
    assert_eq!((saved.version, saved.source.server.as_str()), (1, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn s092_over_tls_version_issuer_and_expiry_are_told() {
    let (above, app) = (TestApp::start().await, TestApp::start().await);
    let (admin, lab) = (app.sign_in_admin().await, Authority::new("Laboratory CA"));
    let front = TlsFront::start(&lab.issue(&["localhost"]), above.services_port()).await;
    let (port, content) = (front.port.to_string(), above.services_port().to_string());
    let over_tls = [
        ("source.server", "localhost"),
        ("source.port", port.as_str()),
        ("source.ssl", "true"),
        ("source.content_port", content.as_str()),
        ("source.ca", lab.pem.as_str()),
    ];
    let page = test(&admin, "source", &over_tls).await;
    let (mark, _, text) = steps(&page).into_iter().find(|(_, name, _)| name == "TLS").unwrap();
    assert_eq!(mark, "ok");
    assert!(text.contains("TLS 1.3") && text.contains("issued by Laboratory CA"), "{text}");
    assert!(text.contains("to 1 January 2099"), "{text}");
    assert!(page.text(".test-verdict").starts_with("The connection works"));

    let soon = chrono::Utc::now() + chrono::TimeDelta::days(5);
    let ending = TlsFront::start(&lab.issue_until(&["localhost"], soon), above.services_port()).await;
    let port = ending.port.to_string();
    let mut changes = over_tls.to_vec();
    changes[1].1 = &port;
    let page = test(&admin, "source", &changes).await;
    let (mark, _, text) = steps(&page).into_iter().find(|(_, name, _)| name == "TLS").unwrap();
    assert_eq!(mark, "warn");
    assert!(text.contains("ends soon"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_a_source_is_told_at_its_step() {
    let (above, app) = (TestApp::start().await, TestApp::start().await);
    let (admin, lab) = (app.sign_in_admin().await, Authority::new("Laboratory CA"));
    let to = |port: u16| port.to_string();

    let none = [("source.server", "no-such-host.invalid")];
    fails(&admin, "source", &none, "Name", "no-such-host.invalid was not found", "server name").await;
    let closed = to(free_port());
    let there = [("source.port", closed.as_str())];
    fails(&admin, "source", &there, "Connection", "127.0.0.1 refused the connection", "firewall").await;
    let own = to(app.services_port());
    let itself = [("source.port", own.as_str())];
    fails(&admin, "source", &itself, "Settings", "the address of this server itself", "Nothing was sent")
        .await;

    let ways: [(Identity, &str, &str); 5] = [
        (lab.issue(&["other.example"]), "is for other.example, not for localhost", "alternative name"),
        (lab.issue_for(&["localhost"], 2020, 2021), "has expired", "Renew"),
        (lab.issue_for(&["localhost"], 2080, 2081), "not valid yet", "clock"),
        (Identity::self_signed(&["localhost"]), "self-signed", "Certificates to trust"),
        (Authority::new("Else").issue(&["localhost"]), "does not trust", "Certificates to trust"),
    ];
    for (identity, words, advice) in &ways {
        let front = TlsFront::start(identity, above.services_port()).await;
        let port = to(front.port);
        let changes = [
            ("source.server", "localhost"),
            ("source.port", port.as_str()),
            ("source.ssl", "true"),
            ("source.ca", lab.pem.as_str()),
        ];
        fails(&admin, "source", &changes, "TLS", words, advice).await;
        assert_eq!(front.bytes_inside(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_ports_and_wrong_servers_are_told_at_their_step() {
    let (above, app) = (TestApp::start().await, TestApp::start().await);
    let (admin, upstream) = (app.sign_in_admin().await, Upstream::start().await);
    let plain = above.services_port().to_string();
    let changes = [("source.port", plain.as_str()), ("source.ssl", "true")];
    fails(&admin, "source", &changes, "TLS", "answers in clear text", "clear Use SSL").await;

    let front = TlsFront::start(&Identity::self_signed(&["localhost"]), above.services_port()).await;
    let secure = front.port.to_string();
    let changes = [("source.port", secure.as_str())];
    fails(&admin, "source", &changes, "HTTP", "speaks TLS on this port", "Tick Use SSL").await;

    let port = upstream.port().to_string();
    let changes = [("source.port", port.as_str())];
    let troubles = [
        (
            Method::GetAuthConfig,
            Trouble::SignIn(&["Negotiate", "NTLM"]),
            "HTTP",
            "Negotiate, NTLM",
            "anonymous",
        ),
        (Method::GetAuthConfig, Trouble::Html(200, "Welcome"), "HTTP", "Welcome", "update server"),
        (Method::GetAuthConfig, Trouble::Html(404, "Not here"), "HTTP", "status 404", "update server"),
        (
            Method::GetAuthConfig,
            Trouble::Redirect(302, "/elsewhere"),
            "HTTP",
            "does not follow",
            "port number",
        ),
        (Method::GetAuthConfig, Trouble::Fault("InternalServerError"), "Protocol version", "fault", "log"),
        (
            Method::GetCookie,
            Trouble::Fault("IncompatibleProtocolVersion"),
            "Protocol version",
            "1.20",
            "older",
        ),
        (Method::GetCookie, Trouble::Fault("InvalidAuthorizationCookie"), "Cookie", "fault", "log"),
        (Method::GetConfigData, Trouble::Fault("ServerBusy"), "Configuration", "busy", "later"),
    ];
    for (method, trouble, at, words, advice) in troubles {
        upstream.trouble(method, 1, trouble);
        fails(&admin, "source", &changes, at, words, advice).await;
        // A failing step is not repeated, so the trouble is used up.
        upstream.no_more_trouble();
        app.db.client().await.execute("DELETE FROM option_drafts", &[]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_takes_ten_seconds_at_most() {
    let app = TestApp::start().await;
    let admin = app.sign_in_admin().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let started = Instant::now();
    fails(&admin, "source", &[("source.port", &port)], "HTTP", "longer than 10 s", "network").await;
    assert!((9..15).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_takes_the_connection_is_told_within_ten_seconds() {
    let app = TestApp::start().await;
    let admin = app.sign_in_admin().await;
    // With its queue full, the system answers no further connection at all, as a firewall that drops packets.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(500), tokio::net::TcpStream::connect(address)).await
    {
        held.push(stream.unwrap());
        assert!(held.len() < 100, "the queue does not fill");
    }
    let port = address.port().to_string();
    let started = Instant::now();
    fails(&admin, "source", &[("source.port", &port)], "Connection", "did not answer within 10", "firewall")
        .await;
    assert!((9..15).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

/// A proxy server that gives this answer to everything.
async fn proxy(answer: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut start = [0; 4_096];
                let _ = stream.read(&mut start).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_server_wants_is_told() {
    let app = TestApp::start().await;
    let admin = app.sign_in_admin().await;
    let by = |port: &str| -> Vec<(&'static str, String)> {
        let on =
            [("proxy.enabled", "true"), ("proxy.server", "127.0.0.1"), ("source.server", "wsus.example")];
        let on = on.into_iter().map(|(name, value)| (name, value.to_owned()));
        on.chain([("proxy.port", port.to_owned())]).collect()
    };
    let signed_in = |port: &str| -> Vec<(&'static str, String)> {
        let user =
            [("proxy.credentials", "true"), ("proxy.user", "anna"), ("proxy.password", "hunter2 secret")];
        by(port).into_iter().chain(user.map(|(name, value)| (name, value.to_owned()))).collect()
    };
    fn short<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
        fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    let off = "No proxy server is used";
    fails(&admin, "proxy", &[], "Settings", off, "Nothing was sent").await;
    let nowhere = free_port().to_string();
    fails(&admin, "proxy", &short(&by(&nowhere)), "Connection", "The proxy server 127.0.0.1", "proxy server")
        .await;

    let basic =
        proxy("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n").await;
    fails(
        &admin,
        "proxy",
        &short(&by(&basic)),
        "Proxy server",
        "(Basic), and none are given",
        "Use user credentials",
    )
    .await;
    let typed = signed_in(&basic);
    fails(
        &admin,
        "proxy",
        &short(&typed),
        "Proxy server",
        "only basic authentication, which is switched off",
        "Allow basic",
    )
    .await;

    let odd = proxy("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    fails(&admin, "proxy", &short(&by(&odd)), "Proxy server", "is not a proxy server", "HTTP proxy server")
        .await;

    // Nothing typed as a password went anywhere it could be read.
    let page = test(&admin, "proxy", &short(&typed)).await;
    assert!(!page.body.contains("hunter2"));
    assert!(page.text("main").contains("The password you typed was not kept. Type it again."));
    let client = app.db.client().await;
    let all = "SELECT d::text FROM option_drafts d UNION SELECT a::text FROM audit a";
    for row in client.query(all, &[]).await.unwrap() {
        assert!(!row.get::<_, String>(0).contains("hunter2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_are_audited_and_their_number_is_limited() {
    let app = TestApp::start().await;
    let admin = app.sign_in_admin().await;
    let closed = free_port().to_string();
    for _ in 0..10 {
        test(&admin, "source", &[("source.port", &closed)]).await;
    }
    let page = admin.post_from(PAGE, &format!("{PAGE}/test/source"), &form(&[("source.port", "8531")])).await;
    assert_eq!(page.status(), 429);
    assert!(page.text("#test-source-result").contains("Wait "), "{}", page.body);
    assert_eq!(page.field("source.port").value(), "8531");
    let sql = "SELECT count(*), min(actor), min(after::text) FROM audit WHERE action = 'connection.test'";
    let row = app.db.client().await.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (10, "admin"));
    assert!(row.get::<_, &str>(2).contains(&format!("127.0.0.1:{closed}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_come_one_by_one_as_a_stream() {
    let (upstream, app) = (Upstream::start().await, TestApp::start().await);
    let admin = app.sign_in_admin().await;
    upstream.trouble(Method::GetCookie, 1, Trouble::Stall(Duration::from_millis(900)));
    let token = admin.get(PAGE).await.csrf();
    let port = upstream.port().to_string();
    let mut fields = vec![("csrf", token.as_str())];
    fields.extend(form(&[("source.port", &port)]));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = admin
        .request(reqwest::Method::POST, &format!("{PAGE}/test/source"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Sec-Fetch-Site", "same-origin")
        .header("HX-Request", "true")
        .body(body);
    let started = Instant::now();
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut text, mut before_the_stall) = (String::new(), 0);
    while let Some(piece) = answer.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&piece));
        if started.elapsed() < Duration::from_millis(700) {
            before_the_stall = text.matches("<strong>Clock</strong>").count();
        }
    }
    assert!(before_the_stall > 0, "the first steps came while the later ones were still waited for");
    assert!(
        text.contains("<strong>Configuration</strong>") && text.contains("The connection works"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_real_proxy_server_its_schemes_and_the_sign_in_are_told() {
    let (above, app) = (TestApp::start().await, TestApp::start().await);
    let admin = app.sign_in_admin().await;
    let (ntlm, basic) = (Squid::start(&["ntlm", "digest"]).await, Squid::start(&["basic"]).await);
    let through = |squid: &Squid, password: &str, basic: bool| {
        let mut fields = vec![
            ("proxy.enabled", "true".to_owned()),
            ("proxy.server", "127.0.0.1".to_owned()),
            ("proxy.port", squid.port.to_string()),
            ("proxy.credentials", "true".to_owned()),
            ("proxy.user", ACCOUNT.user.to_owned()),
            ("proxy.domain", ACCOUNT.domain.to_owned()),
            ("proxy.password", password.to_owned()),
            ("source.port", above.services_port().to_string()),
        ];
        if basic {
            fields.push(("proxy.basic", "true".to_owned()));
        }
        fields
    };
    let told = async |what: &str, fields: Vec<(&'static str, String)>| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = test(&admin, what, &fields).await;
        app.db.client().await.execute("DELETE FROM option_drafts", &[]).await.unwrap();
        steps(&page)
    };
    let of = |steps: &[(String, String, String)], name: &str| {
        let step = steps.iter().find(|step| step.1 == name).unwrap_or_else(|| panic!("{steps:?}"));
        (step.0.clone(), step.2.clone())
    };

    let good = told("source", through(&ntlm, ACCOUNT.password, false)).await;
    let (mark, words) = of(&good, "Proxy server");
    assert!(mark == "ok" && words.contains("offers NTLM"), "{words}");
    let (mark, words) = of(&good, "Sign-in at the proxy server");
    assert!(mark == "ok" && words.contains("NTLM") && words.contains(ACCOUNT.user), "{words}");
    assert_eq!(of(&good, "Configuration").0, "ok", "{good:?}");

    let wrong = told("source", through(&ntlm, "geheim", false)).await;
    let (mark, _, words) = wrong.last().unwrap();
    assert!(mark == "bad" && words.contains("rejected the credentials (NTLM)"), "{wrong:?}");

    let not_allowed = told("proxy", through(&basic, ACCOUNT.password, false)).await;
    let (mark, words) = of(&not_allowed, "Proxy server");
    assert!(mark == "bad" && words.contains("only basic authentication, which is switched off"), "{words}");
    assert!(!basic.schemes().iter().any(|scheme| scheme.eq_ignore_ascii_case("basic")), "nothing was sent");

    // A rule that lets nobody through.
    let closed = Squid::start_with(&[], "http_access deny all").await;
    let denied = told("source", through(&closed, ACCOUNT.password, false)).await;
    let (mark, _, words) = denied.last().unwrap();
    assert!(mark == "bad" && words.contains("by its rules"), "{denied:?}");

    let allowed = told("source", through(&basic, ACCOUNT.password, true)).await;
    assert_eq!(of(&allowed, "Proxy server").0, "warn", "in clear text: {allowed:?}");
    assert_eq!(of(&allowed, "Configuration").0, "ok", "{allowed:?}");
}
