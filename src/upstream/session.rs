//! The cookie of a conversation: how it is obtained, when it is renewed, what happens when it is refused.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use url::Url;
use uuid::Uuid;

use super::clock::ClockDifference;
use super::error::{UpstreamError, quote};
use crate::protocol::server_sync::{AuthorizationCookie, Cookie};

/// The protocol version we say we speak, that of Windows Server 2016 to 2025.
pub(super) const PROTOCOL_VERSION: &str = "1.20";

/// A cookie is renewed when less than this remains of it (or a quarter of its life, if that is shorter).
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// Who we are towards an update source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Stable for the life of this server.
    pub server_id: Uuid,
    /// Shaped like a fully qualified domain name.
    pub name: String,
}

impl Identity {
    /// An identity with a name that every server accepts: letters, digits, hyphens and dots of `host_name`.
    pub fn new(server_id: Uuid, host_name: &str) -> Self {
        let kept = host_name.to_ascii_lowercase();
        let labels: Vec<String> = kept
            .split('.')
            .map(|label| label.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(63).collect())
            .map(|label: String| label.trim_matches('-').to_owned())
            .filter(|label| !label.is_empty())
            .take(4)
            .collect();
        let name = match labels.len() {
            0 => "weir.localdomain".to_owned(),
            1 => format!("{}.localdomain", labels[0]),
            _ => labels.join("."),
        };
        Self { server_id, name }
    }
}

/// What is known of the conversation so far.
#[derive(Default)]
pub(super) struct Session {
    pub authorization: Option<AuthorizationCookie>,
    pub cookie: Option<Cookie>,
    /// `None`: used until the server refuses it.
    renew_at: Option<Instant>,
    /// Rises with each cookie, so that a worker can tell whether another has signed in meanwhile.
    pub generation: u64,
    /// Of the source, when the cookie came.
    pub clock: Option<ClockDifference>,
}

impl Session {
    /// Is there a cookie that may be used without a renewal?
    pub fn usable(&self, now: Instant) -> Option<Cookie> {
        let due = self.renew_at.is_some_and(|at| now >= at);
        self.cookie.clone().filter(|_| !due)
    }

    /// Keeps a new cookie. The server's clock decides how long it lives, ours only measures the time that passes.
    pub fn keep(&mut self, cookie: Cookie, server_date: Option<DateTime<Utc>>, now: Instant) {
        self.clock = server_date.map(|date| ClockDifference::between(date, Utc::now()));
        let life = cookie.expires_at().map(|end| end - server_date.unwrap_or_else(Utc::now));
        let life = life.and_then(|life| life.to_std().ok()).filter(|life| !life.is_zero());
        self.renew_at = life.and_then(|life| now.checked_add(life - RENEW_BEFORE.min(life / 4)));
        self.cookie = Some(cookie);
        self.generation += 1;
    }

    /// Forgets both cookies.
    pub fn forget(&mut self) {
        self.authorization = None;
        self.cookie = None;
        self.renew_at = None;
    }
}

/// Where the authorization service is: at the server's root, or at an absolute address on the same host.
///
/// # Errors
/// [`UpstreamError::ForeignAuthorization`] for any other host and for a step back from TLS.
pub(super) fn authorization_url(origin: &Url, service_url: &str, shown: &str) -> Result<Url, UpstreamError> {
    let foreign =
        || UpstreamError::ForeignAuthorization { address: shown.to_owned(), url: quote(service_url) };
    match Url::parse(service_url) {
        Ok(absolute) => {
            let same_host = absolute.host() == origin.host();
            let same_safety = absolute.scheme() == origin.scheme() || absolute.scheme() == "https";
            let web = matches!(absolute.scheme(), "http" | "https");
            if same_host && same_safety && web { Ok(absolute) } else { Err(foreign()) }
        }
        Err(_) => {
            let mut url = origin.clone();
            url.set_query(None);
            url.set_path(&format!("/{}", service_url.trim_start_matches(['/', '\\'])));
            Ok(url)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(expiration: &str) -> Cookie {
        Cookie { expiration: expiration.to_owned(), encrypted_data: vec![1] }
    }

    fn moment(text: &str) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
    }

    #[test]
    fn p21_the_service_url_is_joined_to_the_root() {
        let origin = Url::parse("http://wsus01.example:8530/somewhere?x=1").unwrap();
        let joined = |text| authorization_url(&origin, text, "wsus01").map(|url| url.to_string());
        let wanted = "http://wsus01.example:8530/DssAuthWebService/DssAuthWebService.asmx";
        for text in ["DssAuthWebService/DssAuthWebService.asmx", "/DssAuthWebService/DssAuthWebService.asmx"]
        {
            assert_eq!(joined(text).unwrap(), wanted);
        }
        assert_eq!(joined(wanted).unwrap(), wanted);
        assert_eq!(joined("//evil.example/x").unwrap(), "http://wsus01.example:8530/evil.example/x");
        assert!(joined("http://evil.example/DssAuthWebService.asmx").is_err());
        assert!(joined("file:///etc/passwd").is_err());
    }

    #[test]
    fn p28_a_cookie_is_renewed_before_it_ends() {
        let now = Instant::now();
        let mut session = Session::default();
        session.keep(cookie("2026-11-22T11:00:00Z"), moment("2026-11-22T10:00:00Z"), now);
        assert!(session.usable(now + Duration::from_secs(54 * 60)).is_some());
        assert!(session.usable(now + Duration::from_secs(56 * 60)).is_none());
    }

    #[test]
    fn r051_a_cookie_of_a_minute_is_not_renewed_at_every_call() {
        let now = Instant::now();
        let mut session = Session::default();
        session.keep(cookie("2026-11-22T10:01:00Z"), moment("2026-11-22T10:00:00Z"), now);
        assert!(session.usable(now + Duration::from_secs(40)).is_some());
        assert!(session.usable(now + Duration::from_secs(50)).is_none());
    }

    #[test]
    fn r049_a_cookie_from_the_past_or_for_ever_is_used_until_refused() {
        let now = Instant::now();
        let mut session = Session::default();
        for text in ["2001-01-01T00:00:00", "9999-12-31T23:59:59.9999999", "", "soon"] {
            session.keep(cookie(text), moment("2026-11-22T10:00:00Z"), now);
            assert!(session.usable(now + Duration::from_secs(3_600)).is_some(), "{text}");
        }
    }

    #[test]
    fn r050_a_clock_six_hours_ahead_does_not_matter() {
        let now = Instant::now();
        let mut session = Session::default();
        let server_date = moment("2001-01-01T10:00:00Z");
        session.keep(cookie("2001-01-01T14:00:00Z"), server_date, now);
        assert!(session.usable(now + Duration::from_secs(3 * 3_600)).is_some());
        assert!(session.usable(now + Duration::from_secs(5 * 3_600)).is_none());
    }

    #[test]
    fn a_name_is_made_acceptable() {
        let name = |host: &str| Identity::new(Uuid::nil(), host).name;
        assert_eq!(name("WSUS-01"), "wsus-01.localdomain");
        assert_eq!(name("a_b.example."), "ab.example");
        assert_eq!(name("  "), "weir.localdomain");
    }
}
