//! GetCookie: trades authorization cookies for a session. Source: MS-WSUSSS 3.1.4.3.

use chrono::{DateTime, Utc};

use super::AuthorizationCookie;
use crate::protocol::time;

/// The session every later call carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// When it ends, exactly as the upstream server wrote it, because it is sent back so.
    pub expiration: String,
    pub encrypted_data: Vec<u8>,
}

impl Cookie {
    /// When it ends, by the upstream server's clock; `None` when its text is no time.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        time::parse(&self.expiration).ok()
    }
}

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCookie {
    /// Exactly one is right.
    pub auth_cookies: Vec<AuthorizationCookie>,
    /// The cookie before this one; absent the first time.
    pub old_cookie: Option<Cookie>,
    /// `1.20`; kept as text, because the answering server judges it. Empty when absent.
    pub protocol_version: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCookieReply {
    pub cookie: Cookie,
}
