//! Faults: how an update server says no. Source: MS-WSUSSS 2.2.2.6, and real servers.

use std::fmt;

use super::{Element, Message, Reader, SoapVersion, VALUE_LEN_MAX, Writer};
use crate::protocol::ProtocolError;

/// The sentence real servers send with every fault.
const REASON: &str = "Fault occurred";

/// The reason code of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    InvalidParameters,
    InvalidCookie,
    InvalidAuthorizationCookie,
    IncompatibleProtocolVersion,
    InternalServerError,
    ServerChanged,
    ServerBusy,
    FileDigestsMissing,
    TooManyIds,
    /// A code that no specification we know of names; cut to [`ErrorCode::OTHER_LEN_MAX`] characters.
    Other(String),
}

impl ErrorCode {
    /// Longest unknown code kept, in characters.
    pub const OTHER_LEN_MAX: usize = 100;

    const KNOWN: [Self; 9] = [
        Self::InvalidParameters,
        Self::InvalidCookie,
        Self::InvalidAuthorizationCookie,
        Self::IncompatibleProtocolVersion,
        Self::InternalServerError,
        Self::ServerChanged,
        Self::ServerBusy,
        Self::FileDigestsMissing,
        Self::TooManyIds,
    ];

    /// Reads a code. Never fails: what is not known is kept as [`ErrorCode::Other`].
    pub fn parse(text: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|code| code.as_str() == text);
        known.unwrap_or_else(|| Self::Other(text.chars().take(Self::OTHER_LEN_MAX).collect()))
    }

    /// The code as it is written in messages.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidParameters => "InvalidParameters",
            Self::InvalidCookie => "InvalidCookie",
            Self::InvalidAuthorizationCookie => "InvalidAuthorizationCookie",
            Self::IncompatibleProtocolVersion => "IncompatibleProtocolVersion",
            Self::InternalServerError => "InternalServerError",
            Self::ServerChanged => "ServerChanged",
            Self::ServerBusy => "ServerBusy",
            Self::FileDigestsMissing => "FileDigestsMissing",
            Self::TooManyIds => "TooManyIds",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One fault, of either SOAP version. Texts of a peer are cut to [`Fault::TEXT_LEN_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `None`: the peer gave no code, which means that this synchronization must stop.
    pub code: Option<ErrorCode>,
    /// For [`ErrorCode::InvalidParameters`] the name of the parameter; may be empty.
    pub message: String,
    /// What the peer calls this incident, usually a GUID.
    pub id: String,
    /// The operation, as the peer writes it (real servers write the action in quotes).
    pub method: String,
    /// The sentence for people.
    pub reason: String,
}

impl Fault {
    /// Longest text kept from a peer's fault, in characters.
    pub const TEXT_LEN_MAX: usize = 1_000;

    /// A fault as we send it; `method` without quotes.
    pub fn new(code: ErrorCode, message: impl Into<String>, id: impl fmt::Display, method: &str) -> Self {
        Self {
            code: Some(code),
            message: message.into(),
            id: id.to_string(),
            method: format!("\"{method}\""),
            reason: REASON.to_owned(),
        }
    }

    /// The whole SOAP message; `actor` is the address that was asked.
    pub fn to_bytes(&self, version: SoapVersion, actor: &str) -> Vec<u8> {
        let at_our_side = matches!(self.code, Some(ErrorCode::InternalServerError | ErrorCode::ServerBusy));
        let mut writer = Writer::new(version);
        writer.open("soap:Fault");
        match version {
            SoapVersion::V11 => {
                writer.text("faultcode", if at_our_side { "soap:Server" } else { "soap:Client" });
                writer.text("faultstring", &self.reason);
                writer.text("faultactor", actor);
                self.write_detail(&mut writer, "detail");
            }
            SoapVersion::V12 => {
                writer.open("soap:Code");
                writer.text("soap:Value", if at_our_side { "soap:Receiver" } else { "soap:Sender" });
                writer.close("soap:Code");
                writer.open("soap:Reason");
                writer.open("soap:Text xml:lang=\"en\"");
                writer.plain(&self.reason);
                writer.close("soap:Text");
                writer.close("soap:Reason");
                writer.text("soap:Role", actor);
                self.write_detail(&mut writer, "soap:Detail");
            }
        }
        writer.close("soap:Fault");
        writer.finish()
    }

    /// No default namespace is in scope, so the children are in none.
    fn write_detail(&self, writer: &mut Writer, name: &str) {
        writer.open(name);
        if let Some(code) = &self.code {
            writer.text("ErrorCode", code.as_str());
            writer.text("Message", &self.message);
            writer.text("ID", &self.id);
            writer.text("Method", &self.method);
        }
        writer.close(name);
    }

    /// Reads the rest of a message that was opened and found to hold a fault.
    ///
    /// Both shapes, and the detail both where SOAP 1.2 puts it and where the specification shows it. Of
    /// a field that comes twice the first counts: a fault is never refused for its form.
    ///
    /// # Errors
    /// Broken XML and limits only.
    pub fn from_message(message: Message<'_>) -> Result<Self, ProtocolError> {
        message.content("", |reader| {
            let mut fault = Self {
                code: None,
                message: String::new(),
                id: String::new(),
                method: String::new(),
                reason: String::new(),
            };
            while let Some(child) = reader.next_child()? {
                match child.name.as_str() {
                    "faultstring" => keep_first(&mut fault.reason, reader, &child)?,
                    "Reason" => fault.read_reason(reader)?,
                    "detail" | "Detail" => fault.read_detail(reader)?,
                    _ => reader.skip()?,
                }
            }
            Ok(fault)
        })
    }

    fn read_reason(&mut self, reader: &mut Reader<'_>) -> Result<(), ProtocolError> {
        while let Some(child) = reader.next_child()? {
            match child.name.as_str() {
                "Text" => keep_first(&mut self.reason, reader, &child)?,
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn read_detail(&mut self, reader: &mut Reader<'_>) -> Result<(), ProtocolError> {
        let mut code = String::new();
        while let Some(child) = reader.next_child()? {
            match child.name.as_str() {
                "ErrorCode" => keep_first(&mut code, reader, &child)?,
                "Message" => keep_first(&mut self.message, reader, &child)?,
                "ID" => keep_first(&mut self.id, reader, &child)?,
                "Method" => keep_first(&mut self.method, reader, &child)?,
                _ => reader.skip()?,
            }
        }
        if self.code.is_none() && !code.is_empty() {
            self.code = Some(ErrorCode::parse(&code));
        }
        Ok(())
    }
}

fn keep_first(kept: &mut String, reader: &mut Reader<'_>, element: &Element) -> Result<(), ProtocolError> {
    let text = reader.text(element, VALUE_LEN_MAX)?;
    if kept.is_empty() {
        *kept = text.trim().chars().take(Fault::TEXT_LEN_MAX).collect();
    }
    Ok(())
}

impl fmt::Display for Fault {
    /// `InvalidParameters (filter)`, or the sentence for people when there is no code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) if self.message.is_empty() => write!(f, "{code}"),
            Some(code) => write!(f, "{code} ({})", self.message),
            None => write!(f, "{}", self.reason),
        }
    }
}
