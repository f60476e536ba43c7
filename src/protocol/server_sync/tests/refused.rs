//! Messages with a fault in them: each is refused by name, and none for too little.

use super::super::*;
use super::*;

#[test]
fn values_that_are_none_are_refused_by_name() {
    for (id, number) in [
        ("{0fa1201d-4330-4fa8-8ae9-b877473b6441}", "1"),
        ("00000000-0000-0000-0000-000000000000", "1"),
        ("0fa1201d-4330-4fa8-8ae9-b877473b6441", "-1"),
        ("0fa1201d-4330-4fa8-8ae9-b877473b6441", "2147483648"),
        ("", "1"),
    ] {
        let fields = format!(
            "<Anchor>a</Anchor><NewRevisions><UpdateIdentity><UpdateID>{id}</UpdateID>\
            <RevisionNumber>{number}</RevisionNumber></UpdateIdentity></NewRevisions>"
        );
        let error =
            GetRevisionIdListReply::from_bytes(&sync_reply(Method::GetRevisionIdList, &fields)).unwrap_err();
        assert!(matches!(&error, ReplyError::Unreadable(ProtocolError::BadValue { .. })), "{error}");
    }
}

#[test]
fn scalar_fields_must_not_come_twice_and_required_ones_must_come() {
    let read =
        |fields: &str| GetRevisionIdListReply::from_bytes(&sync_reply(Method::GetRevisionIdList, fields));
    let repeated = read("<Anchor>a</Anchor><Anchor>b</Anchor><NewRevisions />").unwrap_err();
    assert_eq!(repeated, ReplyError::Unreadable(ProtocolError::Repeated { field: "Anchor" }));
    let missing = read("<NewRevisions />").unwrap_err();
    assert_eq!(missing, ReplyError::Unreadable(ProtocolError::Missing { field: "Anchor" }));
    assert!(read("<Anchor /><NewRevisions />").is_err());
    assert!(read("<Anchor><b>x</b></Anchor><NewRevisions />").is_err());
}

#[test]
fn exactly_one_document_form_is_accepted() {
    let id = "<Id><UpdateID>0fa1201d-4330-4fa8-8ae9-b877473b6441</UpdateID><RevisionNumber>1</RevisionNumber></Id>";
    let read = |blob: &str| {
        let fields = format!("<updates><ServerSyncUpdateData>{blob}{id}</ServerSyncUpdateData></updates>");
        GetUpdateDataReply::from_bytes(&sync_reply(Method::GetUpdateData, &fields))
    };
    let text = "<XmlUpdateBlob>&lt;a&gt;&#x41;<![CDATA[<b/>]]></XmlUpdateBlob>";
    let cabinet = "<XmlUpdateBlobCompressed>TVND\n Rg==</XmlUpdateBlobCompressed>";
    assert_eq!(read(text).unwrap().updates[0].blob, UpdateBlob::Text("<a>A<b/>".into()));
    assert_eq!(read(cabinet).unwrap().updates[0].blob, UpdateBlob::Compressed(b"MSCF".to_vec()));
    assert!(read(&format!("{text}<XmlUpdateBlobCompressed />")).is_ok());
    assert!(read(&format!("{text}{cabinet}")).is_err());
    assert!(read("").is_err());
}

#[test]
fn p20_an_answer_ends_at_an_item_and_keeps_at_least_one() {
    let update = |id, len| UpdateData {
        key: key(id, 1),
        blob: UpdateBlob::Text("x".repeat(len)),
        file_digests: vec![Sha1Digest([id as u8; 20])],
    };
    let url = |id: u8| FileUrl { digest: Sha1Digest([id; 20]), mu_url: None };
    let whole = GetUpdateDataReply {
        updates: vec![update(1, 5_000), update(2, 5_000), update(3, 5_000)],
        file_urls: vec![url(1), url(2), url(3)],
    };
    for (limit, left) in [(1, 1), (6_000, 1), (11_000, 2), (1_000_000, 3)] {
        let mut reply = whole.clone();
        reply.fit(limit);
        assert_eq!((reply.updates.len(), reply.file_urls.len()), (left, left), "{limit}");
    }
}

#[test]
fn p09_faults_are_read_in_both_shapes() {
    let fault = Fault::new(ErrorCode::InvalidParameters, "filter", "5a5f8a1e", "http://x/GetRevisionIdList");
    for version in BOTH {
        let bytes = fault.to_bytes(version, "/ServerSyncWebService/ServerSyncWebService.asmx");
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("<ErrorCode>InvalidParameters</ErrorCode><Message>filter</Message>"));
        assert!(!text.contains("xmlns=\""), "the detail's children are in no namespace");
        let read = GetCookieReply::from_bytes(&bytes).unwrap_err();
        assert_eq!(read, ReplyError::Fault(Box::new(fault.clone())));
        assert_eq!(read.to_string(), "it answered InvalidParameters (filter)");
    }
    let ns = SoapVersion::V12.namespace();
    let odd = format!(
        r#"<e:Envelope xmlns:e="{ns}"><e:Body><e:Fault><e:Code><e:Value>e:Sender</e:Value></e:Code>
        <e:Reason><e:Text xml:lang="en">no</e:Text></e:Reason><Detail><ErrorCode>Strange</ErrorCode></Detail>
        </e:Fault></e:Body></e:Envelope>"#
    );
    let Err(ReplyError::Fault(read)) = GetCookieReply::from_bytes(odd.as_bytes()) else { panic!("a fault") };
    assert_eq!(read.code, Some(ErrorCode::Other("Strange".into())));
    assert_eq!(read.reason, "no");
    let without = envelope(
        "<s:Fault><faultcode>s:Server</faultcode><faultstring>Busy\u{1F980}</faultstring></s:Fault>",
    );
    let Err(ReplyError::Fault(read)) = GetCookieReply::from_bytes(&without) else { panic!("a fault") };
    assert_eq!((read.code.clone(), read.to_string()), (None, "Busy\u{1F980}".to_owned()));
}

#[test]
fn p57_hostile_xml_is_refused_within_limits() {
    let open = |bytes: &[u8]| GetCookieReply::from_bytes(bytes).unwrap_err();
    let bomb = br#"<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;">]><a>&m;</a>"#;
    assert_eq!(open(bomb), ReplyError::Unreadable(ProtocolError::DocumentType));
    assert_eq!(open(b"<!DOCTYPE html><html></html>"), ReplyError::Unreadable(ProtocolError::DocumentType));
    let deep = envelope(&"<a>".repeat(100_000));
    assert!(matches!(open(&deep), ReplyError::Unreadable(_)));
    let inside = sync_reply(Method::GetCookie, &format!("{}{}", "<a>".repeat(40), "</a>".repeat(40)));
    assert!(matches!(open(&inside), ReplyError::Unreadable(ProtocolError::TooDeep { .. })));
    let entity = sync_reply(Method::GetCookie, "<Expiration>&lol;</Expiration>");
    assert!(matches!(open(&entity), ReplyError::Unreadable(ProtocolError::UnknownEntity { .. })));
    let attributes: String = (0..100).map(|n| format!(" a{n}=\"1\"")).collect();
    let many = sync_reply(Method::GetCookie, &format!("<Expiration{attributes} />"));
    assert!(matches!(open(&many), ReplyError::Unreadable(ProtocolError::TooManyAttributes { .. })));
    let long = sync_reply(Method::GetCookie, &format!("<Expiration a=\"{}\" />", "x".repeat(10_000)));
    assert!(matches!(open(&long), ReplyError::Unreadable(ProtocolError::TagTooLong { .. })));
    let text = sync_reply(Method::GetCookie, &format!("<Expiration>{}</Expiration>", "x".repeat(70_000)));
    assert!(matches!(open(&text), ReplyError::Unreadable(ProtocolError::TextTooLong { .. })));
    let nul = sync_reply(Method::GetCookie, "<Expiration>&#0;</Expiration>");
    assert!(matches!(open(&nul), ReplyError::Unreadable(ProtocolError::NotXml { .. })));
    let bell = sync_reply(Method::GetCookie, "<Expiration>&#7;</Expiration>");
    assert!(matches!(open(&bell), ReplyError::Unreadable(ProtocolError::NotXml { .. })));
}

#[test]
fn r218_what_is_no_soap_message_says_so() {
    let open = |bytes: &[u8]| Message::open(bytes).map(|message| message.element.name).unwrap_err();
    assert!(
        matches!(open(b"<html><body/></html>"), ProtocolError::NotAnEnvelope { found } if found == "html")
    );
    for nothing in [&b""[..], b"   ", b"hello", b"{}", b"<", b"\xff\xfe<\0"] {
        assert!(open(nothing).is_not_xml(), "{nothing:?}");
    }
    let utf16 = br#"<?xml version="1.0" encoding="utf-16"?><a/>"#;
    assert_eq!(open(utf16), ProtocolError::NotUtf8);
    let ns = SoapVersion::V11.namespace();
    let no_body = format!(r#"<s:Envelope xmlns:s="{ns}"><s:Header/></s:Envelope>"#);
    assert_eq!(open(no_body.as_bytes()), ProtocolError::NoBody);
    assert_eq!(open(&envelope(" ")), ProtocolError::EmptyBody);
    assert!(matches!(open(b"<Envelope><Body/></Envelope>"), ProtocolError::NotAnEnvelope { .. }));
}

#[test]
fn r218_two_bodies_and_trailing_elements_are_refused() {
    let ns = SoapVersion::V11.namespace();
    let call = format!(r#"<GetAuthConfig xmlns="{}"/>"#, Method::GetAuthConfig.namespace());
    let read = |text: String| GetAuthConfig::from_message(Message::open(text.as_bytes())?);
    let body = format!("<s:Body>{call}</s:Body>");
    assert!(
        read(format!(
            r#"<s:Envelope xmlns:s="{ns}"><s:Header><x/></s:Header>{body}</s:Envelope><!-- fine -->"#
        ))
        .is_ok()
    );
    assert_eq!(
        read(format!(r#"<s:Envelope xmlns:s="{ns}">{body}{body}</s:Envelope>"#)),
        Err(ProtocolError::TwoBodies)
    );
    assert!(read(format!(r#"<s:Envelope xmlns:s="{ns}">{body}</s:Envelope><x/>"#)).is_err());
}

#[test]
fn p03_the_element_decides_which_operation_it_is() {
    let wrong = envelope(
        r#"<GetCookie xmlns="http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService"/>"#,
    );
    assert_eq!(Message::open(&wrong).unwrap().method(), None);
    let bytes = GetAuthConfig.to_bytes(SoapVersion::V11);
    let error = GetCookie::from_message(Message::open(&bytes).unwrap()).unwrap_err();
    assert!(matches!(error, ProtocolError::WrongMessage { wanted: "GetCookie", .. }));
}

#[test]
fn a_wrong_parameter_is_named() {
    let call = |filter: &str| {
        envelope(&format!(
            r#"<GetRevisionIdList xmlns="{}">{filter}</GetRevisionIdList>"#,
            Method::GetRevisionIdList.namespace()
        ))
    };
    for filter in [
        "",
        "<filter />",
        "<filter><GetConfig>perhaps</GetConfig></filter>",
        "<filter><GetConfig>true</GetConfig><GetConfig>true</GetConfig></filter>",
        "<filter><GetConfig>true</GetConfig><Categories><IdAndDelta><Id>x</Id></IdAndDelta></Categories></filter>",
    ] {
        let bytes = call(filter);
        let error = GetRevisionIdList::from_message(Message::open(&bytes).unwrap()).unwrap_err();
        assert_eq!(error.parameter(), Some("filter"), "{filter}");
    }
    let bytes = call("<cookie /><filter><GetConfig>0</GetConfig></filter>");
    let request = GetRevisionIdList::from_message(Message::open(&bytes).unwrap()).unwrap();
    assert_eq!(request, GetRevisionIdList { cookie: None, filter: RevisionFilter::default() });
}

#[test]
fn r221_a_cookie_that_is_no_base64_is_no_cookie() {
    let ns = Method::GetUpdateData.namespace();
    let bytes = envelope(&format!(
        r#"<GetUpdateData xmlns="{ns}"><cookie><EncryptedData>%%%</EncryptedData>
        <Expiration>x</Expiration></cookie><updateIds xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/></GetUpdateData>"#
    ));
    let request = GetUpdateData::from_message(Message::open(&bytes).unwrap()).unwrap();
    assert_eq!(request, GetUpdateData { cookie: None, update_ids: vec![] });
}

#[test]
fn p55_a_list_of_25_000_ids_is_read_and_sorted() {
    let new_revisions: Vec<_> = (1..=25_000).map(|id| key(id, 200)).collect();
    let mut backwards = new_revisions.clone();
    backwards.reverse();
    let anchor = SyncAnchor::parse("a").unwrap();
    let bytes = GetRevisionIdListReply { anchor: anchor.clone(), new_revisions: backwards }
        .to_bytes(SoapVersion::V11);
    let read = GetRevisionIdListReply::from_bytes(&bytes).unwrap();
    assert_eq!(read, GetRevisionIdListReply { anchor, new_revisions });
}
