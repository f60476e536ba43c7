//! The folder of files, laid out as real servers do: `XX/SHA1.ext`, where `XX` is the last byte of the digest.

use std::io;
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::protocol::ids::{Sha1Digest, Sha256Digest};

/// Longest extension, in characters; longer ones are no extension. Ours.
const EXTENSION_LEN_MAX: usize = 16;
/// Where unfinished files are; no content address leads there.
const PARTIAL_DIR: &str = ".partial";
/// The part of the disk that is never used, in percent, and what it is at most, in bytes.
const RESERVE_PERCENT: u64 = 10;
const RESERVE_MAX_BYTES: u64 = 5 << 30;
/// Bytes read at once while a partial file is hashed again.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why a file is not in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the content folder cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error("it has {found} bytes, and should have {wanted}")]
    Length { found: u64, wanted: u64 },
    #[error("its {digest} digest is wrong, so it was thrown away")]
    Digest { digest: &'static str },
    #[error("the disk has {free_bytes} bytes free, of which {reserve_bytes} are never used")]
    Full { free_bytes: u64, reserve_bytes: u64 },
}

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
    /// Place below the content folder and in content addresses: `0A/…0A.cab`.
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

/// The content folder.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Space on the disk that holds the store, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    /// Never used: a tenth of the disk, at most 5 GiB.
    pub reserve: u64,
}

impl Store {
    /// The store in this folder; nothing is made or looked at yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// # Errors
    /// When the folder cannot be made or its disk not be asked.
    pub async fn space(&self) -> Result<Space, StoreError> {
        fs::create_dir_all(&self.root).await?;
        let about = nix::sys::statvfs::statvfs(&self.root).map_err(io::Error::from)?;
        let unit = about.fragment_size();
        let free = about.blocks_available().saturating_mul(unit);
        let reserve = (about.blocks().saturating_mul(unit) / 100 * RESERVE_PERCENT).min(RESERVE_MAX_BYTES);
        Ok(Space { free, reserve })
    }

    /// Refuses when `bytes` more would touch the reserve.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub async fn make_sure_of_room(&self, bytes: u64) -> Result<(), StoreError> {
        let Space { free, reserve } = self.space().await?;
        if free < reserve.saturating_add(bytes) {
            return Err(StoreError::Full { free_bytes: free, reserve_bytes: reserve });
        }
        Ok(())
    }

    /// Whether the file is here, with the right length. Its digests were checked when it came.
    pub async fn holds(&self, file: &FileFacts) -> bool {
        let about = fs::metadata(self.root.join(file.place())).await;
        about.is_ok_and(|about| about.is_file() && about.len() == file.size)
    }

    /// Opens the unfinished file, which may hold a beginning already; that is hashed again.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn open_partial(&self, file: &FileFacts) -> Result<Partial, StoreError> {
        let folder = self.root.join(PARTIAL_DIR);
        fs::create_dir_all(&folder).await?;
        let path = folder.join(file.sha1.to_hex_upper());
        let handle = OpenOptions::new().read(true).append(true).create(true).open(&path).await?;
        let mut partial = Partial {
            file: handle,
            path,
            len: 0,
            sha1: Sha1::new(),
            sha256: Sha256::new(),
            facts: file.clone(),
            store: self.clone(),
        };
        if partial.file.metadata().await?.len() > file.size {
            partial.start_over().await?;
        } else {
            partial.hash_again().await?;
        }
        Ok(partial)
    }
}

/// A file on its way into the store. Dropping it keeps what came, for the next try.
pub struct Partial {
    file: File,
    path: PathBuf,
    len: u64,
    sha1: Sha1,
    sha256: Sha256,
    facts: FileFacts,
    store: Store,
}

impl Partial {
    /// Bytes that are here.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Nothing is here yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    async fn hash_again(&mut self) -> Result<(), StoreError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = self.file.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            self.note(&buffer[..read]);
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.sha256.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Throws away what came so far.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn start_over(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0).await?;
        (self.sha1, self.sha256, self.len) = (Sha1::new(), Sha256::new(), 0);
        Ok(())
    }

    /// Adds the next bytes, hashed as they come.
    ///
    /// # Errors
    /// [`StoreError::Length`] for more than the file has; [`StoreError::Io`].
    pub async fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let len = self.len + bytes.len() as u64;
        if len > self.facts.size {
            self.start_over().await?;
            return Err(StoreError::Length { found: len, wanted: self.facts.size });
        }
        self.file.write_all(bytes).await?;
        self.note(bytes);
        Ok(())
    }

    /// Checks length and digests, and gives the file its final name; it is on disk for good then.
    ///
    /// # Errors
    /// [`StoreError::Length`] keeps what came, [`StoreError::Digest`] throws it away.
    pub async fn complete(mut self) -> Result<(), StoreError> {
        let FileFacts { size, sha1, sha256, .. } = &self.facts;
        if self.len != *size {
            return Err(StoreError::Length { found: self.len, wanted: *size });
        }
        let found: [u8; 20] = self.sha1.clone().finalize().into();
        let wrong = if found != sha1.0 {
            Some("SHA-1")
        } else {
            let found: [u8; 32] = self.sha256.clone().finalize().into();
            sha256.filter(|wanted| wanted.0 != found).map(|_| "SHA-256")
        };
        if let Some(digest) = wrong {
            fs::remove_file(&self.path).await?;
            return Err(StoreError::Digest { digest });
        }
        self.file.flush().await?;
        self.file.sync_all().await?;
        let place = self.store.root.join(self.facts.place());
        let folder = place.parent().unwrap_or(&self.store.root).to_owned();
        fs::create_dir_all(&folder).await?;
        fs::rename(&self.path, &place).await?;
        File::open(&folder).await?.sync_all().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(content: &[u8], name: &str) -> FileFacts {
        FileFacts {
            sha1: Sha1Digest(Sha1::digest(content).into()),
            sha256: Some(Sha256Digest(Sha256::digest(content).into())),
            size: content.len() as u64,
            name: name.to_owned(),
        }
    }

    #[test]
    fn p40_a_place_is_the_last_byte_the_digest_and_a_plain_extension() {
        let digest = Sha1Digest::from_hex("2e6a3a0b3f6e1d4c5b6a79880716253443520a0a").unwrap();
        let named = |name: &str| FileFacts { sha1: digest, sha256: None, size: 1, name: name.to_owned() };
        assert_eq!(named("a.b.CAB").place(), "0A/2E6A3A0B3F6E1D4C5B6A79880716253443520A0A.cab");
        for strange in ["x", "../../etc/passwd", "x./..", "x.e\u{202e}xe", "x.", "C:\\x.a b", "x.\0"] {
            assert!(named(strange).place().ends_with(".bin"), "{strange}");
        }
    }

    #[tokio::test]
    async fn a_file_arrives_in_pieces_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let content = vec![7_u8; 700_000];
        let file = facts(&content, "x.cab");
        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(&content[..300_000]).await.unwrap();
        partial.file.flush().await.unwrap();
        drop(partial);
        assert!(!store.holds(&file).await);
        let mut partial = store.open_partial(&file).await.unwrap();
        assert_eq!(partial.len(), 300_000);
        partial.add(&content[300_000..]).await.unwrap();
        partial.complete().await.unwrap();
        assert!(store.holds(&file).await);
        assert_eq!(std::fs::read(folder.path().join(file.place())).unwrap(), content);
    }

    #[tokio::test]
    async fn wrong_bytes_never_get_a_final_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let content = b"right content".to_vec();
        let file = facts(&content, "x.cab");

        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(b"wrong content").await.unwrap();
        assert!(matches!(partial.complete().await, Err(StoreError::Digest { digest: "SHA-1" })));

        let mut partial = store.open_partial(&file).await.unwrap();
        assert!(partial.is_empty(), "what was wrong is gone");
        partial.add(b"right").await.unwrap();
        assert!(matches!(partial.complete().await, Err(StoreError::Length { found: 5, .. })));

        let mut partial = store.open_partial(&file).await.unwrap();
        assert!(matches!(partial.add(&[0; 100]).await, Err(StoreError::Length { .. })));
        assert!(partial.is_empty());
        drop(partial);

        let liar = FileFacts { sha256: Some(Sha256Digest([1; 32])), ..file.clone() };
        let mut partial = store.open_partial(&liar).await.unwrap();
        partial.add(&content).await.unwrap();
        assert!(matches!(partial.complete().await, Err(StoreError::Digest { digest: "SHA-256" })));
        assert!(!store.holds(&file).await);
    }

    #[tokio::test]
    async fn r087_the_reserve_of_the_disk_is_never_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let space = store.space().await.unwrap();
        assert!(space.reserve <= RESERVE_MAX_BYTES && space.reserve > 0);
        assert!(matches!(store.make_sure_of_room(u64::MAX / 2).await, Err(StoreError::Full { .. })));
    }
}
