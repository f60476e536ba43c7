//! Faults: how an update server says no. Source: MS-WSUSSS 2.2.2.6, and real servers.

use std::fmt;

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
