//! From a template to an answer.

use super::PageError;
use askama::Template;
use rocket::http::{Header, Status};
use rocket::request::Request;
use rocket::response::content::RawHtml;
use rocket::response::{self, Redirect, Responder};

/// A page is given to the connection in pieces of this size. Rocket's are of 4 KiB, fourteen for our longest page.
const CHUNK_BYTES: usize = 64 * 1024;

/// The answer of a handler: HTML with a status, or a way to go.
pub enum Reply {
    /// Status, HTML, and further headers.
    Html { status: Status, body: String, headers: Vec<Header<'static>> },
    /// 303 after a form was taken, for browsers without htmx.
    SeeOther(String),
    /// The same for htmx: an empty 200 with `HX-Redirect`.
    HxRedirect(String),
}

impl Reply {
    /// The template with status 200.
    ///
    /// # Errors
    /// [`PageError::Internal`] when it cannot be rendered.
    pub fn ok(template: &impl Template) -> Result<Self, PageError> {
        Self::with(Status::Ok, template)
    }

    /// The template with status 422: a form that comes back with messages.
    ///
    /// # Errors
    /// [`PageError::Internal`] when it cannot be rendered.
    pub fn refused(template: &impl Template) -> Result<Self, PageError> {
        Self::with(Status::UnprocessableEntity, template)
    }

    /// The template with any status.
    ///
    /// # Errors
    /// [`PageError::Internal`] when it cannot be rendered.
    pub fn with(status: Status, template: &impl Template) -> Result<Self, PageError> {
        Ok(Self::Html { status, body: template.render().map_err(PageError::internal)?, headers: Vec::new() })
    }

    /// Raises `event` in the page that asked, for instance `weir:saved`.
    pub fn trigger(self, event: &'static str) -> Self {
        self.header("HX-Trigger", event)
    }

    /// The same answer with another status; a redirect stays one.
    pub fn with_status(mut self, other: Status) -> Self {
        if let Self::Html { status, .. } = &mut self {
            *status = other;
        }
        self
    }

    /// Adds a header to an answer with HTML; no other has any.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Html { headers, .. } = &mut self {
            headers.push(Header::new(name, value.into()));
        }
        self
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::Html { status, body, headers } => {
                let mut response = (status, RawHtml(body)).respond_to(request)?;
                response.set_max_chunk_size(CHUNK_BYTES);
                for header in headers {
                    response.set_header(header);
                }
                Ok(response)
            }
            Self::SeeOther(to) => Redirect::to(to).respond_to(request),
            Self::HxRedirect(to) => {
                let mut response = Status::Ok.respond_to(request)?;
                response.set_status(Status::Ok);
                response.set_header(Header::new("HX-Redirect", to));
                Ok(response)
            }
        }
    }
}

/// Renders a template as a page with status 200; short for [`Reply::ok`].
///
/// # Errors
/// [`PageError::Internal`] when it cannot be rendered.
pub fn html(template: &impl Template) -> Result<Reply, PageError> {
    Reply::ok(template)
}
