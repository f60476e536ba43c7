//! The messages two update servers exchange: one file an operation.
//!
//! Each operation has a request (a type that implements [`Request`]) and an answer ([`Reply`]), both
//! readable and writable, because we stand on both sides.

pub mod auth_config;
pub mod authorization_cookie;
pub mod config_data;
pub mod cookie;
pub mod revision_id_list;
pub mod update_data;

pub use auth_config::{AuthPlugIn, GetAuthConfig, GetAuthConfigReply};
pub use authorization_cookie::{AuthorizationCookie, GetAuthorizationCookie, GetAuthorizationCookieReply};
pub use config_data::{GetConfigData, GetConfigDataReply, Language};
pub use cookie::{Cookie, GetCookie, GetCookieReply};
pub use revision_id_list::{
    GetRevisionIdList, GetRevisionIdListReply, IdAndDelta, LanguageAndDelta, RevisionFilter,
};
pub use update_data::{FileUrl, GetUpdateData, GetUpdateDataReply, UpdateBlob, UpdateData};

use super::ProtocolError;
use super::soap::{Fault, Method, SoapVersion};

/// A request, as the asking server writes and the asked server reads it.
pub trait Request: Sized {
    /// The operation it asks for.
    const METHOD: Method;
    /// What a good answer is.
    type Reply: Reply;

    /// The whole SOAP message, children in the schema's order.
    fn to_bytes(&self, version: SoapVersion) -> Vec<u8>;
}

/// A good answer, as the asked server writes and the asking server reads it.
pub trait Reply: Sized {
    /// The operation it answers.
    const METHOD: Method;

    /// The whole SOAP message, children in the schema's order.
    fn to_bytes(&self, version: SoapVersion) -> Vec<u8>;

    /// Reads a whole SOAP message of either version, children in any order.
    ///
    /// # Errors
    /// [`ReplyError::Fault`] when the peer answered with a fault, else [`ReplyError::Unreadable`].
    fn from_bytes(message: &[u8]) -> Result<Self, ReplyError>;
}

/// Why a message holds no good answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("it answered {0}")]
    Fault(Box<Fault>),
    #[error(transparent)]
    Unreadable(#[from] ProtocolError),
}
