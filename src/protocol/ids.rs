//! Identifiers on the wire: update ids, revisions, anchors and file digests.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use uuid::Uuid;

use super::ProtocolError;

/// Length of a GUID in its only accepted form, 8-4-4-4-12 hexadecimal digits.
const GUID_LEN: usize = 36;

/// Why a text is not an id or a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("an id is 36 characters long: 8-4-4-4-12 hexadecimal digits, no braces")]
    NotAGuid,
    #[error("the id of only zeros stands for nothing")]
    Nil,
    #[error("a SHA-1 digest has 20 bytes, a SHA-256 digest 32")]
    NotADigest,
}

/// Reads a GUID of any letter case; braces, missing hyphens and other lengths are refused.
///
/// # Errors
/// [`IdError::NotAGuid`].
pub fn parse_guid(text: &str) -> Result<Uuid, IdError> {
    if text.len() != GUID_LEN {
        return Err(IdError::NotAGuid);
    }
    Uuid::try_parse(text).map_err(|_| IdError::NotAGuid)
}

/// Reads a GUID that names something: as [`parse_guid`], and not all zeros.
///
/// # Errors
/// [`IdError::NotAGuid`] or [`IdError::Nil`].
pub fn parse_id(text: &str) -> Result<Uuid, IdError> {
    let id = parse_guid(text)?;
    if id.is_nil() { Err(IdError::Nil) } else { Ok(id) }
}

/// Names an update across all its revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpdateId(pub Uuid);

impl fmt::Display for UpdateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Counts the editions of one update; higher replaces lower. Never negative in stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionNumber(pub i32);

/// Names one revision: update id and revision number. Shown as `guid number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionKey {
    pub update_id: Uuid,
    pub revision: i32,
}

impl fmt::Display for RevisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.update_id.hyphenated(), self.revision)
    }
}

macro_rules! anchor {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Opaque: send it back unchanged, never look inside. At most [`Self::LEN_MAX`] bytes; the
        /// protocol sets no bound, so this one is ours.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Longest anchor kept, in bytes.
            pub const LEN_MAX: usize = 2_048;

            /// # Errors
            /// [`ProtocolError::AnchorTooLong`] above [`Self::LEN_MAX`] bytes.
            pub fn parse(raw: impl Into<String>) -> Result<Self, ProtocolError> {
                let raw = raw.into();
                if raw.len() > Self::LEN_MAX {
                    return Err(ProtocolError::AnchorTooLong { len_bytes: raw.len() });
                }
                Ok(Self(raw))
            }

            /// The text exactly as received.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

anchor! {
    /// Bookmark of the last revision list received. Source: MS-WSUSSS 3.1.4.5.
    SyncAnchor
}
anchor! {
    /// Bookmark of the last configuration received. Source: MS-WSUSSS 3.1.4.4.
    ConfigAnchor
}

anchor! {
    /// Bookmark of the last deployments received, for a replica. Source: MS-WSUSSS 3.1.4.7.
    DeploymentAnchor
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// # Errors
            /// [`IdError::NotADigest`] when the length is wrong.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::NotADigest)
            }

            /// Reads the Base64 form used in messages and documents.
            ///
            /// # Errors
            /// [`IdError::NotADigest`].
            pub fn from_base64(text: &str) -> Result<Self, IdError> {
                STANDARD.decode(text).map_err(|_| IdError::NotADigest).and_then(|bytes| Self::from_slice(&bytes))
            }

            /// Reads hexadecimal digits of any letter case.
            ///
            /// # Errors
            /// [`IdError::NotADigest`].
            pub fn from_hex(text: &str) -> Result<Self, IdError> {
                hex::decode(text).map_err(|_| IdError::NotADigest).and_then(|bytes| Self::from_slice(&bytes))
            }

            /// The Base64 form used in messages and documents.
            pub fn to_base64(self) -> String {
                STANDARD.encode(self.0)
            }

            /// Upper-case hexadecimal digits, as in content addresses.
            pub fn to_hex_upper(self) -> String {
                hex::encode_upper(self.0)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.to_hex_upper())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex_upper())
            }
        }
    };
}

digest! {
    /// SHA-1 of a file: its name everywhere in the protocol. Shown in upper-case hexadecimal.
    Sha1Digest, 20
}
digest! {
    /// SHA-256 of a file, the digest that is trusted. Shown in upper-case hexadecimal.
    Sha256Digest, 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOWER: &str = "56309036-4c77-4dd9-951a-99ee9c246a94";

    #[test]
    fn r112_one_guid_in_any_letter_case_is_one_id() {
        assert_eq!(parse_guid(&LOWER.to_uppercase()), parse_guid(LOWER));
        assert_eq!(UpdateId(parse_guid(&LOWER.to_uppercase()).unwrap()).to_string(), LOWER);
    }

    #[test]
    fn r112_odd_forms_of_a_guid_are_refused() {
        let braces = format!("{{{LOWER}}}");
        let simple = LOWER.replace('-', "");
        let urn = format!("urn:uuid:{LOWER}");
        for odd in [
            "",
            &LOWER[..35],
            &format!("{LOWER}0"),
            &braces,
            &simple,
            &urn,
            "56309036-4c77-4dd9-951a-99ee9c246a9g",
        ] {
            assert_eq!(parse_guid(odd), Err(IdError::NotAGuid), "{odd}");
        }
        assert_eq!(parse_id("00000000-0000-0000-0000-000000000000"), Err(IdError::Nil));
    }

    #[test]
    fn digests_keep_leading_zeros_and_refuse_other_lengths() {
        let mut bytes = [7; 20];
        bytes[19] = 0x0a;
        let digest = Sha1Digest(bytes);
        assert!(digest.to_hex_upper().ends_with("070A"));
        assert_eq!(Sha1Digest::from_base64(&digest.to_base64()), Ok(digest));
        assert_eq!(Sha1Digest::from_hex(&digest.to_hex_upper().to_lowercase()), Ok(digest));
        assert_eq!(Sha1Digest::from_base64(&STANDARD.encode([0; 32])), Err(IdError::NotADigest));
        assert_eq!(Sha256Digest::from_base64("no base64"), Err(IdError::NotADigest));
    }

    #[test]
    fn an_anchor_is_kept_as_it_is_up_to_its_limit() {
        assert_eq!(SyncAnchor::parse(" 1,2026-01-01 ").unwrap().as_str(), " 1,2026-01-01 ");
        assert!(SyncAnchor::parse("x".repeat(SyncAnchor::LEN_MAX + 1)).is_err());
    }
}
