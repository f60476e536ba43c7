//! Operations that have nothing to tell.

use rocket::http::Status;
use weir::protocol::server_sync::Cookie;
use weir::protocol::soap::{ErrorCode, Fault, Message, Method, Service, SoapVersion, Writer};

use super::Upstream;

/// The question as another server writes it, with further elements.
fn question(method: Method, cookie: Option<&Cookie>, more: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(SoapVersion::V11);
    writer.open_in(method.namespace(), method.name());
    if let Some(cookie) = cookie {
        writer.open("cookie");
        writer.text("Expiration", &cookie.expiration);
        writer.base64("EncryptedData", &cookie.encrypted_data);
        writer.close("cookie");
    }
    more(&mut writer);
    writer.close(method.name());
    writer.finish()
}

async fn ask(upstream: &Upstream, service: Service, body: Vec<u8>) -> (Status, String) {
    let answer = upstream.post(service.path(), body).await;
    (answer.status(), answer.into_string().await.unwrap())
}

const ASKED: [(Method, &str, &str); 4] = [
    (Method::GetUpdateDecryptionData, "updateIds", "<UpdateFileDecryptionData />"),
    (Method::GetDriverIdList, "filter", "<NewDriverSets />"),
    (Method::GetDriverSetData, "driverSets", "<DriverSets />"),
    (Method::GetRelatedRevisionsForUpdates, "updateIDs", "GetRelatedRevisionsForUpdatesResult"),
];

#[tokio::test(flavor = "multi_thread")]
async fn p49_rare_questions_are_answered_with_nothing() {
    let upstream = Upstream::start().await;
    let cookie = upstream.session().await;
    for (method, list, expected) in ASKED {
        let body = question(method, Some(&cookie), |writer| writer.empty(list));
        let (status, text) = ask(&upstream, Service::ServerSync, body).await;
        assert_eq!(status, Status::Ok, "{method:?}: {text}");
        assert!(text.contains(expected), "{method:?}: {text}");
        let answer = Message::open(text.as_bytes()).unwrap();
        assert_eq!(answer.element.name, method.response_name());
    }
    for service in [Service::ServerSync, Service::DssAuth, Service::Reporting] {
        let (status, text) =
            ask(&upstream, service, question(Method::Ping, None, |writer| writer.value("pingLevel", 1)))
                .await;
        assert_eq!(status, Status::Ok, "{text}");
        assert!(text.contains("<SuccessFlag>true</SuccessFlag>"), "{text}");
        assert!(!text.contains("ServicesMachine"), "nothing is told of this computer: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p49_they_need_a_session_and_what_they_ask_about() {
    let upstream = Upstream::start().await;
    let fault = |text: &str| Fault::from_message(Message::open(text.as_bytes()).unwrap()).unwrap();
    for (method, list, _) in ASKED {
        let body = question(method, None, |writer| writer.empty(list));
        let (status, text) = ask(&upstream, Service::ServerSync, body).await;
        assert_eq!(status, Status::InternalServerError, "{method:?}");
        assert_eq!(fault(&text).code, Some(ErrorCode::InvalidCookie), "{method:?}: {text}");
    }
    let cookie = upstream.session().await;
    let body = question(Method::GetDriverSetData, Some(&cookie), |_| {});
    let (_, text) = ask(&upstream, Service::ServerSync, body).await;
    assert_eq!(fault(&text).code, Some(ErrorCode::InvalidParameters), "{text}");
}
