//! GetAuthorizationCookie: a downstream server says who it is. Source: MS-WSUSSS 3.1.4.2.

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
