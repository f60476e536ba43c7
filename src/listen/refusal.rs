//! Answers this layer gives itself, when a request never reaches Rocket.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
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

    fn status_and_text(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Host => (StatusCode::BAD_REQUEST, "The request must name one host."),
            Self::OtherHost => (
                StatusCode::MISDIRECTED_REQUEST,
                "This server does not answer under this name. Its administrator can add the name to WEIR_HOSTS.",
            ),
            Self::NeedsTls(Some(_)) => (StatusCode::TEMPORARY_REDIRECT, "This page is at its https address."),
            Self::NeedsTls(None) => (
                StatusCode::FORBIDDEN,
                "This server requires TLS: ask with https. Over plain HTTP it gives out files of updates only.",
            ),
            Self::Address => (StatusCode::BAD_REQUEST, "The address of this request cannot be read."),
            Self::Method => (StatusCode::NOT_IMPLEMENTED, "This server does not know that method."),
            Self::BodyTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "The request is larger than this address takes.")
            }
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "The request took too long to arrive."),
            Self::BodyBroken => (StatusCode::BAD_REQUEST, "The request broke off or cannot be read."),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "The server is busy. Try again in a moment."),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "Something failed on our side. Try again."),
        }
    }

    /// The answer, with a number that is in the log as well. The connection closes after it, since part of the request
    /// may still be unread.
    pub fn answer(self, connection: Arc<Connection>) -> Response<Answer> {
        const HEADERS: [(HeaderName, &str); 8] = [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CONNECTION, "close"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        let (status, text) = self.status_and_text();
        let number = Uuid::now_v7().simple().to_string();
        tracing::info!(refusal = ?self, peer = %connection.peer, request = number, "a request was refused");
        let text = format!("{text}\nQuote {number} when you report it.\n");
        let length = HeaderValue::from(text.len());
        let mut answer = Response::new(Answer::whole(Bytes::from(text), connection));
        *answer.status_mut() = status;
        for (name, value) in HEADERS {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer.headers_mut().insert(header::CONTENT_LENGTH, length);
        if let Self::NeedsTls(Some(address)) = &self
            && let Ok(address) = HeaderValue::from_str(address)
        {
            answer.headers_mut().insert(header::LOCATION, address);
        }
        answer
    }
}

/// The answer to plain HTTP where TLS is spoken.
pub const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    connection: close\r\ncontent-length: 61\r\n\r\n\
    This port speaks HTTPS. Begin the address with https:// here.";

/// The answer to a connection there is no room for, sent without looking at its request.
pub const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: 5\r\n\r\n";
