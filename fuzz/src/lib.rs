//! One function for each reader of what comes from outside. Each says whether it could read the bytes, and asserts
//! what must hold of whatever it read, so that a broken promise is a finding as a panic is.

use std::fmt::Debug;

use weir::protocol::cabinet as cab;
use weir::protocol::document::UpdateDocument;
use weir::protocol::ids::{ConfigAnchor, SyncAnchor};
use weir::protocol::server_sync::{
    GetAuthConfig, GetAuthConfigReply, GetAuthorizationCookie, GetAuthorizationCookieReply, GetConfigData,
    GetConfigDataReply, GetCookie, GetCookieReply, GetRevisionIdList, GetRevisionIdListReply, GetUpdateData,
    GetUpdateDataReply, Reply, Request,
};
use weir::protocol::soap::{Fault, Message, SoapVersion};
use weir::protocol::time;
use weir::upstream::proxy::{NtlmChallenge, ProxyChallenge};

/// Unpacked bytes a cabinet may have here: small, so that the limit itself is reached.
const CABINET_MAX_BYTES: usize = 1 << 20;

/// Reads bytes of one kind; true when they could be read.
pub type Target = fn(&[u8]) -> bool;

/// Every target under the name of its corpus folder.
pub const TARGETS: [(&str, Target); 8] = [
    ("envelope", envelope),
    ("fault", fault),
    ("document", document),
    ("cabinet", cabinet),
    ("anchor", anchor),
    ("filter", filter),
    ("ntlm", ntlm),
    ("proxy_authenticate", proxy_authenticate),
];

/// A SOAP message of any operation, from either side.
pub fn envelope(data: &[u8]) -> bool {
    request::<GetAuthConfig>(data)
        || request::<GetAuthorizationCookie>(data)
        || request::<GetCookie>(data)
        || request::<GetConfigData>(data)
        || request::<GetUpdateData>(data)
        || reply::<GetAuthConfigReply>(data)
        || reply::<GetAuthorizationCookieReply>(data)
        || reply::<GetCookieReply>(data)
        || reply::<GetConfigDataReply>(data)
        || reply::<GetRevisionIdListReply>(data)
        || reply::<GetUpdateDataReply>(data)
}

/// A SOAP fault of either version.
pub fn fault(data: &[u8]) -> bool {
    Message::open(data).is_ok_and(|message| message.is_fault() && Fault::from_message(message).is_ok())
}

/// An update document.
pub fn document(data: &[u8]) -> bool {
    std::str::from_utf8(data).is_ok_and(|text| UpdateDocument::parse(text).is_ok())
}

/// A cabinet with a document in it.
pub fn cabinet(data: &[u8]) -> bool {
    let Ok(text) = cab::decode(data, CABINET_MAX_BYTES) else { return false };
    assert!(text.encode_utf16().count() * 2 <= CABINET_MAX_BYTES, "unpacked beyond the limit");
    true
}

/// A synchronization anchor, a configuration anchor, or the time in one.
pub fn anchor(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let _ = time::parse(text);
    let sync = SyncAnchor::parse(text);
    let config = ConfigAnchor::parse(text);
    for kept in [sync.as_ref().map(SyncAnchor::as_str), config.as_ref().map(ConfigAnchor::as_str)] {
        assert!(kept.is_err() || kept == Ok(text), "an anchor goes back as it came");
    }
    sync.is_ok() || config.is_ok()
}

/// The question for a list of revisions, with its filter.
pub fn filter(data: &[u8]) -> bool {
    request::<GetRevisionIdList>(data)
}

/// The second message of an NTLM sign-in at a proxy server.
pub fn ntlm(data: &[u8]) -> bool {
    NtlmChallenge::parse(data).is_ok()
}

/// What a proxy server offers to sign in with.
pub fn proxy_authenticate(data: &[u8]) -> bool {
    let found = ProxyChallenge::parse(data);
    assert!(found.len() <= 16 && found.iter().all(|one| one.params.len() <= 32), "beyond the limits");
    !found.is_empty()
}

fn request<R: Request + PartialEq + Debug>(data: &[u8]) -> bool {
    let read = |bytes: &[u8]| Message::open(bytes).ok().and_then(|message| R::from_message(message).ok());
    let Some(found) = read(data) else { return false };
    let again = read(&found.to_bytes(SoapVersion::V12));
    assert_eq!(again.as_ref(), Some(&found), "what is written again reads the same");
    true
}

fn reply<R: Reply + PartialEq + Debug>(data: &[u8]) -> bool {
    let Ok(found) = R::from_bytes(data) else { return false };
    let again = R::from_bytes(&found.to_bytes(SoapVersion::V12)).ok();
    assert_eq!(again.as_ref(), Some(&found), "what is written again reads the same");
    true
}
