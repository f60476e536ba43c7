//! What a visitor sees when something does not work: what happened, what to do, and a number to quote.

use super::base::Base;
use super::guards::Wants;
use super::shell::{self, SessionState, Shell};
use super::submitted::FormFault;
use crate::accounts::{AccountError, in_words};
use crate::db::{is_away, is_disk_full};
use crate::listen::other_methods;
use askama::Template;
use rocket::http::{Header, Method, Status};
use rocket::request::Request;
use rocket::response::content::RawHtml;
use rocket::response::{self, Redirect, Responder, Response};
use rocket::{Catcher, catch, catchers};
use uuid::Uuid;

/// The one error of every page. The text is for the visitor; the cause went to the log when it was made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error("That {what} does not exist. It may have been removed.")]
    NotFound { what: &'static str },
    #[error("Your role does not allow this. Ask an administrator to do it or to change your role.")]
    Forbidden,
    #[error(
        "This request did not come from a page of this console, or the page was open too long. \
             Nothing was changed. Go back, load the page again and repeat it."
    )]
    Forged,
    /// The link of an administrator with which a password is set.
    #[error("{0}")]
    LinkOver(AccountError),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Refused(String),
    #[error("Too many tries. Wait {}, then try again.", in_words(*seconds))]
    TooMany { seconds: u64 },
    #[error("The database does not answer. Try again in a moment; if it lasts, look at the log.")]
    Unavailable { incident: Uuid },
    #[error("The disk of the database is full, so nothing can be saved. Make room on it, then try again.")]
    DiskFull { incident: Uuid },
    /// Pages show the incident beside this sentence. It may have happened after the deed was done.
    #[error("Something failed on our side. Look whether it was done, then try again.")]
    Internal { incident: Uuid },
}

impl PageError {
    /// Logs `cause` once, with everything it came from, under the number the visitor sees. When it came from a database
    /// that is away or full, the visitor is told that.
    pub fn internal<E: std::error::Error + 'static>(cause: E) -> Self {
        let incident = Uuid::new_v4();
        let error = &cause as &dyn std::error::Error;
        let mut chain = std::iter::successors(Some(error), |error| error.source());
        match chain.find_map(|error| error.downcast_ref::<diesel::result::Error>()) {
            Some(failure) if is_away(failure) => Self::unavailable(cause),
            Some(failure) if is_disk_full(failure) => {
                tracing::error!(%incident, error, "the disk of the database is full");
                Self::DiskFull { incident }
            }
            _ => {
                tracing::error!(%incident, error, "a page failed");
                Self::Internal { incident }
            }
        }
    }

    /// The same for a database that cannot be reached.
    pub fn unavailable<E: std::error::Error + 'static>(cause: E) -> Self {
        let incident = Uuid::new_v4();
        tracing::error!(%incident, error = &cause as &dyn std::error::Error, "the database does not answer");
        Self::Unavailable { incident }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> Status {
        match self {
            Self::NotFound { .. } => Status::NotFound,
            Self::Forbidden | Self::Forged => Status::Forbidden,
            Self::Conflict(_) => Status::Conflict,
            Self::Refused(_) | Self::LinkOver(_) => Status::UnprocessableEntity,
            Self::TooMany { .. } => Status::TooManyRequests,
            Self::Unavailable { .. } | Self::DiskFull { .. } => Status::ServiceUnavailable,
            Self::Internal { .. } => Status::InternalServerError,
        }
    }

    /// The number in the log under which the cause stands; `None`: there is no other cause than the sentence names.
    pub fn incident(&self) -> Option<Uuid> {
        match self {
            Self::Internal { incident } | Self::Unavailable { incident } | Self::DiskFull { incident } => {
                Some(*incident)
            }
            _ => None,
        }
    }

    fn heading(&self) -> &'static str {
        match self {
            Self::Forged => "Nothing was changed",
            Self::LinkOver(_) => "This link no longer works",
            other => heading(other.status()),
        }
    }
}

impl From<diesel::result::Error> for PageError {
    fn from(error: diesel::result::Error) -> Self {
        Self::internal(error)
    }
}

impl From<AccountError> for PageError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Database(error) => error.into(),
            AccountError::NoConnection => Self::unavailable(error),
            AccountError::Unknown => Self::NotFound { what: "user" },
            AccountError::Wait { seconds } => Self::TooMany { seconds },
            AccountError::LinkOver => Self::LinkOver(error),
            AccountError::LastAdministrator => Self::Refused(error.to_string()),
            other => Self::internal(other),
        }
    }
}

impl From<diesel_async::pooled_connection::bb8::RunError> for PageError {
    fn from(error: diesel_async::pooled_connection::bb8::RunError) -> Self {
        Self::unavailable(error)
    }
}

impl<'r> Responder<'r, 'static> for PageError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let incident = self.incident().map(|incident| incident.to_string());
        let incident = incident.unwrap_or_else(|| shell::request_id(request).to_owned());
        let mut response = show(request, self.status(), self.heading(), &self.to_string(), &incident)?;
        if let Self::TooMany { seconds } = self {
            response.set_header(Header::new("Retry-After", seconds.to_string()));
        }
        Ok(response)
    }
}

#[derive(Template)]
#[template(path = "error.html", blocks = ["notice"])]
struct ErrorPage<'a> {
    shell: Shell,
    heading: &'static str,
    text: &'a str,
    incident: &'a str,
    /// Nobody is signed in, so Home would only lead to the sign-in page.
    stranger: bool,
}

/// Draws an error in the frame, or as a fragment that goes into the main part of the page.
fn show(
    request: &Request<'_>,
    status: Status,
    heading: &'static str,
    text: &str,
    incident: &str,
) -> response::Result<'static> {
    let state = shell::session_state_if_known(request);
    let stranger = matches!(state, SessionState::None);
    let page = ErrorPage { shell: Shell::of(request, state), heading, text, incident, stranger };
    let wants = Wants::of(request);
    let body = match wants {
        Wants::Page => page.render(),
        Wants::Fragment => page.as_notice().render(),
    };
    let body = body.map_err(|error| {
        tracing::error!(%error, "the error page cannot be drawn");
        Status::InternalServerError
    })?;
    let mut response = (status, RawHtml(body)).respond_to(request)?;
    if wants == Wants::Fragment {
        response.set_header(Header::new("HX-Retarget", "#main"));
        response.set_header(Header::new("HX-Reswap", "innerHTML"));
    }
    Ok(response)
}

fn heading(status: Status) -> &'static str {
    match status.code {
        403 => "Not allowed",
        404 => "Not found",
        405 => "Not possible here",
        408 => "Too slow",
        409 => "Changed in the meantime",
        413 => "Too large",
        414 | 431 => "Address too long",
        422 => "Not accepted",
        429 => "Too many tries",
        500 => "Something failed",
        503 => "Not available",
        _ => "Not understood",
    }
}

fn sentence(status: Status) -> &'static str {
    match status.code {
        403 => "Your role does not allow this. Ask an administrator to do it or to change your role.",
        404 => "There is no page at this address. It may have been removed, or the address has a slip.",
        405 => "This address does not take that kind of request. Go back and use the buttons of the page.",
        408 => "The request took too long to arrive. Try again.",
        413 => "What was sent is larger than this page accepts. Nothing was changed.",
        422 => "What was sent does not fit the form. Nothing was changed. Load the page again and repeat it.",
        429 => "Too many tries. Wait a moment, then try again.",
        500 => "Something failed on our side. Look whether it was done, then try again.",
        503 => "The database does not answer. Try again in a moment; if it lasts, look at the log.",
        _ => "The request could not be understood. Load the page again and repeat it.",
    }
}

/// The catchers of the console.
pub(super) fn catchers() -> Vec<Catcher> {
    catchers![signed_out, other]
}

/// Strangers go to the sign-in page and come back afterwards. A form they sent is not sent again.
#[catch(401)]
fn signed_out(request: &Request<'_>) -> SignedOut {
    let reads = matches!(request.method(), Method::Get | Method::Head);
    let wants = Wants::of(request);
    let next = match (wants, reads) {
        (Wants::Page, true) => request.uri().to_string(),
        (Wants::Page, false) if is_page(request) => request.uri().path().to_string(),
        (Wants::Page, false) => path_in(request, "Referer"),
        (Wants::Fragment, _) => path_in(request, "HX-Current-URL"),
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", &next);
    if !reads {
        query.append_pair("ended", "1");
    }
    SignedOut { to: format!("/login?{}", query.finish()), wants }
}

/// Whether what was posted to can also be opened.
fn is_page(request: &Request<'_>) -> bool {
    let path = request.uri().path();
    request.rocket().routes().any(|route| route.method == Method::Get && *route.uri.path() == path)
}

/// The page named by a header, without scheme and host, which are never trusted; Home when there is none.
fn path_in(request: &Request<'_>, header: &str) -> String {
    let url = request.headers().get_one(header).and_then(|text| url::Url::parse(text).ok());
    let Some(url) = url else { return "/".to_owned() };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", Base::of(request).remove(url.path()))
}

struct SignedOut {
    to: String,
    wants: Wants,
}

impl<'r> Responder<'r, 'static> for SignedOut {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self.wants {
            Wants::Page => Redirect::to(self.to).respond_to(request),
            Wants::Fragment => {
                Response::build().status(Status::Unauthorized).raw_header("HX-Redirect", self.to).ok()
            }
        }
    }
}

#[catch(default)]
async fn other<'r>(status: Status, request: &'r Request<'_>) -> Caught<'r> {
    let state = shell::session_state(request).await;
    if let SessionState::Unknown = state {
        tracing::debug!("an error page is drawn without its session");
    }
    let incident = shell::request_id(request);
    // Of a handler that broke off, or an answer that could not be made, nobody else tells under this number.
    if status == Status::InternalServerError {
        tracing::error!(request = incident, path = %shell::shown_path(request), "an answer failed");
    }
    match other_methods(request).filter(|_| status == Status::NotFound) {
        Some(methods) => Caught { status: Status::MethodNotAllowed, incident, methods: Some(methods) },
        None => Caught { status, incident, methods: None },
    }
}

struct Caught<'r> {
    status: Status,
    incident: &'r str,
    /// Those that the address takes, when it does not take this one.
    methods: Option<String>,
}

impl<'r> Responder<'r, 'static> for Caught<'r> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let text = match FormFault::of(request) {
            Some(fault) if self.status == Status::UnprocessableEntity => fault,
            _ => sentence(self.status),
        };
        let mut response = show(request, self.status, heading(self.status), text, self.incident)?;
        if let Some(methods) = self.methods {
            response.set_header(Header::new("Allow", methods));
        }
        Ok(response)
    }
}
