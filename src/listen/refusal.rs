//! Answers this layer gives itself, when a request never reaches Rocket.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use uuid::Uuid;

use super::answer::Answer;
use super::connections::Connection;

/// Why a request is answered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No Host header, more than one, an unreadable one, or one that contradicts the request line.
    Host,
    /// A host that this listener does not answer for.
    OtherHost,
    /// Plain HTTP where TLS is required; with the same address over TLS, where that is known.
    NeedsTls(Option<String>),
    /// The request line names no path we can read.
    Address,
    /// A method HTTP does not know.
    Method,
    /// The body is larger than this address takes.
    BodyTooLarge,
    /// The body came too slowly.
    BodyTooSlow,
    /// The body broke off or is not framed as HTTP says.
    BodyBroken,
    /// Too many bytes of request bodies are in memory already.
    Busy,
    /// The answer could not be made.
    Failed,
}

impl Refusal {
    /// Whether the peer may still be sending what nobody will read.
    pub fn leaves_a_body(&self) -> bool {
        matches!(self, Self::BodyTooLarge | Self::Busy | Self::NeedsTls(_))
    }

    /// Status, heading, what happened, and what to do. A page has all, plain text only what happened.
    fn words(&self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::Host => (
                StatusCode::BAD_REQUEST,
                "Not understood",
                "The request must name one host.",
                "Open the address of this server again.",
            ),
            Self::OtherHost => (
                StatusCode::MISDIRECTED_REQUEST,
                "Another name",
                "This server does not answer under this name. Its administrator can add the name to WEIR_HOSTS.",
                "Use a name of this server that works, or ask its administrator.",
            ),
            Self::NeedsTls(Some(_)) => (
                StatusCode::TEMPORARY_REDIRECT,
                "Use https",
                "This page is at its https address.",
                "Begin the address with https.",
            ),
            Self::NeedsTls(None) => (
                StatusCode::FORBIDDEN,
                "Use https",
                "This server requires TLS: ask with https. Over plain HTTP it gives out files of updates only.",
                "Begin the address with https.",
            ),
            Self::Address => (
                StatusCode::BAD_REQUEST,
                "Not understood",
                "The address of this request cannot be read.",
                "Look at the address for a slip.",
            ),
            Self::Method => (
                StatusCode::NOT_IMPLEMENTED,
                "Not understood",
                "This server does not know that method.",
                "Use the buttons of the pages.",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too large",
                "The request is larger than this address takes.",
                "Go back, shorten what you entered or select less, and send it again.",
            ),
            Self::BodyTooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "Too slow",
                "The request took too long to arrive.",
                "Go back and send it again.",
            ),
            Self::BodyBroken => (
                StatusCode::BAD_REQUEST,
                "Not understood",
                "The request broke off or cannot be read.",
                "Go back and send it again.",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Busy",
                "The server is busy. Try again in a moment.",
                "Go back and send it again.",
            ),
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something failed",
                "Something failed on our side.",
                "Look whether it was done, then try again.",
            ),
        }
    }

    /// The text for the sender: a page, without anything of its own to load, or a few lines.
    fn text(&self, as_page: bool, base: &str, number: &str) -> String {
        let (_, heading, what, advice) = self.words();
        if !as_page {
            let again = if *self == Self::Failed { " Try again." } else { "" };
            return format!("{what}{again}\nQuote {number} when you report it.\n");
        }
        // Only a request that went on to a page may have changed something.
        let unchanged = if *self == Self::Failed { "" } else { " Nothing was changed." };
        let home = match self {
            Self::Host | Self::OtherHost | Self::NeedsTls(_) => String::new(),
            _ => format!("<p><a href=\"{base}/\">Go to the first page</a></p>\n"),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{heading} · Weir</title>\n</head>\n\
             <body>\n<main>\n<h1>{heading}</h1>\n<p>{what}{unchanged}</p>\n<p>{advice}</p>\n{home}\
             <p>Reference <code>{number}</code></p>\n</main>\n</body>\n</html>\n"
        )
    }

    /// The answer, with a number that is in the log as well. The connection closes after it, since part of the request
    /// may still be unread. `as_page`: a browser asked; `base`: what its addresses of ours begin with.
    pub fn answer(self, connection: Arc<Connection>, as_page: bool, base: &str) -> Response<Answer> {
        const HEADERS: [(HeaderName, &str); 7] = [
            (header::CONNECTION, "close"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        let number = Uuid::now_v7().simple().to_string();
        tracing::info!(refusal = ?self, peer = %connection.peer, request = number, "a request was refused");
        let text = self.text(as_page, base, &number);
        let length = HeaderValue::from(text.len());
        let kind = if as_page { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
        let mut answer = Response::new(Answer::whole(Bytes::from(text), connection));
        *answer.status_mut() = self.words().0;
        for (name, value) in HEADERS {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        answer.headers_mut().insert(header::CONTENT_LENGTH, length);
        if let Self::NeedsTls(Some(address)) = &self
            && let Ok(address) = HeaderValue::from_str(address)
        {
            answer.headers_mut().insert(header::LOCATION, address);
        }
        answer
    }
}

/// Whether who asks reads pages: a browser names HTML in `Accept`, programs do not.
pub fn reads_pages(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.to_ascii_lowercase().contains("text/html"))
}

/// The answer to plain HTTP where TLS is spoken.
pub const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    connection: close\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\ncontent-length: 61\r\n\r\n\
    This port speaks HTTPS. Begin the address with https:// here.";

/// The answer to a connection there is no room for, sent without looking at its request.
pub const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\
    retry-after: 5\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\r\n";
