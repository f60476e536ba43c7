//! When to ask again, and how long to wait before.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How often a call is repeated after an error that may pass, and the waits between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Calls in all, the first included; at least one is made.
    pub attempts_max: u32,
    /// Wait before the second call; doubled each time.
    pub first_wait: Duration,
    /// No wait of ours is longer.
    pub wait_max: Duration,
    /// A server's `Retry-After` is honoured up to this.
    pub retry_after_max: Duration,
}

/// In words, the errors that `UpstreamError::retry` lets be asked again.
pub const REPEATED: [&str; 5] = [
    "The name of the server is not found",
    "The server or the proxy server cannot be reached",
    "A call, or its TLS handshake, breaks off, takes too long or comes too slowly",
    "The server says that it is busy (ServerBusy)",
    "HTTP status 429, 502, 503 or 504",
];

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 4,
            first_wait: Duration::from_millis(500),
            wait_max: Duration::from_secs(20),
            retry_after_max: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The wait before attempt `next` (2 is the first repetition). `noise` between 0 and 1 spreads the callers over
    /// the upper half of the wait.
    pub fn wait_before(&self, next: u32, retry_after: Option<Duration>, noise: f64) -> Duration {
        if let Some(asked) = retry_after {
            return asked.min(self.retry_after_max);
        }
        let doublings = next.saturating_sub(2).min(16);
        let full = self.first_wait.saturating_mul(1 << doublings).min(self.wait_max);
        full.mul_f64(0.5 + 0.5 * noise.clamp(0.0, 1.0))
    }
}

/// Reads a `Retry-After` header: seconds or an HTTP date. Rubbish is `None`; a date in the past is zero.
pub fn parse_retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
    Some((at - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_help_says_is_asked_again_is_asked_again_and_nothing_else() {
        use super::super::error::UpstreamError as E;
        use super::super::proxy::ProxyError;
        use super::super::tls::TlsProblem;
        let (operation, address, reason) = ("GetConfigData", String::new(), String::new());
        let status = |status| E::Status {
            operation,
            address: String::new(),
            status,
            title: String::new(),
            retry_after: None,
        };
        let again = [
            E::NameNotFound { host: String::new() },
            E::Unreachable { address: address.clone(), reason: reason.clone() },
            E::Proxy(ProxyError::Unreachable { proxy: String::new(), reason: reason.clone() }),
            E::BrokeOff { operation, address: address.clone(), reason: reason.clone() },
            E::TimedOut { operation, address: address.clone(), limit_s: 1, stage: "" },
            E::Tls { address: address.clone(), problem: Box::new(TlsProblem::Closed) },
            E::TooSlow { operation, address: address.clone(), bytes_min: 1, window_s: 1 },
            E::Busy { operation, address: address.clone(), message: String::new(), retry_after: None },
            status(429),
            status(502),
            status(503),
            status(504),
        ];
        assert!(again.iter().all(|error| error.retry().is_some()));
        let fault = |code: &str| E::Fault {
            operation,
            address: String::new(),
            code: code.to_owned(),
            message: String::new(),
            fault_id: String::new(),
        };
        let never = [
            E::Settings { reason: reason.clone() },
            E::Proxy(ProxyError::SignInRefused { proxy: String::new(), scheme: "NTLM" }),
            E::TooLarge { operation, address: address.clone(), limit_bytes: 1 },
            E::Unreadable { operation, address: address.clone(), reason },
            E::CookieRejected { address, restarts: 3 },
            fault("InvalidParameters"),
            fault("InternalServerError"),
            fault(""),
            status(404),
            status(500),
        ];
        assert!(never.iter().all(|error| error.retry().is_none()));
    }

    #[test]
    fn waits_double_and_stay_under_the_cap() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait_before(2, None, 1.0), Duration::from_millis(500));
        assert_eq!(policy.wait_before(3, None, 1.0), Duration::from_secs(1));
        assert_eq!(policy.wait_before(2, None, 0.0), Duration::from_millis(250));
        assert_eq!(policy.wait_before(40, None, 1.0), policy.wait_max);
    }

    #[test]
    fn r065_a_short_retry_after_is_waited_for_and_a_long_one_is_capped() {
        let policy = RetryPolicy::default();
        let now = Utc::now();
        let wait = |text: &str| policy.wait_before(2, parse_retry_after(text, now), 1.0);
        assert_eq!(wait("5"), Duration::from_secs(5));
        assert_eq!(wait("86400"), policy.retry_after_max);
        assert_eq!(wait("soon, please"), policy.first_wait);
        assert_eq!(wait("-4"), policy.first_wait);
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Duration::ZERO);
    }
}
