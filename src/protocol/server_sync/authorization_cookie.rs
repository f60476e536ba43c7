//! GetAuthorizationCookie: a downstream server says who it is. Source: MS-WSUSSS 3.1.4.2.

use super::cookie::OnBadBase64;
use super::{Reply, Request};
use crate::protocol::ProtocolError;
use crate::protocol::soap::fields::{self, Once};
use crate::protocol::soap::{Method, Reader, Writer};

/// What the authorization service hands out; the asking server passes it on unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCookie {
    pub plug_in_id: String,
    pub cookie_data: Vec<u8>,
}

/// The question. Both fields are kept as text: the answering server names the bad one in its fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAuthorizationCookie {
    /// Full domain name of the downstream server; empty when absent.
    pub account_name: String,
    /// GUID of the downstream server, stable for its life; empty when absent.
    pub account_guid: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAuthorizationCookieReply {
    pub cookie: AuthorizationCookie,
}

impl Request for GetAuthorizationCookie {
    const METHOD: Method = Method::GetAuthorizationCookie;
    type Reply = GetAuthorizationCookieReply;

    fn write(&self, writer: &mut Writer) {
        writer.text("accountName", &self.account_name);
        writer.text("accountGuid", &self.account_guid);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut name, mut guid) = (Once::new("accountName"), Once::new("accountGuid"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "accountName" => name.set(fields::string(reader, &field)?)?,
                "accountGuid" => guid.set(fields::string(reader, &field)?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            account_name: name.optional().unwrap_or_default(),
            account_guid: guid.optional().unwrap_or_default(),
        })
    }
}

impl Reply for GetAuthorizationCookieReply {
    const METHOD: Method = Method::GetAuthorizationCookie;

    fn write(&self, writer: &mut Writer) {
        self.cookie.write(writer, "GetAuthorizationCookieResult");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let cookie = AuthorizationCookie::read(reader, OnBadBase64::Refuse)?;
        if cookie.cookie_data.is_empty() {
            return Err(ProtocolError::Missing { field: "CookieData" });
        }
        Ok(Self { cookie })
    }
}

impl AuthorizationCookie {
    pub(super) fn write(&self, writer: &mut Writer, name: &str) {
        writer.open(name);
        writer.text("PlugInId", &self.plug_in_id);
        writer.base64("CookieData", &self.cookie_data);
        writer.close(name);
    }

    pub(super) fn read(reader: &mut Reader<'_>, on_bad: OnBadBase64) -> Result<Self, ProtocolError> {
        let (mut id, mut data) = (Once::new("PlugInId"), Once::new("CookieData"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "PlugInId" => id.set(fields::string(reader, &field)?)?,
                "CookieData" => data.set(on_bad.read(reader, &field, "CookieData")?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            plug_in_id: id.optional().unwrap_or_default(),
            cookie_data: data.optional().unwrap_or_default(),
        })
    }
}
