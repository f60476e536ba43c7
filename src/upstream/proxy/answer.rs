//! What the relay answers, and what it says of pages that a proxy server sends.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Response, StatusCode};

use super::error::ProxyError;
use crate::upstream::transport::title_of;

/// The body of an answer of the relay.
pub(super) type Body = BoxBody<Bytes, hyper::Error>;

/// Of a page, this much is read to find its title or to free the connection.
const PAGE_MAX: usize = 64 * 1024;
/// And for this long.
const PAGE_TIME: Duration = Duration::from_secs(5);

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Removes what concerns one connection only, and what is said between us and the proxy server.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_owned()))
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        PROXY_INFO,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Does the answer say that its connection ends with it?
pub(super) fn closes(response: &Response<Incoming>) -> bool {
    let mut values = response
        .headers()
        .get_all(CONNECTION)
        .iter()
        .chain(response.headers().get_all(PROXY_CONNECTION))
        .filter_map(|value| value.to_str().ok());
    let has = |value: &str, word: &str| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
    values.any(|value| has(value, "close"))
}

/// The beginning of a page, and whether that was all of it, so that the connection can be used again.
pub(super) async fn drain(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut page = Vec::new();
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            if let Some(data) = frame.data_ref() {
                page.extend_from_slice(&data[..data.len().min(PAGE_MAX - page.len())]);
                if page.len() == PAGE_MAX {
                    return false;
                }
            }
        }
        true
    };
    let whole = tokio::time::timeout(PAGE_TIME, reading).await.unwrap_or(false);
    (page, whole)
}

/// What an answer of the proxy server itself means that is not what was asked for.
pub(super) async fn refusal(response: Response<Incoming>, proxy: &str, address: String) -> ProxyError {
    let status = response.status().as_u16();
    let (page, _) = drain(response.into_body()).await;
    let title = title_of(&String::from_utf8_lossy(&page)).map_or_else(String::new, |t| format!(" (\"{t}\")"));
    let proxy = proxy.to_owned();
    match status {
        403 => ProxyError::Forbidden { proxy, address, title },
        _ => ProxyError::Answered { proxy, address, status, title },
    }
}

/// Did the proxy server write this itself, instead of passing an answer on? Only some say so.
pub(super) fn is_own(response: &Response<Incoming>) -> bool {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    let says = |name: &str| response.headers().contains_key(name);
    failed && (says("x-squid-error") || says("proxy-status"))
}
