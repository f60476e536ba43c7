//! What programs ask for: JSON for a token in `Authorization: Bearer`. A cookie counts for nothing here, so no other
//! site can make a browser ask.

mod status;

use std::io::Cursor;

use rocket::http::{ContentType, Header, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder, Response};
use rocket::{Request, Route, routes};
use serde::Serialize;
use serde_json::json;

use super::{Db, PageError, shell};
use crate::accounts::{Account, Pool, tokens};

pub(super) fn routes() -> Vec<Route> {
    routes![status::show_status]
}

/// Somebody's program with a token that holds: every role may read. Handlers take it as a `Result`, so that the
/// refusal is JSON too.
pub struct Caller {
    /// The owner of the token, with what the token may do now.
    pub account: Account,
    /// Borrowed for the look at the token, and the handler's from here on.
    pub db: Db,
}

/// Why a program gets no answer. The sentences are for its owner.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("Send an API token in the header Authorization: Bearer. Tokens are made on the page Profile.")]
    NoToken,
    #[error("This is no token, it is over, or its owner may not sign in any more.")]
    BadToken,
    #[error("{0}")]
    Failed(#[from] PageError),
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Caller {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match admit(request).await {
            Ok(caller) => Outcome::Success(caller),
            Err(refusal) => Outcome::Error((refusal.status(), refusal)),
        }
    }
}

async fn admit(request: &Request<'_>) -> Result<Caller, Refusal> {
    let header = request.headers().get_one("Authorization").ok_or(Refusal::NoToken)?;
    let (scheme, token) = header.split_once(' ').ok_or(Refusal::NoToken)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::NoToken);
    }
    let Some(pool) = request.rocket().state::<Pool>() else { return Err(Refusal::BadToken) };
    let mut db = Db::borrow(pool).await.map_err(PageError::from)?;
    let account = tokens::caller(&mut db.0, token.trim()).await.map_err(PageError::from)?;
    let Some(account) = account else {
        let (path, number) = (shell::shown_path(request), shell::request_id(request));
        tracing::info!(%path, request = number, "a token was refused");
        return Err(Refusal::BadToken);
    };
    Ok(Caller { account, db })
}

impl Refusal {
    fn status(&self) -> Status {
        match self {
            Self::NoToken | Self::BadToken => Status::Unauthorized,
            Self::Failed(error) => error.status(),
        }
    }
}

impl<'r> Responder<'r, 'static> for Refusal {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let status = self.status();
        let mut body = json!({ "error": self.to_string() });
        if let Self::Failed(error) = &self
            && let Some(incident) = error.incident()
        {
            body["reference"] = json!(incident);
        }
        let mut response = json_response(&body)?;
        response.set_status(status);
        if status == Status::Unauthorized {
            response.set_header(Header::new("WWW-Authenticate", "Bearer realm=\"weir\""));
        }
        Ok(response)
    }
}

/// An answer as JSON.
pub struct Json<T>(pub T);

impl<'r, T: Serialize> Responder<'r, 'static> for Json<T> {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        json_response(&self.0)
    }
}

fn json_response(value: &impl Serialize) -> response::Result<'static> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        Status::InternalServerError
    })?;
    Response::build().header(ContentType::JSON).sized_body(body.len(), Cursor::new(body)).ok()
}
