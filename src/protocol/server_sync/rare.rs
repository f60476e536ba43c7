//! Operations that no server needs from another one like us, and the answers that say so: nothing is there.
//!
//! Source: MS-WSUSSS 3.1.4.10 to 3.1.4.14 and its service descriptions. Newer servers ask a few of them on their way,
//! and would take a fault for trouble.

use chrono::{DateTime, SecondsFormat, Utc};

use super::Cookie;
use crate::protocol::ProtocolError;
use crate::protocol::soap::fields::Once;
use crate::protocol::soap::{Message, Method, Reader, SoapVersion, Writer};

/// What such a question is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RareQuestion {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    /// The list of driver sets is there, be it empty.
    pub names_driver_sets: bool,
}

impl RareQuestion {
    /// Reads what counts of it; everything else is skipped.
    ///
    /// # Errors
    /// What is wrong with the message.
    pub fn from_message(message: Message<'_>, method: Method) -> Result<Self, ProtocolError> {
        message.content(method.namespace(), Self::read)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut cookie, mut names_driver_sets) = (Once::new("cookie"), false);
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "cookie" => cookie.set(Cookie::read_in_request(reader)?)?,
                name => {
                    names_driver_sets |= name == "driverSets" && !field.nil;
                    reader.skip()?;
                }
            }
        }
        Ok(Self { cookie: cookie.optional().flatten(), names_driver_sets })
    }
}

/// The answer without anything in it; `None` for an operation that has a proper answer elsewhere, or none at all.
pub fn nothing(method: Method, version: SoapVersion, now: DateTime<Utc>) -> Option<Vec<u8>> {
    let mut writer = Writer::new(version);
    writer.open_in(method.namespace(), method.response_name());
    writer.open(method.result_name());
    match method {
        Method::GetUpdateDecryptionData => writer.empty("UpdateFileDecryptionData"),
        Method::GetDriverIdList => {
            for name in ["Anchor", "NewRevisions", "NewDriverSets", "RemovedDriverSets"] {
                writer.empty(name);
            }
        }
        Method::GetDriverSetData => writer.empty("DriverSets"),
        Method::GetRelatedRevisionsForUpdates => {}
        Method::Ping => ping(&mut writer, now),
        _ => return None,
    }
    writer.close(method.result_name());
    writer.close(method.response_name());
    Some(writer.finish())
}

/// Only what the schema asks for: nothing is told of this computer.
fn ping(writer: &mut Writer, now: DateTime<Utc>) {
    let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    writer.value("SuccessFlag", true);
    writer.text("ServicesTime", &now);
    writer.value("IsHttps", false);
    writer.text("ConfigFileLastModifiedTime", &now);
    writer.text("ConfigFileNextExpirationTime", &now);
    writer.value("ConfigFileExpirationModuloInMinutes", 0);
}
