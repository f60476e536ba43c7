//! Small files whose bytes follow from a number.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::random::Random;
use crate::protocol::ids::{Sha1Digest, Sha256Digest};

/// Sizes of files in bytes.
const SIZE_MIN: usize = 300;
const SIZE_MAX: usize = 20_000;

/// One file of a made-up revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    pub name: String,
    pub sha1: Sha1Digest,
    pub sha256: Sha256Digest,
    /// Length in bytes.
    pub size: usize,
    content_seed: u64,
}

impl SampleFile {
    /// The file that belongs to a number.
    pub fn new(stem: &str, content_seed: u64) -> Self {
        let mut random = Random::new(content_seed, "file", 0);
        // Mostly small, a few large.
        let range = if random.chance(90) { 3_000 } else { SIZE_MAX - SIZE_MIN };
        let size = SIZE_MIN + random.below(range);
        let extension = *random.pick(&["cab", "cab", "exe", "msu"]);
        let bytes = content(content_seed, size);
        Self {
            name: format!("{stem}.{extension}"),
            sha1: Sha1Digest(Sha1::digest(&bytes).into()),
            sha256: Sha256Digest(Sha256::digest(&bytes).into()),
            size,
            content_seed,
        }
    }

    /// The bytes of the file.
    pub fn content(&self) -> Vec<u8> {
        content(self.content_seed, self.size)
    }

    /// Its place below the content folder: the last two digits of the SHA-1, then the SHA-1 and the extension.
    pub fn relative_path(&self) -> String {
        let hex = self.sha1.to_hex_upper();
        let extension = self.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        format!("{}/{hex}.{extension}", &hex[hex.len() - 2..])
    }

    /// The `File` element of a document.
    pub fn element(&self) -> String {
        format!(
            "<upd:File Digest=\"{}\" DigestAlgorithm=\"SHA1\" FileName=\"{}\" Size=\"{}\" \
             Modified=\"2026-01-05T08:00:00Z\" PatchingType=\"SelfContained\">\
             <upd:AdditionalDigest Algorithm=\"SHA256\">{}</upd:AdditionalDigest></upd:File>",
            self.sha1.to_base64(),
            self.name,
            self.size,
            STANDARD.encode(self.sha256.0),
        )
    }
}

fn content(seed: u64, size: usize) -> Vec<u8> {
    let mut random = Random::new(seed, "content", 0);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
