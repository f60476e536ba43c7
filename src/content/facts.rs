//! What is known of a file before it is here, and the place that follows from it.

use crate::protocol::ids::{Sha1Digest, Sha256Digest};

/// Longest extension, in characters; longer ones are no extension. Ours.
pub(super) const EXTENSION_LEN_MAX: usize = 16;

/// What is known of a file before it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    pub sha1: Sha1Digest,
    /// Checked too, where the document names it.
    pub sha256: Option<Sha256Digest>,
    /// In bytes.
    pub size: u64,
    /// As its publisher called it. Only the extension is used.
    pub name: String,
}

impl FileFacts {
    /// Place in the store and in content addresses: `0A/…0A.cab`.
    pub fn place(&self) -> String {
        let hex = self.sha1.to_hex_upper();
        let extension = self.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let plain = !extension.is_empty()
            && extension.len() <= EXTENSION_LEN_MAX
            && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let extension = if plain { extension.to_ascii_lowercase() } else { "bin".to_owned() };
        format!("{}/{hex}.{extension}", &hex[hex.len() - 2..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p40_a_place_is_the_last_byte_the_digest_and_a_plain_extension() {
        let digest = Sha1Digest::from_hex("2e6a3a0b3f6e1d4c5b6a79880716253443520a0a").unwrap();
        let named = |name: &str| FileFacts { sha1: digest, sha256: None, size: 1, name: name.to_owned() };
        assert_eq!(named("a.b.CAB").place(), "0A/2E6A3A0B3F6E1D4C5B6A79880716253443520A0A.cab");
        for strange in ["x", "../../etc/passwd", "x./..", "x.e\u{202e}xe", "x.", "C:\\x.a b", "x.\0"] {
            assert!(named(strange).place().ends_with(".bin"), "{strange}");
        }
    }
}
