//! TLS on this server's own ports: what is spoken, which certificate is shown, and what happens when its files change.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir::accounts::Role;
use weir::app::{AppConfig, EdgeTls};
use weir::listen::TlsFiles;

use crate::support::process::{Process, free_port, output, weir};
use crate::support::tls::{Authority, Identity};
use crate::support::{PASSWORD, TestApp, TestDatabase, Visitor};

const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// TLS on the console's port, and for the services on the port above the plain one.
fn with_tls(files: TlsFiles) -> impl FnOnce(&mut AppConfig) {
    move |config| {
        let plain = std::iter::repeat_with(free_port)
            .find(|port| std::net::TcpListener::bind(("127.0.0.1", port + 1)).is_ok())
            .unwrap();
        config.services.set_port(plain);
        let mut services = config.services;
        services.set_port(plain + 1);
        config.edge.tls = Some(EdgeTls { files, services });
    }
}

/// Everything that comes back for `text` in plain TCP.
async fn plainly(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    read.expect("the connection ends").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn r177_r194_over_tls_cookies_are_secure_and_every_answer_asks_for_tls_from_now_on() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), Authority::new("Laboratory CA"));
    let files = lab.issue(&NAMES).write_to(folder.path());
    let app = TestApp::start_with(with_tls(files.clone())).await;
    app.account("anna", Role::Administrator).await;
    let visitor = Visitor::trusting(&app.secure_url(""), &lab, None);
    let signed_in = visitor.sign_in("anna", PASSWORD).await;
    assert_eq!(signed_in.status(), 303, "{}", signed_in.body);
    let cookie = signed_in.header("set-cookie");
    assert!(cookie.starts_with("__Host-weir="), "{cookie}");
    for part in ["Secure", "HttpOnly", "Path=/", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"));
    for path in ["/", "/nowhere", "/login?next=/updates"] {
        let page = visitor.get(path).await;
        assert_eq!(page.header("strict-transport-security"), "max-age=31536000", "{path}");
    }
    let refused = visitor.send(visitor.request(reqwest::Method::GET, "/").header("Host", "a b")).await;
    assert_eq!((refused.status(), refused.header("strict-transport-security")), (400, "max-age=31536000"));

    // in plain HTTP there is a word, and a beginning that is neither is closed
    let console = reqwest::Url::parse(&app.secure_url("/")).unwrap().port().unwrap();
    for port in [console, app.services_tls_port()] {
        let answer = plainly(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
        let answer = plainly(port, "\u{16}\u{3}\u{1}\0\u{5}never").await;
        assert!(!answer.contains("HTTP"), "{answer}");
    }
    let health = Visitor::trusting(&format!("https://127.0.0.1:{}", app.services_tls_port()), &lab, None);
    assert_eq!(health.get("/healthz").await.status(), 200);
    assert_eq!(app.ask_services("/healthz").await.status(), 200, "plain HTTP goes on beside it");

    // a new certificate is taken while the server runs
    let other = Authority::new("Another CA");
    other.issue(&NAMES).write_to(folder.path());
    let until = Instant::now() + Duration::from_secs(10);
    let renewed = || Visitor::trusting(&app.secure_url(""), &other, None);
    while renewed().request(reqwest::Method::GET, "/healthz").send().await.is_err() {
        assert!(Instant::now() < until, "the new certificate is not shown");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(visitor.get("/").await.status(), 200, "whoever is connected stays so");
}

#[tokio::test(flavor = "multi_thread")]
async fn s184_where_tls_is_required_plain_http_gives_out_files_and_nothing_else() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), Authority::new("Laboratory CA"));
    let files = lab.issue(&NAMES).write_to(folder.path());
    let app = TestApp::start_with(|config| {
        with_tls(files)(config);
        config.edge.require_tls = true;
    })
    .await;
    let plain = Visitor::new(&app.services_url(""));
    let secure = Visitor::trusting(&format!("https://127.0.0.1:{}", app.services_tls_port()), &lab, None);
    for path in [
        "/ServerSyncWebService/ServerSyncWebService.asmx",
        "/dssauthwebservice//DssAuthWebService.asmx",
        "/ReportingWebService/ReportingWebService.asmx",
        "/Content/../ServerSyncWebService/ServerSyncWebService.asmx",
        "/Content/00/0000000000000000000000000000000000000000.cab",
    ] {
        let refused = plain.post_raw(path, &[("x", "y")]).await;
        assert_eq!(refused.status(), 403, "{path}");
        assert!(refused.body.starts_with("This server requires TLS: ask with https."), "{}", refused.body);
        assert_eq!((refused.location(), refused.header("strict-transport-security")), ("", ""));
        assert_ne!(secure.post_raw(path, &[("x", "y")]).await.status(), 403, "{path}");
    }
    assert_eq!(plain.get("/ServerSyncWebService/ServerSyncWebService.asmx").await.status(), 403);
    assert_eq!(plain.get("/").await.status(), 403);
    // a file that is not there is looked for, in any way of writing its path
    for path in ["/Content", "/content", "//CONTENT"] {
        let file = format!("{path}/00/0000000000000000000000000000000000000000.cab");
        assert_eq!(plain.get(&file).await.status(), 404, "{file}");
    }
    assert_eq!(plain.get("/healthz").await.status(), 200);
}

/// `weir doctor`: whether all is well, and what it says of the certificate.
async fn doctor(db: &TestDatabase, data: &Path, variables: &[(&str, &str)]) -> (String, String) {
    let mut command = weir(db, data, &["doctor", "--json"]);
    command.envs(variables.iter().copied());
    let report: serde_json::Value = serde_json::from_slice(&output(command).await.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == "certificate").unwrap();
    let word = |key: &str| check[key].as_str().unwrap().to_owned();
    (word("result"), word("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_new_certificate_leaves_the_old_one_and_is_told_and_a_start_with_it_is_refused() {
    let (db, data, lab) =
        (TestDatabase::create().await, tempfile::tempdir().unwrap(), Authority::new("Laboratory CA"));
    let files = lab.issue(&NAMES).write_to(data.path());
    let (certificate, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
    let port = free_port().to_string();
    let variables = [
        ("WEIR_TLS_CERTIFICATE", certificate),
        ("WEIR_TLS_KEY", key),
        ("WEIR_SERVICES_TLS_PORT", port.as_str()),
        ("WEIR_LOG", "info"),
    ];
    let mut server = Process::start_logged(&db, data.path(), &variables);
    server.ready().await;
    let found = doctor(&db, data.path(), &variables).await;
    assert!(
        found.0 == "passed" && found.1.contains("fits its key and is good until 2099-01-01"),
        "{found:?}"
    );

    std::fs::write(key, Identity::self_signed(&NAMES).key_pem).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let log = || std::fs::read_to_string(data.path().join("serve.log")).unwrap();
    while !log().contains("the one before stays in use") {
        assert!(Instant::now() < until, "{}", log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let visitor = Visitor::trusting(&format!("https://127.0.0.1:{}", server.console), &lab, None);
    assert_eq!(visitor.get("/healthz").await.status(), 200);
    let found = doctor(&db, data.path(), &variables).await;
    assert!(found.0 == "failed" && found.1.contains("does not belong to the first certificate"), "{found:?}");
    server.kill();

    for (file, text, says) in [
        (key, "", "no private key"),
        (certificate, "no certificate", "holds no certificate in PEM form"),
        (certificate, "", "holds no certificate in PEM form"),
    ] {
        lab.issue(&NAMES).write_to(data.path());
        std::fs::write(file, text).unwrap();
        refused(&db, data.path(), &variables, says).await;
    }
    std::fs::remove_file(certificate).unwrap();
    refused(&db, data.path(), &variables, "cannot be read: No such file").await;
    lab.issue_for(&NAMES, 2020, 2021).write_to(data.path());
    let found = doctor(&db, data.path(), &variables).await;
    assert!(found.0 == "failed" && found.1.contains("is over since 2021-01-01"), "{found:?}");
}

/// A start is refused in one sentence that says what to do.
async fn refused(db: &TestDatabase, data: &Path, variables: &[(&str, &str)], says: &str) {
    let mut serve = weir(db, data, &["serve"]);
    let (console, services) = (free_port().to_string(), free_port().to_string());
    serve.envs(variables.iter().copied()).env("WEIR_LOG", "error");
    serve.env("WEIR_CONSOLE_PORT", console).env("WEIR_SERVICES_PORT", services);
    let refused = output(serve).await;
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains(says) && text.contains("WEIR_TLS_CERTIFICATE and WEIR_TLS_KEY"), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_a_server_below_synchronizes_over_tls_and_fetches_files_on_the_port_beside() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), Authority::new("Laboratory CA"));
    let files = lab.issue(&NAMES).write_to(folder.path());
    let (above, below) = tokio::join!(TestApp::start_with(with_tls(files)), TestApp::start());
    above.fill(60, 3).await;
    below
        .follow(&above, |options| {
            options.source.port = above.services_tls_port();
            options.source.ssl = true;
            options.source.ca = lab.pem.clone();
            options.files.deferred = false;
        })
        .await;
    below.synchronize().await;
    let count =
        async |sql: &str| -> i64 { below.db.client().await.query_one(sql, &[]).await.unwrap().get(0) };
    assert!(count("SELECT count(*) FROM updates WHERE approvable").await > 10);
    let until = Instant::now() + Duration::from_secs(60);
    let stored = async |state: &str| {
        count(&format!("SELECT count(*) FROM content_files WHERE state = '{state}'")).await
    };
    while stored("stored").await == 0 || stored("wanted").await > 0 {
        assert!(Instant::now() < until, "the files do not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(stored("failed").await, 0);
}
