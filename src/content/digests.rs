//! Length and digests of bytes as they pass by.

use std::io;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{FileFacts, StoreError};
use crate::protocol::ids::{Sha1Digest, Sha256Digest};

/// Bytes read from disk at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// What passed by so far.
#[derive(Default)]
pub(super) struct Digests {
    len: u64,
    sha1: Sha1,
    sha256: Sha256,
}

impl Digests {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.sha256.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Adds the rest of a file.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn read(&mut self, file: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer).await? {
                0 => return Ok(()),
                read => self.add(&buffer[..read]),
            }
        }
    }

    /// The same on a thread that may wait for the disk.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read_now(&mut self, file: &mut impl io::Read) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                read => self.add(&buffer[..read]),
            }
        }
    }

    /// Whether this was exactly the file.
    ///
    /// # Errors
    /// [`StoreError::Length`] and [`StoreError::Digest`].
    pub fn check(&self, file: &FileFacts) -> Result<(), StoreError> {
        if self.len != file.size {
            return Err(StoreError::Length { found: self.len, wanted: file.size });
        }
        let sha1 = Sha1Digest(self.sha1.clone().finalize().into());
        if sha1 != file.sha1 {
            return Err(wrong("SHA-1", sha1, file.sha1));
        }
        let sha256 = Sha256Digest(self.sha256.clone().finalize().into());
        match file.sha256 {
            Some(wanted) if wanted != sha256 => Err(wrong("SHA-256", sha256, wanted)),
            _ => Ok(()),
        }
    }
}

fn wrong<D: ToString>(digest: &'static str, found: D, wanted: D) -> StoreError {
    StoreError::Digest { digest, found: found.to_string(), wanted: wanted.to_string() }
}
