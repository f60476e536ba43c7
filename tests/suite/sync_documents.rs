//! Broken and malicious update documents, through the whole engine.

use std::time::{Duration, Instant};

use weir::sync::owed;
use weir::sync::runs::RunState;

use crate::support::bench::Bench;
use crate::support::documents::{self, Doc, PRODUCT};
use crate::support::options::change_options;

/// An update with something in front of its end.
fn with_inside(number: u128, inside: &str) -> Doc {
    let doc = Doc::update(PRODUCT, number, 100);
    let text = doc.xml().replace("</upd:Update>", &format!("{inside}</upd:Update>"));
    doc.with_text(&text)
}

fn file(name: &str, digest: &str) -> String {
    format!(
        "<upd:Files><upd:File Digest=\"{digest}\" DigestAlgorithm=\"SHA1\" FileName=\"{name}\" Size=\"9\" \
         Modified=\"2026-02-10T18:00:00Z\"/></upd:Files>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn r023_r096_r097_r098_r099_hostile_documents_are_quarantined_and_the_others_are_stored() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 20));
    let plain = |number| Doc::update(PRODUCT, number, 100);
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>";
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let wide: String = (0..100_000).map(|number| format!(" a{number}=\"\"")).collect();
    let spaces: String = (0..100_000).map(|number| format!(" xmlns:a{number}=\"u\"")).collect();
    let bad = [
        plain(50).with_text(&format!("{bomb}{}", plain(50).xml())),
        plain(52).with_text(&format!("<!DOCTYPE x SYSTEM \"file:///etc/passwd\">{}", plain(52).xml())),
        with_inside(54, &deep),
        with_inside(56, &format!("<a{wide}/>")),
        with_inside(64, &format!("<a{spaces}/>")),
        plain(66).with_text(
            &plain(66).xml().replace("<upd:Title>", &format!("<upd:Title>{}", "x".repeat(2 << 20))),
        ),
        plain(58).with_text(""),
        plain(68).with_text(&plain(68).xml().replace("<upd:Title>", "<upd:Title>&#0;")),
        plain(60).with_text("\u{feff}\u{0}"),
        plain(62).with_text(&plain(62).xml().replace("UpdateIdentity UpdateID", "UpdateIdentity Update")),
    ];
    bench.upstream.publish(bad.clone());
    let begun = Instant::now();
    let run = bench.synchronize().await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!((run.state(), run.new, run.failed), (RunState::SucceededWithProblems, 20, bad.len() as i64));
    let owed = owed::of_run(&mut *bench.db.conn().await, run.id, 100).await.unwrap();
    assert_eq!(owed.len(), bad.len());
    let reasons = [
        (50, "document type declaration"), // r096: an expansion bomb
        (52, "document type declaration"), // r096: an external entity
        (54, "nested deeper than"),        // r097
        (56, "more than"),                 // r098: attributes
        (64, "more than"),                 // r098: namespaces
        (66, "longer than"),               // r099: one field
        (68, "U+0000"),                    // r023
    ];
    for (number, words) in reasons {
        let one = owed.iter().find(|one| one.update_id == plain(number).key.update_id).unwrap();
        assert!(one.reason.contains(words), "{number}: {one:?}");
    }
    assert!(owed.iter().all(|one| one.attempts == 1 && !one.reason.is_empty()), "{owed:?}");
    let again = bench.synchronize().await;
    assert_eq!(again.failed, bad.len() as i64);
    let owed = owed::of_run(&mut *bench.db.conn().await, run.id, 100).await.unwrap();
    assert!(owed.iter().all(|one| one.attempts == 2), "{owed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r104_file_names_are_only_text() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    let long = "n".repeat(300);
    let names = ["../../etc/passwd", "..\\x", "C:\\x", "/x", "NUL", "x.", "a\u{202e}exe.txt", &long];
    for (number, name) in names.into_iter().enumerate() {
        let mut digest = [number as u8; 20];
        digest[0] = 7;
        let digest = {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(digest)
        };
        bench.upstream.publish([with_inside(100 + 2 * number as u128, &file(name, &digest))]);
    }
    let run = bench.succeed().await;
    assert_eq!(run.new, names.len() as i64);
    let rows = bench.db.client().await.query("SELECT name FROM files", &[]).await.unwrap();
    let mut stored: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    stored.sort();
    let mut expected: Vec<String> = names.into_iter().map(str::to_owned).collect();
    expected.sort();
    assert_eq!(stored, expected);
    let app = bench.console().await;
    let visitor = app.sign_in_admin().await;
    let mut shown = Vec::new();
    for number in 0..expected.len() as u128 {
        let id = Doc::update(PRODUCT, 100 + 2 * number, 100).key.update_id;
        let page = visitor.get(&format!("/updates/{id}?tab=files")).await;
        // Set apart, so that a mark for right to left ends with the name.
        shown.extend(page.texts("bdi > code"));
    }
    shown.sort();
    assert_eq!(shown, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn r116_files_with_digests_that_cannot_be_right_are_marked_and_never_wanted() {
    let bench = Bench::start().await;
    change_options(&bench.db, |options| options.files.deferred = false).await;
    bench.upstream.publish(documents::categories());
    let good = "2jmj7l5rSw0yVb/vlWAYkK/YBwk=";
    bench.upstream.publish([
        with_inside(200, &file("good.cab", good)),
        with_inside(202, &file("short.cab", "AAAA")),
        with_inside(204, &file("empty.cab", "")),
        with_inside(206, &file("md5.cab", good).replace("SHA1", "MD5")),
    ]);
    assert_eq!(bench.succeed().await.new, 4, "the revisions are kept");
    let wanted = "SELECT f.name FROM content_files c JOIN files f ON f.id = c.file_row";
    let rows = bench.db.client().await.query(wanted, &[]).await.unwrap();
    let wanted: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(wanted, ["good.cab"]);
    let app = bench.console().await;
    let visitor = app.sign_in_admin().await;
    for (number, name) in [(202, "short.cab"), (204, "empty.cab"), (206, "md5.cab")] {
        let id = Doc::update(PRODUCT, number, 100).key.update_id;
        let text = visitor.get(&format!("/updates/{id}?tab=files")).await.text("main");
        assert!(text.contains("Some files cannot be used") && text.contains(name), "{text}");
    }
}
