//! The SOAP endpoints: read the envelope, find the operation, answer in the same SOAP version.

use std::io::Cursor;

use chrono::Utc;
use rocket::data::ByteUnit;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request as HttpRequest;
use rocket::response::{self, Responder, Response};
use rocket::{Data, Route, State, post, routes};
use tokio::io::AsyncReadExt as _;

use super::{Refusal, Services, config_data, deployments, download_files, handshake, revisions, update_data};
use crate::protocol::ProtocolError;
use crate::protocol::server_sync::{
    DownloadFiles, GetAuthConfig, GetAuthorizationCookie, GetConfigData, GetCookie, GetDeployments,
    GetRevisionIdList, GetUpdateData, RareQuestion, Reply, Request, rare,
};
use crate::protocol::soap::{Message, Method, Service, SoapVersion};

pub fn routes() -> Vec<Route> {
    routes![server_sync, dss_auth, reporting, reporting_by_wsdl]
}

#[post("/serversyncwebservice/serversyncwebservice.asmx", data = "<body>")]
async fn server_sync(services: &State<Services>, body: Data<'_>) -> Answer {
    answer(services, Service::ServerSync, body).await
}

#[post("/dssauthwebservice/dssauthwebservice.asmx", data = "<body>")]
async fn dss_auth(services: &State<Services>, body: Data<'_>) -> Answer {
    answer(services, Service::DssAuth, body).await
}

#[post("/reportingwebservice/reportingwebservice.asmx", data = "<body>")]
async fn reporting(services: &State<Services>, body: Data<'_>) -> Answer {
    answer(services, Service::Reporting, body).await
}

/// The address in the published service description, which real servers do not answer at.
#[post("/reportingwebservice/webservice.asmx", data = "<body>")]
async fn reporting_by_wsdl(services: &State<Services>, body: Data<'_>) -> Answer {
    answer(services, Service::Reporting, body).await
}

/// One answer: SOAP, or plain text when the request was nothing that SOAP could answer.
enum Answer {
    Soap { version: SoapVersion, status: Status, body: Vec<u8> },
    Plain { status: Status, sentence: &'static str },
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r HttpRequest<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.header(Header::new("Cache-Control", "private, max-age=0"));
        match self {
            Self::Soap { version, status, body } => {
                response.status(status).header(Header::new("Content-Type", version.content_type()));
                response.sized_body(body.len(), Cursor::new(body));
            }
            Self::Plain { status, sentence } => {
                response.status(status).header(ContentType::Plain);
                response.sized_body(sentence.len(), Cursor::new(sentence));
            }
        }
        response.ok()
    }
}

async fn answer(services: &Services, service: Service, body: Data<'_>) -> Answer {
    let limit = services.limits.body_bytes;
    let mut bytes = Vec::new();
    // One byte more than allowed tells "exactly full" from "too long".
    let reading = body.open(ByteUnit::from(limit + 1)).read_to_end(&mut bytes).await;
    if reading.is_err() {
        return Answer::Plain { status: Status::BadRequest, sentence: "The request did not arrive whole.\n" };
    }
    if bytes.len() as u64 > limit {
        return Answer::Plain { status: Status::PayloadTooLarge, sentence: "The request is too long.\n" };
    }
    let message = match Message::open(&bytes) {
        Ok(message) => message,
        Err(error) => return unreadable(service, &error),
    };
    let version = message.version;
    // `Ping` exists on every service under one namespace; everything else only where it belongs.
    let method = message.method().filter(|method| *method == Method::Ping || method.service() == service);
    let action = method.map_or_else(|| action_of(&message), Method::action);
    let outcome = match method {
        Some(method) => carry_out(services, method, message).await,
        None => Err(Refusal::not_offered()),
    };
    match outcome {
        Ok(body) => Answer::Soap { version, status: Status::Ok, body },
        Err(refusal) => refused(refusal, version, service, &action),
    }
}

/// Reads the operation's request, carries it out and writes its answer.
async fn carry_out(services: &Services, method: Method, message: Message<'_>) -> Result<Vec<u8>, Refusal> {
    let version = message.version;
    match method {
        Method::GetAuthConfig => {
            read::<GetAuthConfig>(message)?;
            Ok(handshake::auth_config().to_bytes(version))
        }
        Method::GetAuthorizationCookie => {
            Ok(handshake::authorize(services, read::<GetAuthorizationCookie>(message)?)
                .await?
                .to_bytes(version))
        }
        Method::GetCookie => {
            Ok(handshake::open_session(services, read::<GetCookie>(message)?).await?.to_bytes(version))
        }
        Method::GetConfigData => {
            let request: GetConfigData = read(message)?;
            handshake::session(services, request.cookie.as_ref())?;
            Ok(config_data::config_data(services, request).await?.to_bytes(version))
        }
        Method::GetRevisionIdList => {
            let request: GetRevisionIdList = read(message)?;
            handshake::session(services, request.cookie.as_ref())?;
            Ok(revisions::revision_ids(services, request).await?.to_bytes(version))
        }
        Method::GetUpdateData => {
            let request: GetUpdateData = read(message)?;
            handshake::session(services, request.cookie.as_ref())?;
            Ok(update_data::update_data(services, request).await?.to_bytes(version))
        }
        Method::DownloadFiles => {
            let request: DownloadFiles = read(message)?;
            handshake::session(services, request.cookie.as_ref())?;
            Ok(download_files::download_files(services, request).await?.to_bytes(version))
        }
        Method::GetDeployments => {
            let request: GetDeployments = read(message)?;
            handshake::session(services, request.cookie.as_ref())?;
            Ok(deployments::deployments(services, request).await?.to_bytes(version))
        }
        Method::GetUpdateDecryptionData
        | Method::GetDriverIdList
        | Method::GetDriverSetData
        | Method::GetRelatedRevisionsForUpdates => {
            let question = RareQuestion::from_message(message, method).map_err(unread)?;
            handshake::session(services, question.cookie.as_ref())?;
            if method == Method::GetDriverSetData && !question.names_driver_sets {
                return Err(Refusal::parameter("driverSets"));
            }
            rare::nothing(method, version, Utc::now()).ok_or_else(Refusal::not_offered)
        }
        Method::Ping => rare::nothing(method, version, Utc::now()).ok_or_else(Refusal::not_offered),
        Method::GetRollupConfiguration
        | Method::RollupDownstreamServers
        | Method::RollupComputers
        | Method::GetOutOfSyncComputers
        | Method::RollupComputerStatus => Err(Refusal::not_offered()),
    }
}

fn read<R: Request>(message: Message<'_>) -> Result<R, Refusal> {
    R::from_message(message).map_err(unread)
}

fn unread(error: ProtocolError) -> Refusal {
    Refusal::parameter(error.parameter().unwrap_or("message"))
}

/// A fault when there is XML to answer, plain text when there is none.
fn unreadable(service: Service, error: &ProtocolError) -> Answer {
    if error.is_not_xml() {
        return Answer::Plain {
            status: Status::BadRequest,
            sentence: "The request is not a SOAP message.\n",
        };
    }
    tracing::debug!(error = %error, "a request could not be read");
    refused(Refusal::parameter("message"), SoapVersion::V11, service, "")
}

fn refused(refusal: Refusal, version: SoapVersion, service: Service, action: &str) -> Answer {
    let body = refusal.into_fault(action).to_bytes(version, service.path());
    Answer::Soap { version, status: Status::InternalServerError, body }
}

/// What an unknown operation would be called, cut to a length that fits in a log.
fn action_of(message: &Message<'_>) -> String {
    let name: String = message.element.name.chars().take(100).collect();
    let namespace: String = message.element.namespace.chars().take(200).collect();
    format!("{namespace}/{name}")
}
