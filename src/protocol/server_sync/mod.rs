//! The messages two update servers exchange: one file an operation.
//!
//! Each operation has a request (a type that implements [`Request`]) and an answer ([`Reply`]), both
//! readable and writable, because we stand on both sides.

pub mod auth_config;
pub mod authorization_cookie;
pub mod config_data;
pub mod cookie;
pub mod deployments;
pub mod download_files;
pub mod rare;
pub mod revision_id_list;
#[cfg(test)]
mod tests;
pub mod update_data;

pub use auth_config::{AuthPlugIn, GetAuthConfig, GetAuthConfigReply};
pub use authorization_cookie::{AuthorizationCookie, GetAuthorizationCookie, GetAuthorizationCookieReply};
pub use config_data::{GetConfigData, GetConfigDataReply, Language};
pub use cookie::{Cookie, GetCookie, GetCookieReply};
pub use deployments::{GetDeployments, GetDeploymentsReply, SyncDeployment, SyncTargetGroup, is_deadline};
pub use download_files::{DownloadFiles, DownloadFilesReply};
pub use rare::RareQuestion;
pub use revision_id_list::{
    GetRevisionIdList, GetRevisionIdListReply, IdAndDelta, LanguageAndDelta, RevisionFilter,
};
pub use update_data::{FileUrl, GetUpdateData, GetUpdateDataReply, UpdateBlob, UpdateData};

use std::io::BufRead;

use super::ProtocolError;
use super::soap::fields::Once;
use super::soap::{Fault, Message, Method, Reader, SoapVersion, Writer};

/// A request, as the asking server writes and the asked server reads it.
pub trait Request: Sized {
    /// The operation it asks for.
    const METHOD: Method;
    /// What a good answer is.
    type Reply: Reply;

    /// Writes the fields inside the request element, in the schema's order.
    fn write(&self, writer: &mut Writer);

    /// Reads the fields inside the request element, in any order.
    ///
    /// # Errors
    /// What is wrong with them; [`ProtocolError::parameter`] names the field to blame.
    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError>;

    /// The whole SOAP message.
    fn to_bytes(&self, version: SoapVersion) -> Vec<u8> {
        let mut writer = Writer::new(version);
        writer.open_in(Self::METHOD.namespace(), Self::METHOD.name());
        self.write(&mut writer);
        writer.close(Self::METHOD.name());
        writer.finish()
    }

    /// Reads the rest of a message that was opened and found to hold this operation.
    ///
    /// # Errors
    /// As [`Request::read`], and [`ProtocolError::WrongMessage`] for another operation.
    fn from_message(message: Message<'_>) -> Result<Self, ProtocolError> {
        if message.method() != Some(Self::METHOD) {
            return Err(wrong_message(Self::METHOD.name(), &message));
        }
        message.content(Self::METHOD.namespace(), Self::read)
    }
}

/// A good answer, as the asked server writes and the asking server reads it.
pub trait Reply: Sized {
    /// The operation it answers.
    const METHOD: Method;

    /// Writes the result element, children in the schema's order.
    fn write(&self, writer: &mut Writer);

    /// Reads the fields inside the result element, in any order.
    ///
    /// # Errors
    /// What is wrong with them.
    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError>;

    /// The whole SOAP message.
    fn to_bytes(&self, version: SoapVersion) -> Vec<u8> {
        let mut writer = Writer::new(version);
        writer.open_in(Self::METHOD.namespace(), Self::METHOD.response_name());
        self.write(&mut writer);
        writer.close(Self::METHOD.response_name());
        writer.finish()
    }

    /// Reads a whole SOAP message of either version, children in any order.
    ///
    /// # Errors
    /// [`ReplyError::Fault`] when the peer answered with a fault, else [`ReplyError::Unreadable`].
    fn from_bytes(message: &[u8]) -> Result<Self, ReplyError> {
        Self::from_reader(message)
    }

    /// The same while its bytes come; what they hold is all that is kept of them.
    ///
    /// # Errors
    /// As [`Reply::from_bytes`].
    fn from_reader(message: impl BufRead + Send) -> Result<Self, ReplyError> {
        let message = Message::from_reader(message)?;
        if message.is_fault() {
            return Err(ReplyError::Fault(Box::new(Fault::from_message(message)?)));
        }
        let element = &message.element;
        if element.name != Self::METHOD.response_name() || element.namespace != Self::METHOD.namespace() {
            return Err(wrong_message(Self::METHOD.response_name(), &message).into());
        }
        Ok(message.content(Self::METHOD.namespace(), read_result)?)
    }
}

fn read_result<R: Reply>(reader: &mut Reader<'_>) -> Result<R, ProtocolError> {
    let mut result = Once::new(R::METHOD.result_name());
    while let Some(field) = reader.next_field()? {
        if field.name == R::METHOD.result_name() {
            result.set(R::read(reader)?)?;
        } else {
            reader.skip()?;
        }
    }
    result.required()
}

fn wrong_message(wanted: &'static str, message: &Message<'_>) -> ProtocolError {
    ProtocolError::WrongMessage { wanted, found: message.element.name.chars().take(80).collect() }
}

/// Why a message holds no good answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("it answered {0}")]
    Fault(Box<Fault>),
    #[error(transparent)]
    Unreadable(#[from] ProtocolError),
}
