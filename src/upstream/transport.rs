//! One HTTP exchange: a request goes out, an answer comes back within its limits, or an error says why not.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use super::connections::Connections;
use super::error::{UpstreamError, quote};
use super::limits::TransportLimits;
use super::retry::parse_retry_after;
use super::target::Target;

/// An answer that looks like SOAP, status 200 or 500 and XML by its content type, and came to its end.
pub(super) struct Answer {
    /// Unpacked bytes.
    pub bytes: usize,
    /// The server's clock.
    pub date: Option<DateTime<Utc>>,
    pub retry_after: Option<Duration>,
}

/// The connections to one source.
pub(super) struct Transport {
    connections: Connections,
    limits: TransportLimits,
}

impl Transport {
    /// # Errors
    /// As [`Connections::new`].
    pub fn new(target: Target, limits: TransportLimits) -> Result<Self, UpstreamError> {
        Ok(Self { connections: Connections::new(target, limits)?, limits })
    }

    pub fn target(&self) -> &Target {
        self.connections.target()
    }

    pub fn limits(&self) -> &TransportLimits {
        &self.limits
    }

    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Sends one SOAP 1.1 request; the body of the answer goes into `pieces` as it comes. When nobody takes them any
    /// more, the rest is not read.
    ///
    /// # Errors
    /// Anything but an answer in XML with status 200 or 500; see [`UpstreamError`].
    pub async fn post(
        &self,
        url: &Url,
        operation: &'static str,
        action: &str,
        body: Vec<u8>,
        max_bytes: usize,
        pieces: mpsc::Sender<Bytes>,
    ) -> Result<Answer, UpstreamError> {
        let whole = self.exchange(url, operation, action, body, max_bytes, pieces);
        match timeout(self.limits.call, whole).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out(operation, self.limits.call, "the whole call")),
        }
    }

    async fn exchange(
        &self,
        url: &Url,
        operation: &'static str,
        action: &str,
        body: Vec<u8>,
        max_bytes: usize,
        pieces: mpsc::Sender<Bytes>,
    ) -> Result<Answer, UpstreamError> {
        let since = Instant::now();
        let request = self
            .connections
            .http()
            .post(url.clone())
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", format!("\"{action}\""))
            .body(body)
            .send();
        let response = match timeout(self.limits.headers, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.connections.failure(&error, operation, since)),
            Err(_) => {
                return Err(self.timed_out(operation, self.limits.headers, "waiting for the answer"));
            }
        };
        let status = response.status();
        let retry_after = header(response.headers(), RETRY_AFTER.as_str())
            .and_then(|text| parse_retry_after(&text, Utc::now()));
        if status.is_redirection() {
            let to = header(response.headers(), LOCATION.as_str());
            let target = to.unwrap_or_else(|| "an address it did not name".to_owned());
            let target = quote(&target);
            return Err(UpstreamError::Redirected { operation, address: self.target().shown(), target });
        }
        self.connections.check_way(&response, since)?;
        if status.as_u16() == 401 {
            let schemes = schemes(response.headers());
            return Err(UpstreamError::SignInWanted { operation, address: self.target().shown(), schemes });
        }
        let content_type = header(response.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
        let is_xml = content_type.to_ascii_lowercase().contains("xml");
        if !(is_xml && matches!(status.as_u16(), 200 | 500)) {
            let title = self.page_title(response, operation).await;
            let address = self.target().shown_with_proxy();
            return Err(if status.as_u16() == 200 {
                let content_type = shown_type(&content_type);
                UpstreamError::NotSoap { operation, address, content_type, title }
            } else {
                let status = status.as_u16();
                UpstreamError::Status { operation, address, status, title, retry_after }
            });
        }
        let date = header(response.headers(), DATE.as_str())
            .and_then(|text| DateTime::parse_from_rfc2822(&text).ok())
            .map(|date| date.with_timezone(&Utc));
        let bytes = self.read(response, operation, max_bytes, &pieces).await?;
        Ok(Answer { bytes, date, retry_after })
    }

    /// Reads the unpacked body; the limit is on what comes out of the decompressor.
    async fn read(
        &self,
        mut response: Response,
        operation: &'static str,
        max_bytes: usize,
        pieces: &mpsc::Sender<Bytes>,
    ) -> Result<usize, UpstreamError> {
        let mut bytes = 0;
        let since = Instant::now();
        let mut window = (since, 0_usize);
        loop {
            let piece = match timeout(self.limits.idle, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(bytes),
                Ok(Err(error)) => return Err(self.connections.failure(&error, operation, since)),
                Err(_) => return Err(self.timed_out(operation, self.limits.idle, "no more data came")),
            };
            bytes += piece.len();
            if bytes > max_bytes {
                let address = self.target().shown();
                return Err(UpstreamError::TooLarge { operation, address, limit_bytes: max_bytes });
            }
            window.1 += piece.len();
            if pieces.send(piece).await.is_err() {
                return Ok(bytes);
            }
            if window.0.elapsed() >= self.limits.rate_window {
                if window.1 < self.limits.rate_min_bytes {
                    return Err(UpstreamError::TooSlow {
                        operation,
                        address: self.target().shown(),
                        bytes_min: self.limits.rate_min_bytes,
                        window_s: self.limits.rate_window.as_secs(),
                    });
                }
                window = (Instant::now(), 0);
            }
        }
    }

    /// ` ("title")` of an HTML page, from its first 64 KiB; empty when there is none.
    async fn page_title(&self, response: Response, operation: &'static str) -> String {
        let mut response = response;
        let mut start = Vec::new();
        let reading = async {
            while let Ok(Some(piece)) = response.chunk().await {
                start.extend_from_slice(&piece[..piece.len().min(65_536 - start.len())]);
                if start.len() == 65_536 {
                    break;
                }
            }
        };
        if timeout(Duration::from_secs(5).min(self.limits.idle), reading).await.is_err() {
            tracing::debug!(operation, "the page of an HTTP error did not end in time");
        }
        title_of(&String::from_utf8_lossy(&start)).map_or_else(String::new, |t| format!(" (\"{t}\")"))
    }

    fn timed_out(&self, operation: &'static str, limit: Duration, stage: &'static str) -> UpstreamError {
        let limit_s = limit.as_secs();
        UpstreamError::TimedOut { operation, address: self.target().shown_with_proxy(), limit_s, stage }
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The ways to sign in that a 401 offers: the first word of each header.
fn schemes(headers: &HeaderMap) -> String {
    let offered = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let words: Vec<&str> = offered.filter_map(|text| text.split_whitespace().next()).take(6).collect();
    if words.is_empty() { "no way named".to_owned() } else { quote(&words.join(", ")) }
}

fn shown_type(content_type: &str) -> String {
    let short = content_type.split(';').next().unwrap_or_default().trim();
    if short.is_empty() { "something without a content type".to_owned() } else { quote(short) }
}

/// The text between `<title>` and `</title>`, letters in any case.
pub(super) fn title_of(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let from = lower.find("<title")?;
    let from = from + lower[from..].find('>')? + 1;
    let to = from + lower[from..].find("</title")?;
    let title = quote(page[from..to].trim());
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r063_the_title_of_a_page_is_found_in_any_case() {
        assert_eq!(title_of("<HTML><TITLE lang=en> Sign\nin </Title>"), Some("Sign in".to_owned()));
        assert_eq!(title_of("<title></title>"), None);
        assert_eq!(title_of("no page"), None);
    }
}
