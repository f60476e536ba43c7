//! The messages as a whole: both SOAP versions, any order, any prefix, and everything that is wrong.

mod refused;

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
