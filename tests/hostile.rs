//! Time and memory of reading hostile messages and documents. A program of its own, because it counts what is allocated.

#[path = "hostile/counting.rs"]
mod counting;

use std::time::Duration;

use counting::measured;
use weir::protocol::ProtocolError;
use weir::protocol::cabinet::{self, CabinetError};
use weir::protocol::document::{DocumentError, UpdateDocument};
use weir::protocol::server_sync::{Cookie, GetCookieReply, GetUpdateDataReply, Reply, ReplyError};
use weir::protocol::soap::SoapVersion;

const MIB: usize = 1 << 20;

/// An update with something in its middle.
fn update(inside: &str) -> String {
    format!(
        "<upd:Update xmlns:upd=\"http://schemas.microsoft.com/msus/2002/12/Update\">\
         <upd:UpdateIdentity UpdateID=\"10000000-0000-4000-8000-0000000000b1\" RevisionNumber=\"200\"/>\
         <upd:Properties UpdateType=\"Software\"/>{inside}</upd:Update>"
    )
}

/// An answer of an update server with something in its middle.
fn answer(inside: &str) -> Vec<u8> {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <GetUpdateDataResponse xmlns=\"http://www.microsoft.com/SoftwareDistribution\">\
         <GetUpdateDataResult>{inside}</GetUpdateDataResult></GetUpdateDataResponse></s:Body></s:Envelope>"
    )
    .into_bytes()
}

/// The titles of an update.
fn titled(text: &str) -> String {
    update(&format!(
        "<upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Title>{text}</upd:Title>\
         </upd:LocalizedProperties></upd:LocalizedPropertiesCollection>"
    ))
}

#[test]
fn r096_every_document_type_is_refused_at_once_and_nothing_is_opened() {
    let bomb: String = std::iter::once("<!ENTITY a0 \"ha\">".to_owned())
        .chain((1..40).map(|n| format!("<!ENTITY a{n} \"&a{};&a{};\">", n - 1, n - 1)))
        .collect();
    // Opening this would wait for a writer that never comes.
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = pipe.display();
    let types = [
        format!("<!DOCTYPE x [{bomb}]>"),
        format!("<!DOCTYPE x SYSTEM \"file://{pipe}\">"),
        format!("<!DOCTYPE x [<!ENTITY a SYSTEM \"file://{pipe}\">]>"),
        format!("<!DOCTYPE x [<!ENTITY % p SYSTEM \"file://{pipe}\"> %p;]>"),
        "<!DOCTYPE x>".to_owned(),
    ];
    for text in &types {
        let document = format!("{text}{}", titled("&a39;"));
        let (read, used) = measured(|| UpdateDocument::parse(&document).map(drop));
        assert!(matches!(read, Err(DocumentError::DocumentType)), "{text:.60}: {read:?}");
        assert!(used.time < Duration::from_millis(50) && used.bytes < 20 * MIB, "{used:?}");
        let message = [text.as_bytes(), &answer("&a39;")].concat();
        let (read, used) = measured(|| GetUpdateDataReply::from_bytes(&message).map(drop));
        assert!(
            matches!(read, Err(ReplyError::Unreadable(ProtocolError::DocumentType))),
            "{text:.60}: {read:?}"
        );
        assert!(used.time < Duration::from_millis(50) && used.bytes < 20 * MIB, "{used:?}");
    }
    // XInclude is an element as any other that is not known.
    let include = "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" parse=\"text\" href=";
    let (read, used) = measured(|| UpdateDocument::parse(&titled(&format!("{include}\"file://{pipe}\"/>"))));
    let titles: Vec<String> =
        read.map(|one| one.titles.into_iter().map(|one| one.title).collect()).unwrap_or_default();
    assert!(titles.iter().all(String::is_empty), "{titles:?}");
    assert!(used.time < Duration::from_millis(50) && used.bytes < 20 * MIB, "{used:?}");
}

#[test]
fn r097_a_hundred_thousand_nested_elements_are_refused_without_a_deep_stack() {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let small_stack = std::thread::Builder::new().stack_size(256 << 10);
    let reading = small_stack.spawn(move || {
        let (document, message) = (update(&deep), answer(&deep));
        let (read, used) = measured(|| UpdateDocument::parse(&document).map(drop));
        assert!(matches!(read, Err(DocumentError::TooDeep { .. })), "{read:?}");
        assert!(used.time < Duration::from_secs(1) && used.bytes < MIB, "{used:?}");
        let (read, used) = measured(|| GetUpdateDataReply::from_bytes(&message).map(drop));
        assert!(matches!(read, Err(ReplyError::Unreadable(ProtocolError::TooDeep { .. }))), "{read:?}");
        assert!(used.time < Duration::from_secs(1) && used.bytes < MIB, "{used:?}");
    });
    reading.unwrap().join().unwrap();
}

#[test]
fn r098_a_hundred_thousand_attributes_or_namespaces_are_refused_within_a_second() {
    for attribute in ["a#=\"\"", "xmlns:a#=\"u\""] {
        let many: String =
            (0..100_000).map(|number| format!(" {}", attribute.replace('#', &number.to_string()))).collect();
        let (document, message) = (update(&format!("<x{many}/>")), answer(&format!("<x{many}/>")));
        let (read, used) = measured(|| UpdateDocument::parse(&document).map(drop));
        let is_count = match &read {
            Err(DocumentError::TooMany { .. }) => true,
            Err(DocumentError::NotWellFormed { reason, .. }) => reason.contains("namespace"),
            _ => false,
        };
        assert!(is_count, "{attribute}: {read:?}");
        assert!(used.time < Duration::from_secs(1) && used.bytes < 4 * MIB, "{used:?}");
        let (read, used) = measured(|| GetUpdateDataReply::from_bytes(&message).map(drop));
        assert!(matches!(read, Err(ReplyError::Unreadable(_))), "{attribute}: {read:?}");
        assert!(used.time < Duration::from_secs(1) && used.bytes < 4 * MIB, "{used:?}");
    }
}

#[test]
fn r099_fifty_megabytes_in_one_text_end_at_the_limit_of_the_field() {
    let document = titled(&"x".repeat(50 * MIB));
    let (read, used) = measured(|| UpdateDocument::parse(&document).map(drop));
    assert!(matches!(read, Err(DocumentError::TooLong { .. })), "{read:?}");
    assert!(used.time < Duration::from_secs(10) && used.bytes < 2 * MIB, "{used:?}");
    let long = "x".repeat(50 * MIB);
    let cookie = Cookie { expiration: long, encrypted_data: vec![1] };
    let message = GetCookieReply { cookie }.to_bytes(SoapVersion::V11);
    let (read, used) = measured(|| GetCookieReply::from_bytes(&message).map(drop));
    assert!(matches!(read, Err(ReplyError::Unreadable(_))), "{read:?}");
    assert!(used.time < Duration::from_secs(10) && used.bytes < 130 * MIB, "{used:?}");
}

#[test]
fn r099_ten_million_tiny_elements_are_refused_by_their_count_in_flat_memory() {
    let document = update(&"<a/>".repeat(10_000_000));
    let (read, used) = measured(|| UpdateDocument::parse(&document).map(drop));
    assert!(matches!(read, Err(DocumentError::TooMany { what: "elements", .. })), "{read:?}");
    println!("ten million elements: {used:?}");
    assert!(used.bytes < MIB, "{used:?}");
}

#[test]
fn r100_a_bomb_in_a_cabinet_costs_no_more_than_its_limit() {
    let big = cabinet::encode_mszip(&" ".repeat(32 * MIB)).unwrap();
    assert!(big.len() < MIB);
    let (read, used) = measured(|| cabinet::decode(&big, 4 * MIB).map(drop));
    assert!(matches!(read, Err(CabinetError::TooLarge { .. })), "{read:?}");
    assert!(used.bytes < MIB, "refused before it is unpacked: {used:?}");
    // A directory that lies about the size: what is unpacked stays under the limit.
    let mut lies = big;
    lies[44..48].copy_from_slice(&1_000_u32.to_le_bytes());
    let (read, used) = measured(|| cabinet::decode(&lies, 4 * MIB).map(drop));
    println!("a size that lies: {:?} {used:?}", read.as_ref().map_err(ToString::to_string));
    assert!(used.bytes < 12 * MIB, "{used:?}");
}
