//! The messages as a whole: both SOAP versions, any order, any prefix, and everything that is wrong.

use uuid::Uuid;

use super::*;
use crate::protocol::ids::{ConfigAnchor, RevisionKey, Sha1Digest, SyncAnchor};
use crate::protocol::soap::{ErrorCode, Message};

const BOTH: [SoapVersion; 2] = [SoapVersion::V11, SoapVersion::V12];

fn cookie() -> Option<Cookie> {
    let expiration = "2026-11-22T18:00:00.1234567Z".to_owned();
    Some(Cookie { expiration, encrypted_data: vec![0, 1, 2, 255] })
}

fn key(id: u128, revision: i32) -> RevisionKey {
    RevisionKey { update_id: Uuid::from_u128(id), revision }
}

fn envelope(inner: &str) -> Vec<u8> {
    let ns = SoapVersion::V11.namespace();
    format!(r#"<s:Envelope xmlns:s="{ns}"><s:Body>{inner}</s:Body></s:Envelope>"#).into_bytes()
}

fn sync_reply(method: Method, fields: &str) -> Vec<u8> {
    let (ns, name, result) = (method.namespace(), method.response_name(), method.result_name());
    envelope(&format!(r#"<{name} xmlns="{ns}"><{result}>{fields}</{result}></{name}>"#))
}

#[track_caller]
fn request_survives<R: Request + PartialEq + std::fmt::Debug>(request: &R) {
    for version in BOTH {
        let bytes = request.to_bytes(version);
        let message = Message::open(&bytes).unwrap();
        assert_eq!((message.version, message.method()), (version, Some(R::METHOD)));
        assert_eq!(&R::from_message(message).unwrap(), request);
    }
}

#[track_caller]
fn reply_survives<R: Reply + PartialEq + std::fmt::Debug>(reply: &R) {
    for version in BOTH {
        let bytes = reply.to_bytes(version);
        assert_eq!(&R::from_bytes(&bytes).unwrap(), reply);
        // Cut at every twentieth of its length: always an error, never half an answer.
        for part in 0..20 {
            let cut = &bytes[..bytes.len() * part / 20];
            assert!(matches!(R::from_bytes(cut), Err(ReplyError::Unreadable(_))), "{part}/20");
        }
    }
}

fn filter() -> RevisionFilter {
    RevisionFilter {
        anchor: Some(SyncAnchor::parse("9438,2026-11-21 02:00:00.000").unwrap()),
        categories: vec![IdAndDelta { id: Uuid::from_u128(1), delta: true }],
        classifications: vec![IdAndDelta { id: Uuid::from_u128(2), delta: false }],
        languages: vec![LanguageAndDelta { id: 1033, delta: true }],
        ..RevisionFilter::default()
    }
}

fn config() -> GetConfigDataReply {
    GetConfigDataReply {
        catalog_only_sync: true,
        lazy_sync: true,
        server_hosts_psf_files: false,
        computer_ids_max: 200,
        driver_sets_max: 100,
        hardware_ids_max: 450,
        updates_max: 90,
        new_config_anchor: ConfigAnchor::parse("2026-10-05 17:27:44.393").unwrap(),
        protocol_version: Some("1.21".to_owned()),
        languages: vec![Language {
            id: 0,
            short_name: "all".into(),
            long_name: "All & more".into(),
            enabled: true,
        }],
        decryption_updates_max: 500,
    }
}

#[test]
fn p02_requests_come_back_in_both_soap_versions() {
    request_survives(&GetAuthConfig);
    request_survives(&GetAuthorizationCookie {
        account_name: "wsus02.example.org".into(),
        account_guid: Uuid::from_u128(7).to_string(),
    });
    let auth = AuthorizationCookie { plug_in_id: "DssTargeting".into(), cookie_data: vec![9; 300] };
    request_survives(&GetCookie {
        auth_cookies: vec![auth],
        old_cookie: cookie(),
        protocol_version: "1.20".into(),
    });
    let config_anchor = Some(ConfigAnchor::parse("1,2026-10-04 16:33:26.670").unwrap());
    request_survives(&GetConfigData { cookie: cookie(), config_anchor });
    request_survives(&GetRevisionIdList { cookie: cookie(), filter: filter() });
    request_survives(&GetUpdateData {
        cookie: cookie(),
        update_ids: vec![key(1, 1), key(1, 1), key(2, 200)],
    });
}

#[test]
fn answers_come_back_and_are_never_taken_for_whole_when_cut() {
    reply_survives(&GetAuthConfigReply {
        plug_ins: vec![AuthPlugIn { plug_in_id: "DssTargeting".into(), service_url: "Dss/Dss.asmx".into() }],
    });
    reply_survives(&GetAuthorizationCookieReply {
        cookie: AuthorizationCookie { plug_in_id: "DssTargeting".into(), cookie_data: vec![1; 496] },
    });
    reply_survives(&GetCookieReply { cookie: cookie().unwrap() });
    reply_survives(&config());
    reply_survives(&GetRevisionIdListReply {
        anchor: SyncAnchor::parse("1,2026-11-22 18:00:00.000").unwrap(),
        new_revisions: (1..50).map(|id| key(id, 1)).collect(),
    });
    let document = "<upd:Update a=\"1 & 2\">\r\n\t]]> ä \u{1F980} &lt;</upd:Update>\r";
    reply_survives(&GetUpdateDataReply {
        updates: vec![
            UpdateData { key: key(1, 1), blob: UpdateBlob::Text(document.into()), file_digests: vec![] },
            UpdateData {
                key: key(2, 200),
                blob: UpdateBlob::Compressed(b"MSCF\0\xff".repeat(90)),
                file_digests: vec![Sha1Digest([1; 20]), Sha1Digest([0; 20])],
            },
        ],
        file_urls: vec![
            FileUrl { digest: Sha1Digest([1; 20]), mu_url: Some("http://dl.example/a?b=1&c=2".into()) },
            FileUrl { digest: Sha1Digest([0; 20]), mu_url: None },
        ],
    });
}

#[test]
fn p22_children_are_written_in_the_schemas_order() {
    let text = String::from_utf8(
        GetRevisionIdList { cookie: cookie(), filter: filter() }.to_bytes(SoapVersion::V11),
    );
    let text = text.unwrap();
    let names = [
        "<cookie>",
        "<Expiration>",
        "<EncryptedData>",
        "<filter>",
        "<Anchor>",
        "<GetConfig>",
        "<Get63LanguageOnly>",
        "<Categories>",
        "<Classifications>",
        "<Languages>",
    ];
    let places: Vec<_> = names.iter().map(|name| text.find(name).expect(name)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(text.starts_with(r#"<?xml version="1.0" encoding="utf-8"?><soap:Envelope "#));

    let update = UpdateData {
        key: key(1, 1),
        blob: UpdateBlob::Compressed(vec![1]),
        file_digests: vec![Sha1Digest([1; 20])],
    };
    let reply = GetUpdateDataReply { updates: vec![update], file_urls: vec![] };
    let text = String::from_utf8(reply.to_bytes(SoapVersion::V11)).unwrap();
    let names = ["<Id>", "<FileDigestList>", "<XmlUpdateBlobCompressed>", "<fileUrls />"];
    let places: Vec<_> = names.iter().map(|name| text.find(name).expect(name)).collect();
    assert!(places.is_sorted(), "p19: {places:?}");
    assert!(!text.contains("<XmlUpdateBlob>"));
}

#[test]
fn p11_the_configuration_is_written_in_the_schemas_order() {
    let text = String::from_utf8(config().to_bytes(SoapVersion::V11)).unwrap();
    let names = [
        "CatalogOnlySync",
        "LazySync",
        "ServerHostsPsfFiles",
        "MaxNumberOfComputerIdsInRequest",
        "MaxNumberOfDriverSetsPerRequest",
        "MaxNumberOfPnpHardwareIdsInRequest",
        "MaxNumberOfUpdatesPerRequest",
        "NewConfigAnchor",
        "ProtocolVersion",
        "LanguageUpdateList",
        "MaxUpdatesPerRequestInGetUpdateDecryptionData",
    ];
    let places: Vec<_> = names.iter().map(|name| text.find(&format!("<{name}>")).expect(name)).collect();
    assert!(places.is_sorted());
}

#[test]
fn p23_the_configuration_is_read_in_microsofts_order_too() {
    let bytes = sync_reply(
        Method::GetConfigData,
        "<CatalogOnlySync>1</CatalogOnlySync><LazySync>true</LazySync>\
        <ServerHostsPsfFiles>true</ServerHostsPsfFiles><MaxNumberOfUpdatesPerRequest>100</MaxNumberOfUpdatesPerRequest>\
        <MaxNumberOfDriverSetsPerRequest>100</MaxNumberOfDriverSetsPerRequest>\
        <MaxNumberOfComputerIdsInRequest>200</MaxNumberOfComputerIdsInRequest>\
        <MaxNumberOfPnpHardwareIdsInRequest>450</MaxNumberOfPnpHardwareIdsInRequest>\
        <NewConfigAnchor>2026-10-05 17:27:44.393</NewConfigAnchor><Unknown><x/></Unknown><LanguageUpdateList />",
    );
    let reply = GetConfigDataReply::from_bytes(&bytes).unwrap();
    assert!(reply.catalog_only_sync && reply.lazy_sync && reply.languages.is_empty());
    assert_eq!((reply.batch_size(), reply.computer_ids_max, reply.hardware_ids_max), (100, 200, 450));
    assert_eq!((reply.protocol_version, reply.decryption_updates_max), (None, 0));
}

#[test]
fn a_senseless_batch_size_becomes_a_usable_one() {
    let size = |updates_max| GetConfigDataReply { updates_max, ..config() }.batch_size();
    assert_eq!([0, -5, 1, 100, i32::MAX].map(size), [100, 100, 1, 100, GetConfigDataReply::BATCH_SIZE_MAX]);
}

#[test]
fn p34_a_list_folds_repeated_ids_of_any_letter_case() {
    let id = "0FA1201D-4330-4fa8-8ae9-b877473b6441";
    let item = |id: &str| {
        format!(
            "<UpdateIdentity><RevisionNumber>7</RevisionNumber><UpdateID> {id}\n</UpdateID></UpdateIdentity>"
        )
    };
    let nil = r#"<UpdateIdentity xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true" />"#;
    let fields = format!(
        "<NewRevisions>{}{nil}{}</NewRevisions><Anchor>a</Anchor>",
        item(id),
        item(&id.to_lowercase())
    );
    let reply = GetRevisionIdListReply::from_bytes(&sync_reply(Method::GetRevisionIdList, &fields)).unwrap();
    assert_eq!(reply.new_revisions, [RevisionKey { update_id: id.parse().unwrap(), revision: 7 }]);
}

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
