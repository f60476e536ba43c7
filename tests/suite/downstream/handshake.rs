//! Authorization, cookies, faults, and paths in any form.

use uuid::Uuid;
use weir::protocol::ids::ConfigAnchor;
use weir::protocol::server_sync::{
    GetAuthConfig, GetAuthorizationCookie, GetConfigData, GetCookie, GetRevisionIdList, GetUpdateData,
    Request, RevisionFilter,
};
use weir::protocol::soap::{ErrorCode, SoapVersion};

use super::{AUTH, SYNC, Upstream, assert_code};

fn account(name: &str, guid: &str) -> GetAuthorizationCookie {
    GetAuthorizationCookie { account_name: name.into(), account_guid: guid.into() }
}

const GUID: &str = "0b2d9ea6-7a4f-4d8a-8a1c-a2b3c4d5e6f7";

#[tokio::test(flavor = "multi_thread")]
async fn p01_paths_in_any_letter_case_and_with_doubled_slashes_answer() {
    let upstream = Upstream::start().await;
    let question = GetAuthConfig.to_bytes(SoapVersion::V11);
    for path in [
        SYNC.to_owned(),
        SYNC.to_lowercase(),
        SYNC.to_uppercase(),
        format!("/{SYNC}"),
        SYNC.replace('/', "//"),
    ] {
        assert_eq!(upstream.post(&path, question.clone()).await.status().code, 200, "{path}");
    }
    let question = account("a.example", GUID).to_bytes(SoapVersion::V11);
    let doubled = format!("/{AUTH}");
    assert_eq!(upstream.post(&doubled, question).await.status().code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_an_answer_uses_the_soap_version_of_its_question() {
    let upstream = Upstream::start().await;
    for version in [SoapVersion::V11, SoapVersion::V12] {
        let response = upstream.post(SYNC, GetAuthConfig.to_bytes(version)).await;
        assert_eq!(response.headers().get_one("Content-Type"), Some(version.content_type()));
        assert!(response.into_string().await.unwrap().contains(version.namespace()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p03_unknown_operations_and_operations_at_the_wrong_service_get_a_fault() {
    let upstream = Upstream::start().await;
    let question = String::from_utf8(GetAuthConfig.to_bytes(SoapVersion::V12)).unwrap();
    for name in ["Surprise", "DownloadFiles", "GetDeployments"] {
        let response = upstream.post(SYNC, question.replace("GetAuthConfig", name).into_bytes()).await;
        assert_eq!(response.status().code, 500, "{name}");
        assert!(response.into_string().await.unwrap().contains("<ErrorCode>InvalidParameters</ErrorCode>"));
    }
    let elsewhere = upstream.post(AUTH, question.into_bytes()).await;
    assert_eq!(elsewhere.status().code, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_the_authorization_service_is_named_relative_to_the_root() {
    let upstream = Upstream::start().await;
    let plug_ins = upstream.call(&GetAuthConfig).await.unwrap().plug_ins;
    assert_eq!(plug_ins.len(), 1);
    assert_eq!(plug_ins[0].plug_in_id, "DssTargeting");
    assert_eq!(format!("/{}", plug_ins[0].service_url), AUTH);
}

#[tokio::test(flavor = "multi_thread")]
async fn p06_a_downstream_server_is_remembered_once_under_its_newest_name() {
    let upstream = Upstream::start().await;
    upstream.call(&account("old.example.org", GUID)).await.unwrap();
    upstream.call(&account("new.example.org", &GUID.to_uppercase())).await.unwrap();
    upstream.session().await;
    let rows = upstream.database.client().await;
    let rows = rows.query("SELECT server_id, name, protocol FROM downstream_servers", &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, Uuid>(0).to_string(), GUID);
    assert_eq!((rows[0].get::<_, &str>(1), rows[0].get::<_, &str>(2)), ("wsus02.example.org", "1.20"));
}

#[tokio::test(flavor = "multi_thread")]
async fn p07_a_bad_account_is_refused_by_name() {
    let upstream = Upstream::start().await;
    let long = "a".repeat(300);
    for (name, guid, parameter) in [
        ("", GUID, "accountName"),
        ("<script>", GUID, "accountName"),
        (&long, GUID, "accountName"),
        ("a.example", "", "accountGuid"),
        ("a.example", "{0b2d9ea6-7a4f-4d8a-8a1c-a2b3c4d5e6f7}", "accountGuid"),
        ("a.example", "00000000-0000-0000-0000-000000000000", "accountGuid"),
    ] {
        assert_code(&upstream.fault(&account(name, guid)).await, ErrorCode::InvalidParameters, parameter);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p08_a_session_needs_one_good_authorization_cookie_and_a_version() {
    let upstream = Upstream::start().await;
    let good = upstream.call(&account("a.example", GUID)).await.unwrap().cookie;
    let ask = |cookies: Vec<_>, version: &str| GetCookie {
        auth_cookies: cookies,
        old_cookie: None,
        protocol_version: version.into(),
    };
    let fault = async |request: GetCookie| upstream.fault(&request).await;
    assert_code(&fault(ask(vec![], "1.20")).await, ErrorCode::InvalidParameters, "authCookies");
    let two = vec![good.clone(), good.clone()];
    assert_code(&fault(ask(two, "1.20")).await, ErrorCode::InvalidParameters, "authCookies");
    for version in ["", "abc", "1", "1.x"] {
        let fault = fault(ask(vec![good.clone()], version)).await;
        assert_code(&fault, ErrorCode::InvalidParameters, "protocolVersion");
    }
    for version in ["2.0", "0.9"] {
        let fault = fault(ask(vec![good.clone()], version)).await;
        assert_code(&fault, ErrorCode::IncompatibleProtocolVersion, "");
    }
    for data in [vec![], vec![1; 100], upstream.session().await.encrypted_data] {
        let mut bad = good.clone();
        bad.cookie_data = data;
        assert_code(&fault(ask(vec![bad], "1.20")).await, ErrorCode::InvalidAuthorizationCookie, "");
    }
    assert!(upstream.call(&ask(vec![good], "1.99")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_every_later_call_needs_an_unharmed_cookie() {
    let upstream = Upstream::start().await;
    let good = upstream.session().await;
    let mut harmed = good.clone();
    harmed.encrypted_data[30] ^= 1;
    for cookie in [None, Some(harmed)] {
        let config = GetConfigData { cookie: cookie.clone(), config_anchor: None };
        let list = GetRevisionIdList { cookie: cookie.clone(), filter: RevisionFilter::default() };
        let data = GetUpdateData { cookie, update_ids: vec![] };
        let fault = upstream.fault(&config).await;
        assert_code(&fault, ErrorCode::InvalidCookie, "");
        assert_eq!(fault.method, "\"http://www.microsoft.com/SoftwareDistribution/GetConfigData\"");
        assert!(Uuid::try_parse(&fault.id).is_ok());
        assert_code(&upstream.fault(&list).await, ErrorCode::InvalidCookie, "");
        assert_code(&upstream.fault(&data).await, ErrorCode::InvalidCookie, "");
    }
    // What stands in the clear decides nothing.
    let mut wishful = good;
    wishful.expiration = "9999-12-31T23:59:59.9999999".into();
    assert!(upstream.call(&GetConfigData { cookie: Some(wishful), config_anchor: None }).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_a_cookie_outlives_a_restart_but_not_the_servers_identity() {
    let upstream = Upstream::start().await;
    let config = GetConfigData { cookie: Some(upstream.session().await), config_anchor: None };
    let upstream = upstream.restart(Uuid::from_u128(77)).await;
    assert!(upstream.call(&config).await.is_ok());
    let upstream = upstream.restart(Uuid::from_u128(78)).await;
    assert_code(&upstream.fault(&config).await, ErrorCode::ServerChanged, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn p11_the_languages_come_with_the_first_configuration_only() {
    let upstream = Upstream::start().await;
    let cookie = Some(upstream.session().await);
    let first = upstream.call(&GetConfigData { cookie: cookie.clone(), config_anchor: None }).await.unwrap();
    assert_eq!((first.languages.len(), first.languages[0].id, first.batch_size()), (39, 0, 100));
    assert_eq!(first.protocol_version.as_deref(), Some("1.20"));
    let again = GetConfigData { cookie: cookie.clone(), config_anchor: Some(first.new_config_anchor) };
    assert!(upstream.call(&again).await.unwrap().languages.is_empty());
    let garbage = GetConfigData { cookie, config_anchor: Some(ConfigAnchor::parse("garbage").unwrap()) };
    assert_code(&upstream.fault(&garbage).await, ErrorCode::InvalidParameters, "configAnchor");
}

#[tokio::test(flavor = "multi_thread")]
async fn r218_what_is_no_soap_is_a_bad_request_and_too_much_is_refused() {
    let upstream = Upstream::start().await;
    for body in ["", "hello", "<html/>", "\u{0}"] {
        assert_eq!(upstream.post(SYNC, body.into()).await.status().code, 400, "{body}");
    }
    let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
    assert_eq!(upstream.post(SYNC, bomb.into()).await.status().code, 500);
    assert_eq!(upstream.post(SYNC, vec![b' '; 4 * 1024 * 1024 + 1]).await.status().code, 413);
    assert_eq!(upstream.client.get(SYNC).dispatch().await.status().code, 404);
}
