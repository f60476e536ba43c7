//! Refuses requests that another site made a browser send.
//!
//! Every unsafe method is judged before routing: by `Sec-Fetch-Site`, else by `Origin`; and, where there is
//! a session, by a token bound to it, in `X-CSRF-Token` or as the **first** field of the form (`csrf`).
//! What is refused is routed to [`refused`], so that no handler can forget the check, and is written to the
//! audit log.

use super::guards::{self, Anyone};
use super::shell::{self, SessionState};
use super::{PageError, cookies};
use crate::accounts::sessions;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::{Data, Request, Route, get, routes, uri};
use serde_json::json;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// Bytes of the body that are looked at for the token: what Rocket lets a fairing see.
const PEEK_BYTES: usize = 512;

pub(super) fn routes() -> Vec<Route> {
    routes![refused]
}

/// Where refused requests end.
#[get("/refused")]
fn refused(_anyone: Anyone) -> PageError {
    PageError::Forged
}

/// A token for one answer: the session's secret under a fresh mask, so that compression cannot leak it.
pub fn token(secret: &[u8]) -> String {
    let mut bytes: Vec<u8> = (0..secret.len()).map(|_| rand::random()).collect();
    let masked: Vec<u8> = secret.iter().zip(&bytes).map(|(s, m)| s ^ m).collect();
    bytes.extend(masked);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token_is_of(secret: &[u8], token: &str) -> bool {
    if token.len() > PEEK_BYTES || secret.is_empty() {
        return false;
    }
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
    if bytes.len() != secret.len() * 2 {
        return false;
    }
    let (mask, masked) = bytes.split_at(secret.len());
    let unmasked: Vec<u8> = mask.iter().zip(masked).map(|(m, s)| m ^ s).collect();
    bool::from(unmasked.ct_eq(secret))
}

/// Refusals written to the audit log within one [`WINDOW`]; more are only logged, so that nobody fills the
/// table from outside.
const WRITTEN_MAX: u32 = 60;
const WINDOW: Duration = Duration::from_secs(60);

/// The fairing that judges.
#[derive(Default)]
pub struct Shield {
    /// Begin of the present window, and what was written since.
    written: Mutex<Option<(Instant, u32)>>,
}

impl Shield {
    /// Whether one more refusal may be written at `now`.
    fn may_write(&self, now: Instant) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *written {
            Some((begun, count)) if now.duration_since(*begun) < WINDOW => {
                *count += 1;
                *count <= WRITTEN_MAX
            }
            other => {
                *other = Some((now, 1));
                true
            }
        }
    }
}

#[rocket::async_trait]
impl Fairing for Shield {
    fn info(&self) -> Info {
        Info { name: "cross-site request shield", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        let forged = cookies::session_token(request).is_some_and(|token| !sessions::is_token(&token));
        if forged && self.may_write(Instant::now()) {
            let number = shell::request_id(request);
            tracing::warn!(request = number, "a session cookie that was never given out");
            guards::note_refusal(request, "session.forged", None).await;
        }
        if matches!(request.method(), Method::Get | Method::Head | Method::Options) {
            return;
        }
        let verdict = judge(request, data).await;
        if let Err(reason) = verdict {
            let (path, number) = (shell::shown_path(request), shell::request_id(request));
            tracing::warn!(reason, %path, request = number, "a request from elsewhere was refused");
            if self.may_write(Instant::now()) {
                guards::note_refusal(request, "request.forged", Some(json!({ "reason": reason }))).await;
            }
            request.set_method(Method::Get);
            request.set_uri(uri!("/refused"));
        }
    }
}

async fn judge(request: &Request<'_>, data: &mut Data<'_>) -> Result<(), &'static str> {
    let headers = request.headers();
    let has_cookie = cookies::session_token(request).is_some();
    match (headers.get_one("Sec-Fetch-Site"), headers.get_one("Origin")) {
        (Some("same-origin" | "none"), _) => {}
        (Some(_), _) => return Err("Sec-Fetch-Site"),
        (None, Some(origin)) if is_ours(origin, request) => {}
        (None, Some(_)) => return Err("Origin"),
        (None, None) if has_cookie => return Err("neither Sec-Fetch-Site nor Origin"),
        (None, None) => {}
    }
    let SessionState::Live(session) = shell::session_state(request).await else { return Ok(()) };
    let token = match headers.get_one("X-CSRF-Token") {
        Some(token) => token.to_owned(),
        None => first_field(data.peek(PEEK_BYTES).await, request).ok_or("no token")?,
    };
    if token_is_of(&session.csrf_secret, &token) { Ok(()) } else { Err("token") }
}

/// Whether `origin` names the host this request was sent to. The scheme may differ behind a TLS front end.
fn is_ours(origin: &str, request: &Request<'_>) -> bool {
    let host = request.headers().get_one("Host").map(str::to_owned);
    let host = host.or_else(|| request.host().map(ToString::to_string));
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(&host),
        _ => false,
    }
}

/// The value of the field `csrf` when it is the first of the form.
fn first_field(start: &[u8], request: &Request<'_>) -> Option<String> {
    let text = String::from_utf8_lossy(start);
    if request.content_type().is_some_and(|kind| kind.is_form_data()) {
        let (head, rest) = text.split_once("\r\n\r\n")?;
        if !head.contains("name=\"csrf\"") {
            return None;
        }
        return rest.split_once("\r\n").map(|(value, _)| value.to_owned());
    }
    let value = text.strip_prefix("csrf=")?;
    Some(value.split('&').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r186_a_token_fits_only_its_session() {
        let secret = [7_u8; 32];
        let one = token(&secret);
        assert_ne!(one, token(&secret), "masked anew each time");
        assert!(token_is_of(&secret, &one));
        assert!(!token_is_of(&[8_u8; 32], &one));
        assert!(!token_is_of(&secret, "") && !token_is_of(&secret, "AAAA") && !token_is_of(&[], ""));
    }

    #[test]
    fn a_flood_of_forged_requests_fills_no_table() {
        let shield = Shield::default();
        let start = Instant::now();
        let written = (0..1_000).filter(|_| shield.may_write(start)).count();
        assert_eq!(written, WRITTEN_MAX as usize);
        assert!(shield.may_write(start + WINDOW), "a later one is written again");
    }
}
