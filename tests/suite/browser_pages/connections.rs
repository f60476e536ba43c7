//! Every way in which a tested connection fails, as it stands on the page at 1280 and 390 px.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir::protocol::soap::Method;
use weir::settings::SyncOptions;

use super::*;
use crate::support::old_tls::OldServer;
use crate::support::options::{change_options, use_upstream};
use crate::support::process::free_port;
use crate::support::squid::{ACCOUNT, Squid};
use crate::support::tls::{Authority, Identity, TlsFront};
use crate::support::upstream::{Trouble, Upstream};

/// Tests of connections that one person may make in a while.
const TESTS_A_PERSON: usize = 9;

/// Somebody who tests one connection after the other.
struct Tester {
    gallery: Gallery,
    tests: usize,
}

impl Tester {
    /// Saves the options, tests, waits for the words, and looks at both widths.
    async fn try_out(&mut self, name: &str, what: &str, words: &str, change: impl FnOnce(&mut SyncOptions)) {
        if self.tests.is_multiple_of(TESTS_A_PERSON) {
            let person = format!("admin{}", self.tests);
            self.gallery.app.account(&person, Role::Administrator).await;
            self.gallery.browser.forget_cookies().await;
            self.gallery.sign_in(&person).await;
        }
        self.tests += 1;
        change_options(&self.gallery.app.db, change).await;
        self.gallery.go("/options/synchronization").await;
        self.gallery.browser.click_button(&format!("Test connection to the {what}")).await;
        self.gallery.browser.see(words).await;
        self.gallery.glance(&format!("failure-{name}")).await;
    }

    async fn source(&mut self, name: &str, words: &str, change: impl FnOnce(&mut SyncOptions)) {
        self.try_out(name, "update source", words, change).await;
    }

    async fn proxy(&mut self, name: &str, words: &str, change: impl FnOnce(&mut SyncOptions)) {
        self.try_out(name, "proxy server", words, change).await;
    }
}

async fn tester() -> Tester {
    Tester { gallery: Gallery::open().await, tests: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_on_the_way_to_a_source_are_readable_at_both_widths() {
    let (above, mut tester) = tokio::join!(TestApp::start(), tester());
    let itself = tester.gallery.app.services_port();
    let there = above.services_port();
    tester
        .source("name", "was not found", |o| {
            use_upstream(o, there);
            o.source.server =
                "a-rather-long-name-of-a-server-that-nobody-knows.branch-office.invalid".to_owned();
        })
        .await;
    tester.source("refused", "refused the connection", |o| use_upstream(o, free_port())).await;
    tester.source("itself", "the address of this server itself", |o| use_upstream(o, itself)).await;
    tester
        .source("clear-text", "answers in clear text", |o| {
            use_upstream(o, there);
            o.source.ssl = true;
        })
        .await;
    let lab = Authority::new("Laboratory CA");
    let ways = [
        ("tls-host", lab.issue(&["other.example"]), "is for other.example"),
        ("tls-expired", lab.issue_for(&["localhost"], 2020, 2021), "has expired"),
        ("tls-early", lab.issue_for(&["localhost"], 2080, 2081), "not valid yet"),
        ("tls-own", Identity::self_signed(&["localhost"]), "self-signed"),
        ("tls-issuer", Authority::new("Else").issue(&["localhost"]), "does not trust"),
    ];
    for (name, identity, words) in &ways {
        let front = TlsFront::start(identity, there).await;
        tester
            .source(name, words, |o| {
                use_upstream(o, front.port);
                o.source.server = "localhost".to_owned();
                o.source.ssl = true;
                o.source.ca = lab.pem.clone();
            })
            .await;
    }
    let old = OldServer::start(&ways[3].1).await;
    tester
        .source("tls-old", "older than 1.2", |o| {
            use_upstream(o, old.port);
            o.source.ssl = true;
        })
        .await;
    let front = TlsFront::start(&ways[3].1, there).await;
    tester
        .source("tls-unexpected", "speaks TLS on this port", |o| {
            use_upstream(o, front.port);
            o.source.server = "localhost".to_owned();
            o.source.ssl = false;
        })
        .await;
    tester.gallery.expect_complaints("failures", 0).await;
    tester.gallery.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_servers_that_answer_are_readable_at_both_widths() {
    let (upstream, mut tester) = tokio::join!(Upstream::start(), tester());
    let troubles = [
        ("sign-in", Method::GetAuthConfig, Trouble::SignIn(&["Negotiate", "NTLM"]), "Negotiate, NTLM"),
        ("page", Method::GetAuthConfig, Trouble::Html(200, "Welcome to the intranet"), "Welcome"),
        ("status", Method::GetAuthConfig, Trouble::Html(404, "Not here"), "status 404"),
        ("redirected", Method::GetAuthConfig, Trouble::Redirect(302, "/elsewhere"), "does not follow"),
        ("version", Method::GetCookie, Trouble::Fault("IncompatibleProtocolVersion"), "1.20"),
        ("cookie", Method::GetCookie, Trouble::Fault("InvalidAuthorizationCookie"), "fault"),
        ("busy", Method::GetConfigData, Trouble::Fault("ServerBusy"), "busy"),
    ];
    for (name, method, trouble, words) in troubles {
        upstream.trouble(method, 1, trouble);
        tester.source(name, words, |o| use_upstream(o, upstream.port())).await;
        upstream.no_more_trouble();
    }
    tester
        .source("files", "failed at this step: Files", |o| {
            use_upstream(o, upstream.port());
            o.source.content_port = Some(free_port());
        })
        .await;
    tester.gallery.expect_complaints("failures", 0).await;
    tester.gallery.close().await;
}

/// A proxy server that gives everybody this answer; its port.
async fn proxy(answer: &'static str) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut start = [0; 4_096];
            let _ = stream.read(&mut start).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_proxy_servers_are_readable_at_both_widths() {
    let mut tester = tester().await;
    let through = |o: &mut SyncOptions, port: u16| {
        use_upstream(o, 8530);
        o.source.server = "wsus.example".to_owned();
        o.proxy.enabled = true;
        o.proxy.server = "127.0.0.1".to_owned();
        o.proxy.port = port;
    };
    let basic =
        proxy("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n").await;
    let odd = proxy("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let rule = proxy("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    tester.proxy("proxy-refused", "The proxy server 127.0.0.1", |o| through(o, free_port())).await;
    tester.proxy("proxy-wants", "(Basic), and none are given", |o| through(o, basic)).await;
    tester.proxy("proxy-odd", "is not a proxy server", |o| through(o, odd)).await;
    tester.source("proxy-refuses", "let it through", |o| through(o, rule)).await;
    tester
        .proxy("proxy-basic", "only basic authentication, which is switched off", |o| {
            through(o, basic);
            o.proxy.credentials = true;
            o.proxy.user = "svc-weir".to_owned();
        })
        .await;
    let closed = Squid::start_with(&[], "http_access deny all").await;
    tester.source("proxy-rule", "by its rules", |o| through(o, closed.port)).await;
    let ntlm = Squid::start(&["ntlm", "digest"]).await;
    let sealed = tester.gallery.app.seal_proxy_password("geheim");
    tester
        .source("proxy-password", "rejected the credentials (NTLM)", |o| {
            through(o, ntlm.port);
            o.proxy.credentials = true;
            o.proxy.user = ACCOUNT.user.to_owned();
            o.proxy.domain = ACCOUNT.domain.to_owned();
            o.proxy.password = Some(sealed);
        })
        .await;
    tester.gallery.expect_complaints("failures", 0).await;
    tester.gallery.close().await;
}
