//! How much a page weighs on its way, and how it is packed.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap};

use crate::support::{TestApp, Visitor};

/// The most that HTML, style and script of Synchronization Options may weigh together, compressed, in bytes.
const OPTIONS_BYTES_MAX: usize = 40 * 1024;

/// An answer as it came over the wire.
async fn raw(visitor: &Visitor, path: &str, encoding: &str) -> (HeaderMap, Vec<u8>) {
    let asked = visitor.request(Method::GET, path).header(ACCEPT_ENCODING, encoding).build().unwrap();
    // A client that leaves answers packed.
    let plain = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let answer = plain.execute(asked).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// All values of `Vary`.
fn vary(headers: &HeaderMap) -> String {
    headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_options_page_weighs_at_most_forty_kilobytes() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let (headers, html) = raw(&visitor, "/options/synchronization", "gzip").await;
    assert_eq!(header(&headers, "content-encoding"), "gzip");
    let text = unpacked(&html);
    let mut parts = vec![("the page".to_owned(), html.len())];
    for quoted in text.split("/assets/").skip(1) {
        let name = quoted.split(['"', '#']).next().unwrap();
        let path = format!("/assets/{name}");
        if parts.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let (headers, body) = raw(&visitor, &path, "gzip, deflate, br").await;
        assert_eq!(header(&headers, "content-encoding"), "gzip", "{path}");
        assert_eq!(header(&headers, "cache-control"), "public, max-age=31536000, immutable");
        assert!(vary(&headers).contains("Accept-Encoding"), "{path}");
        parts.push((path, body.len()));
    }
    assert!(parts.len() >= 6, "style, three scripts and drawings: {parts:?}");
    let weighed = parts.iter().filter(|(path, _)| !path.ends_with(".svg")).map(|(_, bytes)| bytes);
    let all: usize = weighed.sum();
    assert!(all <= OPTIONS_BYTES_MAX, "{all} bytes: {parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_gzip_gets_the_page_as_it_is() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    for encoding in ["identity", "gzip;q=0", "br"] {
        let (headers, body) = raw(&visitor, "/", encoding).await;
        assert_eq!(header(&headers, "content-encoding"), "");
        assert!(vary(&headers).contains("Accept-Encoding") && vary(&headers).contains("HX-Request"));
        assert!(String::from_utf8(body).unwrap().contains("</html>"));
    }
    let (headers, body) = raw(&visitor, "/", "gzip").await;
    assert_eq!(header(&headers, "content-length"), body.len().to_string());
    let head = visitor.request(Method::HEAD, "/").header(ACCEPT_ENCODING, "gzip");
    assert_eq!(visitor.send(head).await.body, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_on_a_packed_page_is_another_each_time() {
    let app = TestApp::start().await;
    let visitor = app.sign_in_admin().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let (_, body) = raw(&visitor, "/synchronize", "gzip").await;
        let text = unpacked(&body);
        for field in ["csrf", "key"] {
            let at = text.find(&format!("name=\"{field}\" value=\"")).unwrap();
            let value: String = text[at..].split('"').nth(3).unwrap().to_owned();
            assert!(seen.insert(value), "{field} came twice");
        }
    }
    assert_eq!(seen.len(), 10);
}
