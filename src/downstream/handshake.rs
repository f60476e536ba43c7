//! Who are you, and here is your session: the three calls every synchronization begins with.

use chrono::Utc;

use super::ticket::{Kind, LIFETIME, Rejected, Ticket};
use super::{Refusal, Services, servers};
use crate::protocol::ids::parse_id;
use crate::protocol::server_sync::{
    AuthPlugIn, AuthorizationCookie, Cookie, GetAuthConfigReply, GetAuthorizationCookie,
    GetAuthorizationCookieReply, GetCookie, GetCookieReply,
};
use crate::protocol::soap::ErrorCode;
use crate::protocol::time;
use crate::protocol::version::ProtocolVersion;

/// Longest full domain name. Source: RFC 1035 2.3.4.
const ACCOUNT_NAME_LEN_MAX: usize = 255;

/// One plug-in, at an address relative to our root.
pub fn auth_config() -> GetAuthConfigReply {
    let plug_in = AuthPlugIn {
        plug_in_id: AuthPlugIn::DSS_TARGETING.to_owned(),
        service_url: AuthPlugIn::SERVICE_URL.to_owned(),
    };
    GetAuthConfigReply { plug_ins: vec![plug_in] }
}

/// Takes down who asks, and hands out an authorization cookie.
///
/// # Errors
/// InvalidParameters naming the field; ServerBusy when no more servers can be remembered.
pub async fn authorize(
    services: &Services,
    request: GetAuthorizationCookie,
) -> Result<GetAuthorizationCookieReply, Refusal> {
    let name = request.account_name.trim();
    if !is_account_name(name) {
        return Err(Refusal::parameter("accountName"));
    }
    let id = parse_id(request.account_guid.trim()).map_err(|_| Refusal::parameter("accountGuid"))?;
    let mut conn = services.borrow().await?;
    if !servers::remember(&mut conn, id, name).await? {
        tracing::warn!(server.name = name, "no room for another downstream server");
        return Err(Refusal::plain(ErrorCode::ServerBusy));
    }
    let ticket = Ticket {
        server_id: services.server_id,
        downstream_id: id,
        expires_at: Utc::now() + LIFETIME,
        version: ProtocolVersion::OURS,
    };
    let cookie = AuthorizationCookie {
        plug_in_id: AuthPlugIn::DSS_TARGETING.to_owned(),
        cookie_data: ticket.seal(&services.secret, Kind::Authorization),
    };
    Ok(GetAuthorizationCookieReply { cookie })
}

/// Trades an authorization cookie for a session. The old cookie does not matter.
///
/// # Errors
/// InvalidParameters, IncompatibleProtocolVersion or InvalidAuthorizationCookie, in this order.
pub async fn open_session(services: &Services, request: GetCookie) -> Result<GetCookieReply, Refusal> {
    let [auth_cookie] = request.auth_cookies.as_slice() else {
        return Err(Refusal::parameter("authCookies"));
    };
    let version: ProtocolVersion =
        request.protocol_version.trim().parse().map_err(|_| Refusal::parameter("protocolVersion"))?;
    if version.major != ProtocolVersion::MAJOR {
        return Err(Refusal::plain(ErrorCode::IncompatibleProtocolVersion));
    }
    let now = Utc::now();
    let authorization = Ticket::open(
        &services.secret,
        Kind::Authorization,
        &auth_cookie.cookie_data,
        services.server_id,
        now,
    )
    // Of another server: the same answer makes the other side begin from the beginning.
    .map_err(|_| Refusal::plain(ErrorCode::InvalidAuthorizationCookie))?;
    let mut conn = services.borrow().await?;
    servers::note_version(&mut conn, authorization.downstream_id, &version.to_string()).await?;
    let expires_at = authorization.expires_at.min(now + LIFETIME);
    let session = Ticket { expires_at, version, ..authorization };
    let cookie = Cookie {
        expiration: time::format(expires_at),
        encrypted_data: session.seal(&services.secret, Kind::Session),
    };
    Ok(GetCookieReply { cookie })
}

/// Checks the cookie of every later call. What is sealed decides, not the clear expiry beside it.
///
/// # Errors
/// InvalidCookie, ServerChanged, or IncompatibleProtocolVersion.
pub fn session(services: &Services, cookie: Option<&Cookie>) -> Result<Ticket, Refusal> {
    let cookie = cookie.ok_or_else(|| Refusal::plain(ErrorCode::InvalidCookie))?;
    let ticket =
        Ticket::open(&services.secret, Kind::Session, &cookie.encrypted_data, services.server_id, Utc::now())
            .map_err(|rejected| {
                Refusal::plain(match rejected {
                    Rejected::Unusable => ErrorCode::InvalidCookie,
                    Rejected::OtherServer => ErrorCode::ServerChanged,
                })
            })?;
    if ticket.version.major != ProtocolVersion::MAJOR {
        return Err(Refusal::plain(ErrorCode::IncompatibleProtocolVersion));
    }
    Ok(ticket)
}

fn is_account_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !name.is_empty()
        && name.len() <= ACCOUNT_NAME_LEN_MAX
        && name.bytes().all(allowed)
        && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::is_account_name;

    #[test]
    fn r228_an_account_name_is_a_host_name() {
        assert!(is_account_name("wsus02.corp.example.org"));
        assert!(is_account_name("WSUS_2"));
        let long = "a".repeat(256);
        for name in ["", ".", "a b", "a/b", "a\u{0}", "ä", "<x>", long.as_str()] {
            assert!(!is_account_name(name), "{name}");
        }
    }
}
