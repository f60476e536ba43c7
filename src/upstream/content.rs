//! Fetches files over plain HTTP GET, whole or from a byte on.

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, RANGE, RETRY_AFTER};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use url::Url;

use super::connections::Connections;
use super::error::UpstreamError;
use super::limits::TransportLimits;
use super::retry::parse_retry_after;
use super::target::Target;

/// The word for this kind of call in messages.
const OPERATION: &str = "a file";

/// What servers, and proxy servers in front of them, answer to a request for a part that they would not serve.
const PARTS_REFUSED: [u16; 5] = [400, 403, 405, 416, 501];

/// The connections over which files come.
pub struct ContentClient {
    connections: Connections,
    limits: TransportLimits,
}

/// An answer that brings bytes.
pub struct ContentAnswer {
    response: Response,
    /// The first byte of the file in this answer: what was asked for, or 0 when the source sends whole files only.
    pub from: u64,
    idle: Duration,
    shown: String,
}

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("{address} answered with status {status}")]
    Status { address: String, status: u16, retry_after: Option<Duration> },
    #[error("{address} sent a page ({content_type}) in place of the file")]
    Page { address: String, content_type: String },
    #[error("{address} sent another part of the file than was asked for")]
    OtherPart { address: String },
    #[error("{address} sent nothing for {seconds} seconds")]
    Silent { address: String, seconds: u64 },
    #[error("the connection to {address} broke: {reason}")]
    Broken { address: String, reason: String },
}

impl ContentClient {
    /// Files from `target`, or from elsewhere through the same proxy.
    ///
    /// # Errors
    /// As for the metadata connection.
    pub fn new(target: Target, limits: TransportLimits) -> Result<Self, UpstreamError> {
        Ok(Self { connections: Connections::new(target, limits)?, limits })
    }

    /// Asks for the bytes of a file of `size` bytes from `from` on, and for the whole file where parts are refused.
    /// Redirections are not followed.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn get(&self, url: &Url, from: u64, size: u64) -> Result<ContentAnswer, ContentError> {
        match self.ask(url, from, size).await {
            Err(ContentError::Status { status, .. }) if from > 0 && PARTS_REFUSED.contains(&status) => {
                self.ask(url, 0, size).await
            }
            other => other,
        }
    }

    async fn ask(&self, url: &Url, from: u64, size: u64) -> Result<ContentAnswer, ContentError> {
        let since = Instant::now();
        let mut request = self.connections.http().get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let shown = shown(url);
        let response = match timeout(self.limits.headers, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                return Err(self.connections.failure(&error, OPERATION, since).into());
            }
            Err(_) => {
                return Err(ContentError::Silent { address: shown, seconds: self.limits.headers.as_secs() });
            }
        };
        self.connections.check_way(&response, since)?;
        let header = |name| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let content_type = header(CONTENT_TYPE);
        let start = match response.status().as_u16() {
            200 => 0,
            206 if covers(&header(CONTENT_RANGE), from, size) => from,
            206 => return Err(ContentError::OtherPart { address: shown }),
            status => {
                let retry_after = parse_retry_after(&header(RETRY_AFTER), chrono::Utc::now());
                return Err(ContentError::Status { address: shown, status, retry_after });
            }
        };
        if content_type.to_ascii_lowercase().starts_with("text/html") {
            return Err(ContentError::Page { address: shown, content_type: "text/html".to_owned() });
        }
        Ok(ContentAnswer { response, from: start, idle: self.limits.idle, shown })
    }
}

impl ContentAnswer {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`ContentError::Silent`] and [`ContentError::Broken`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, ContentError> {
        match timeout(self.idle, self.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => {
                let reason = error.without_url().to_string();
                Err(ContentError::Broken { address: self.shown.clone(), reason })
            }
            Err(_) => Err(ContentError::Silent { address: self.shown.clone(), seconds: self.idle.as_secs() }),
        }
    }
}

/// Host and port; a path or a query could hold a signature.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether `bytes a-b/n` is exactly the rest of a file of `size` bytes from `from` on.
fn covers(content_range: &str, from: u64, size: u64) -> bool {
    content_range.trim() == format!("bytes {from}-{}/{size}", size.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn r083_only_the_part_that_was_asked_for_counts() {
        assert!(covers("bytes 10-99/100", 10, 100));
        for other in
            ["", "bytes 0-99/100", "bytes 10-98/100", "bytes 10-99/101", "bytes 10-99/*", "items 10-99/100"]
        {
            assert!(!covers(other, 10, 100), "{other}");
        }
    }
}
