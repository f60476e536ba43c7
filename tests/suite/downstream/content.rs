//! `/Content`: whole files, ranges, and nothing else.

use rocket::http::Header;

use super::{Upstream, range};

const HEX: &str = "00112233445566778899AABBCCDDEEFF0011220A";

async fn with_file() -> (Upstream, Vec<u8>) {
    let upstream = Upstream::start().await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let folder = upstream.content.path().join("0A");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(format!("{HEX}.cab")), &bytes).unwrap();
    std::fs::write(upstream.content.path().join("secret.key"), "secret").unwrap();
    (upstream, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn p44_a_file_is_served_in_any_letter_case_with_a_stable_etag() {
    let (upstream, bytes) = with_file().await;
    let path = format!("/Content/0A/{HEX}.cab");
    for path in [path.clone(), path.to_lowercase(), path.to_uppercase(), path.replace("/0A", "//0A")] {
        let response = upstream.client.get(path).dispatch().await;
        assert_eq!(response.status().code, 200);
        let headers = response.headers();
        assert_eq!(headers.get_one("ETag"), Some(format!("\"{HEX}\"").as_str()));
        assert_eq!(headers.get_one("Accept-Ranges"), Some("bytes"));
        assert_eq!(headers.get_one("Content-Type"), Some("application/octet-stream"));
        assert!(headers.get_one("Last-Modified").is_some());
        assert!(response.into_bytes().await.unwrap() == bytes);
    }
    let head = upstream.client.head(path.clone()).header(range("bytes=0-9")).dispatch().await;
    assert_eq!(head.status().code, 200);
    assert_eq!(head.body().preset_size(), Some(bytes.len()));
    let known = Header::new("If-None-Match", format!("\"{HEX}\""));
    assert_eq!(upstream.client.get(path).header(known).dispatch().await.status().code, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn p44_single_ranges_are_exact_and_may_come_in_any_order() {
    let (upstream, bytes) = with_file().await;
    let path = format!("/Content/0A/{HEX}.cab");
    for (start, end) in [(150_000, 199_999), (0, 0), (65_536, 131_071), (199_999, 199_999)] {
        let wanted = range(&format!("bytes={start}-{end}"));
        let response = upstream.client.get(path.clone()).header(wanted).dispatch().await;
        assert_eq!(response.status().code, 206);
        let shown = format!("bytes {start}-{end}/200000");
        assert_eq!(response.headers().get_one("Content-Range"), Some(shown.as_str()));
        assert_eq!(response.body().preset_size(), Some(end - start + 1));
        assert!(response.into_bytes().await.unwrap() == bytes[start..=end]);
    }
    for wanted in ["bytes=200000-", "bytes=9-5", "bytes=0-1,4-5", "bytes=-0"] {
        let response = upstream.client.get(path.clone()).header(range(wanted)).dispatch().await;
        assert_eq!(response.status().code, 416, "{wanted}");
        assert_eq!(response.headers().get_one("Content-Range"), Some("bytes */200000"));
    }
    let resumed = |tag: &str| {
        let tag = Header::new("If-Range", tag.to_owned());
        upstream.client.get(path.clone()).header(range("bytes=5-9")).header(tag)
    };
    assert_eq!(resumed(&format!("\"{HEX}\"")).dispatch().await.status().code, 206);
    assert_eq!(resumed("\"another\"").dispatch().await.status().code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r238_nothing_outside_of_the_store_is_ever_served() {
    let (upstream, _) = with_file().await;
    let other = HEX.replace("0A", "0B");
    for (path, status) in [
        (format!("/Content/0A/{HEX}"), 403),
        (format!("/Content/0B/{HEX}.cab"), 404),
        (format!("/Content/{HEX}.cab"), 404),
        (format!("/Content/0B/{other}.cab"), 404),
        (format!("/Content/0A/{HEX}.exe"), 404),
        ("/Content/../secret.key".into(), 404),
        ("/Content/0A/..%2f..%2fsecret.key".into(), 404),
        ("/Content/%2e%2e/secret.key".into(), 404),
        ("/Content/0A/%00.cab".into(), 404),
        (format!("/Content/0A/{}.cab", "A".repeat(5_000)), 404),
    ] {
        assert_eq!(upstream.client.get(path.clone()).dispatch().await.status().code, status, "{path}");
    }
}
