//! The upstream role: what a downstream server asks and gets, through the real routes.

mod content;
mod documents;
mod handshake;
mod lists;
mod rare;

use std::sync::Arc;

use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use uuid::Uuid;
use weir::downstream::{self, Limits, NormalisePath, Services};
use weir::protocol::server_sync::{
    Cookie, GetAuthorizationCookie, GetCookie, GetRevisionIdList, Reply, ReplyError, Request, RevisionFilter,
};
use weir::protocol::soap::{ErrorCode, Fault, SoapVersion};
use weir::secret::SecretKey;

use crate::support::TestDatabase;

pub const SYNC: &str = "/ServerSyncWebService/ServerSyncWebService.asmx";
pub const AUTH: &str = "/DssAuthWebService/DssAuthWebService.asmx";

/// An upstream Weir without sockets, and what it was made of.
pub struct Upstream {
    pub client: Client,
    pub database: TestDatabase,
    pub secret: Arc<SecretKey>,
    pub content: tempfile::TempDir,
}

impl Upstream {
    pub async fn start() -> Self {
        let secret = Arc::new(SecretKey::generate().unwrap());
        let database = TestDatabase::create().await;
        let content = tempfile::tempdir().unwrap();
        let client = launch(&database, &secret, Uuid::from_u128(77), content.path()).await;
        Self { client, database, secret, content }
    }

    /// The same database and key again, as after a restart, as another server when `server_id` differs.
    pub async fn restart(self, server_id: Uuid) -> Self {
        let client = launch(&self.database, &self.secret, server_id, self.content.path()).await;
        Self { client, ..self }
    }

    pub async fn post(&self, path: &str, body: Vec<u8>) -> LocalResponse<'_> {
        self.client.post(path.to_owned()).body(body).dispatch().await
    }

    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Reply, ReplyError> {
        let response = self.post(R::METHOD.service().path(), request.to_bytes(SoapVersion::V11)).await;
        let status = response.status();
        let bytes = response.into_bytes().await.unwrap();
        let reply = R::Reply::from_bytes(&bytes);
        let wanted = if reply.is_ok() { Status::Ok } else { Status::InternalServerError };
        assert_eq!(status, wanted);
        reply
    }

    /// The fault a call is answered with.
    pub async fn fault<R: Request>(&self, request: &R) -> Fault
    where
        R::Reply: std::fmt::Debug,
    {
        match self.call(request).await {
            Err(ReplyError::Fault(fault)) => *fault,
            other => panic!("a fault was expected: {other:?}"),
        }
    }

    /// Through the handshake.
    pub async fn session(&self) -> Cookie {
        let account = GetAuthorizationCookie {
            account_name: "wsus02.example.org".into(),
            account_guid: "0b2d9ea6-7a4f-4d8a-8a1c-a2b3c4d5e6f7".into(),
        };
        let cookie = self.call(&account).await.unwrap().cookie;
        let request =
            GetCookie { auth_cookies: vec![cookie], old_cookie: None, protocol_version: "1.20".into() };
        self.call(&request).await.unwrap().cookie
    }

    /// What a filter lists, as the numbers of the test's ids, sorted; and the anchor.
    pub async fn list(&self, filter: RevisionFilter) -> (Vec<u32>, String) {
        let request = GetRevisionIdList { cookie: Some(self.session().await), filter };
        let reply = self.call(&request).await.unwrap();
        let number = |id: Uuid| (id.as_u128() & 0xffff_ffff) as u32;
        let listed = reply.new_revisions.iter().map(|key| number(key.update_id)).collect();
        (listed, reply.anchor.to_string())
    }
}

async fn launch(
    database: &TestDatabase,
    secret: &Arc<SecretKey>,
    server_id: Uuid,
    content: &std::path::Path,
) -> Client {
    let services = Services {
        pool: database.pool().clone(),
        places: downstream::Places::default(),
        secret: secret.as_ref().clone(),
        server_id,
        store: weir::content::Store::new(content),
        limits: Limits::default(),
    };
    let config =
        rocket::Config { log_level: rocket::config::LogLevel::Off, ..rocket::Config::debug_default() };
    let rocket =
        rocket::custom(config).attach(NormalisePath).manage(services).mount("/", downstream::routes());
    Client::untracked(rocket).await.unwrap()
}

#[track_caller]
pub fn assert_code(fault: &Fault, code: ErrorCode, message: &str) {
    assert_eq!((fault.code.as_ref(), fault.message.as_str()), (Some(&code), message));
}

pub fn range(value: &str) -> Header<'static> {
    Header::new("Range", value.to_owned())
}
