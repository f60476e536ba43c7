//! Turns an error of the HTTP library into the hop it happened at.

use std::error::Error as StdError;
use std::io;

use super::error::{UpstreamError, quote};
use super::target::Target;
use super::tls::TlsProblem;

/// What to say about an error that came while sending or receiving.
///
/// The library's own text is only searched for the cause: it may hold addresses, never secrets.
pub(super) fn classify(
    error: &reqwest::Error,
    operation: &'static str,
    target: &Target,
    connect_s: u64,
) -> UpstreamError {
    let address = target.shown();
    let chain = causes(error);
    if error.is_dns() {
        let host = target.origin.host_str().unwrap_or("?").to_owned();
        return UpstreamError::NameNotFound { host };
    }
    if error.is_connect() {
        let secure = target.origin.scheme() == "https";
        if let Some(problem) = tls_problem(error).filter(|_| secure) {
            return UpstreamError::Tls { address, problem: Box::new(problem) };
        }
        let reason = connect_reason(error, connect_s);
        return UpstreamError::Unreachable { address, reason };
    }
    if is_not_http(error) {
        return UpstreamError::NotHttp { operation, address };
    }
    let reason = match io_kind(error) {
        Some(io::ErrorKind::ConnectionReset) => "the connection was reset".to_owned(),
        Some(io::ErrorKind::UnexpectedEof) => "the answer was cut off".to_owned(),
        _ => quote(chain.last().map_or("the connection was lost", String::as_str)),
    };
    UpstreamError::BrokeOff { operation, address: target.shown_with_proxy(), reason }
}

fn causes(error: &reqwest::Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    texts
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut next = error.source();
    let mut found = None;
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            found = Some(io.kind());
        }
        next = cause.source();
    }
    found
}

/// What went wrong in a handshake: the TLS library's error, or an end in the middle of it.
fn tls_problem(error: &reqwest::Error) -> Option<TlsProblem> {
    let mut next = error.source();
    let mut ended = None;
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Some(TlsProblem::of(tls));
        }
        next = match cause.downcast_ref::<io::Error>() {
            Some(io) => {
                let inner = io.get_ref().map(|inner| inner as &(dyn StdError + 'static));
                if io.kind() == io::ErrorKind::UnexpectedEof || io.kind() == io::ErrorKind::ConnectionReset {
                    ended = Some(TlsProblem::Closed);
                }
                inner.or_else(|| io.source())
            }
            None => cause.source(),
        };
    }
    ended
}

/// Something answered, and not in HTTP.
fn is_not_http(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        next = cause.source();
    }
    false
}

fn connect_reason(error: &reqwest::Error, connect_s: u64) -> String {
    if error.is_timeout() {
        return format!("no answer within {connect_s} s");
    }
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => "the connection was refused".to_owned(),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            "there is no way to that address".to_owned()
        }
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => {
            "the connection was closed at once".to_owned()
        }
        _ => quote(causes(error).last().map_or("no connection", String::as_str)),
    }
}
