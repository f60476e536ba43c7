//! The protocol version a downstream server offers.

use std::{fmt, str::FromStr};

/// `major.minor`, compared as two integers: 1.20 is newer than 1.8. Source: MS-WSUSSS 2.2.4 and 3.1.4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion {
    pub major: u16,
    pub minor: u16,
}

impl ProtocolVersion {
    /// What we send and report: the version of Windows Server 2016 to 2025.
    pub const OURS: Self = Self { major: 1, minor: 20 };
    /// The only major version there is.
    pub const MAJOR: u16 = 1;
}

/// The text is not `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a protocol version is two whole numbers with a full stop between them, such as 1.20")]
pub struct VersionError;

impl FromStr for ProtocolVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (major, minor) = text.split_once('.').ok_or(VersionError)?;
        Ok(Self { major: whole_number(major)?, minor: whole_number(minor)? })
    }
}

/// Digits only: Rust's own parser would also take a plus sign.
fn whole_number(text: &str) -> Result<u16, VersionError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VersionError);
    }
    text.parse().map_err(|_| VersionError)
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_versions_are_numbers_not_decimals() {
        let of = |text: &str| text.parse::<ProtocolVersion>().unwrap();
        assert!(of("1.20") > of("1.8"));
        assert!(of("2.0") > of("1.99"));
        assert_eq!(of("1.20").to_string(), "1.20");
    }

    #[test]
    fn r229_other_texts_are_no_version() {
        for text in ["", "x", "1", "1.", ".8", "1.x", "1.2.3", "+1.2", "1.99999", " 1.2"] {
            assert_eq!(text.parse::<ProtocolVersion>(), Err(VersionError), "{text}");
        }
    }
}
