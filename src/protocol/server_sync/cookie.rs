//! GetCookie: trades authorization cookies for a session. Source: MS-WSUSSS 3.1.4.3.

use chrono::{DateTime, Utc};

use super::{AuthorizationCookie, Reply, Request};
use crate::protocol::soap::fields::{self, Once};
use crate::protocol::soap::{Element, Method, Reader, Writer};
use crate::protocol::{ProtocolError, time};

/// Characters of Base64 a cookie may have. Real ones have below a thousand.
const COOKIE_TEXT_LEN_MAX: usize = 64 * 1024;
/// Authorization cookies a request may carry before it is not read any further. One is right.
const AUTH_COOKIES_MAX: usize = 16;

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

/// What to do with cookie bytes that are not Base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnBadBase64 {
    /// In answers: the message is broken.
    Refuse,
    /// In requests: a cookie without bytes, which is refused like any other cookie that is not ours.
    Empty,
}

impl OnBadBase64 {
    pub(super) fn read(
        self,
        reader: &mut Reader<'_>,
        element: &Element,
        field: &'static str,
    ) -> Result<Vec<u8>, ProtocolError> {
        match fields::base64(reader, element, field, COOKIE_TEXT_LEN_MAX) {
            Err(ProtocolError::BadValue { .. }) if self == Self::Empty => Ok(Vec::new()),
            other => other,
        }
    }
}

impl Cookie {
    pub(super) fn write(&self, writer: &mut Writer, name: &str) {
        writer.open(name);
        writer.text("Expiration", &self.expiration);
        writer.base64("EncryptedData", &self.encrypted_data);
        writer.close(name);
    }

    pub(super) fn read(reader: &mut Reader<'_>, on_bad: OnBadBase64) -> Result<Self, ProtocolError> {
        let (mut expiration, mut data) = (Once::new("Expiration"), Once::new("EncryptedData"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "Expiration" => expiration.set(fields::string(reader, &field)?)?,
                "EncryptedData" => data.set(on_bad.read(reader, &field, "EncryptedData")?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            expiration: expiration.optional().unwrap_or_default(),
            encrypted_data: data.optional().unwrap_or_default(),
        })
    }

    /// The cookie field of a request: absent, nil and without bytes are all "no cookie".
    pub(super) fn read_in_request(reader: &mut Reader<'_>) -> Result<Option<Self>, ProtocolError> {
        let cookie = Self::read(reader, OnBadBase64::Empty)?;
        Ok(Some(cookie).filter(|cookie| !cookie.encrypted_data.is_empty()))
    }
}

impl Request for GetCookie {
    const METHOD: Method = Method::GetCookie;
    type Reply = GetCookieReply;

    fn write(&self, writer: &mut Writer) {
        writer.open("authCookies");
        for cookie in &self.auth_cookies {
            cookie.write(writer, "AuthorizationCookie");
        }
        writer.close("authCookies");
        if let Some(cookie) = &self.old_cookie {
            cookie.write(writer, "oldCookie");
        }
        writer.text("protocolVersion", &self.protocol_version);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let mut auth_cookies = Once::new("authCookies");
        let mut old_cookie = Once::new("oldCookie");
        let mut version = Once::new("protocolVersion");
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "authCookies" => auth_cookies.set(read_auth_cookies(reader)?)?,
                "oldCookie" => old_cookie.set(Cookie::read_in_request(reader)?)?,
                "protocolVersion" => version.set(fields::string(reader, &field)?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            auth_cookies: auth_cookies.optional().unwrap_or_default(),
            old_cookie: old_cookie.optional().flatten(),
            protocol_version: version.optional().unwrap_or_default(),
        })
    }
}

fn read_auth_cookies(reader: &mut Reader<'_>) -> Result<Vec<AuthorizationCookie>, ProtocolError> {
    let mut cookies = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != "AuthorizationCookie" || item.nil {
            reader.skip()?;
            continue;
        }
        if cookies.len() == AUTH_COOKIES_MAX {
            return Err(ProtocolError::TooMany { field: "authCookies", max: AUTH_COOKIES_MAX });
        }
        cookies.push(AuthorizationCookie::read(reader, OnBadBase64::Empty)?);
    }
    Ok(cookies)
}

impl Reply for GetCookieReply {
    const METHOD: Method = Method::GetCookie;

    fn write(&self, writer: &mut Writer) {
        self.cookie.write(writer, "GetCookieResult");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let cookie = Cookie::read(reader, OnBadBase64::Refuse)?;
        if cookie.encrypted_data.is_empty() {
            return Err(ProtocolError::Missing { field: "EncryptedData" });
        }
        Ok(Self { cookie })
    }
}
