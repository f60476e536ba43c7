//! A file on its way into the store: always on the disk of this computer until it is whole and right.

use std::path::PathBuf;

use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use super::digests::Digests;
use super::{FileFacts, Store, StoreError};
use crate::protocol::ids::Sha1Digest;

/// Where unfinished files are; no content address leads there.
pub(super) const PARTIAL_DIR: &str = ".partial";

/// A file on its way into the store. Dropping it keeps what came, for the next try.
pub struct Partial {
    file: File,
    path: PathBuf,
    digests: Digests,
    facts: FileFacts,
    store: Store,
}

impl Store {
    /// Bytes of a file that are here while it is unfinished.
    pub async fn partial_len(&self, sha1: &Sha1Digest) -> u64 {
        let path = self.folder().join(PARTIAL_DIR).join(sha1.to_hex_upper());
        fs::metadata(path).await.map_or(0, |about| about.len())
    }

    /// Opens the unfinished file, which may hold a beginning already; that is hashed again.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::Strange`] for a folder without our mark.
    pub async fn open_partial(&self, file: &FileFacts) -> Result<Partial, StoreError> {
        if self.bucket().is_none() && !self.has_mark().await? {
            return Err(self.strange());
        }
        let folder = self.folder().join(PARTIAL_DIR);
        fs::create_dir_all(&folder).await?;
        let path = folder.join(file.sha1.to_hex_upper());
        let handle = OpenOptions::new().read(true).append(true).create(true).open(&path).await?;
        let (facts, store) = (file.clone(), self.clone());
        let mut partial = Partial { file: handle, path, digests: Digests::default(), facts, store };
        if partial.file.metadata().await?.len() > file.size {
            partial.start_over().await?;
        } else {
            partial.digests.read(&mut partial.file).await?;
        }
        Ok(partial)
    }
}

impl Partial {
    /// Bytes that are here.
    pub fn len(&self) -> u64 {
        self.digests.len()
    }

    /// Nothing is here yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Throws away what came so far.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn start_over(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0).await?;
        self.digests = Digests::default();
        Ok(())
    }

    /// Adds the next bytes, hashed as they come.
    ///
    /// # Errors
    /// [`StoreError::Length`] for more than the file has; [`StoreError::Io`].
    pub async fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let len = self.len() + bytes.len() as u64;
        if len > self.facts.size {
            self.start_over().await?;
            return Err(StoreError::Length { found: len, wanted: self.facts.size });
        }
        self.file.write_all(bytes).await?;
        self.digests.add(bytes);
        Ok(())
    }

    /// Checks length and digests, and gives the file its final name; it is there for good then. A bucket gets it from
    /// the disk, and what it does not take stays whole on the disk for the next try.
    ///
    /// # Errors
    /// [`StoreError::Length`] keeps what came, [`StoreError::Digest`] throws it away; [`StoreError::Io`],
    /// [`StoreError::Bucket`].
    pub async fn complete(mut self) -> Result<(), StoreError> {
        if let Err(error) = self.digests.check(&self.facts) {
            if matches!(error, StoreError::Digest { .. }) {
                fs::remove_file(&self.path).await?;
            }
            return Err(error);
        }
        self.file.flush().await?;
        let place = self.facts.place();
        if let Some(bucket) = self.store.bucket() {
            bucket.send(&place, &self.path, self.facts.size).await?;
            return Ok(fs::remove_file(&self.path).await?);
        }
        self.file.sync_all().await?;
        let place = self.store.folder().join(place);
        let folder = place.parent().unwrap_or(self.store.folder()).to_owned();
        fs::create_dir_all(&folder).await?;
        fs::rename(&self.path, &place).await?;
        File::open(&folder).await?.sync_all().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::content::store::tests::{facts, fresh};
    use crate::protocol::ids::Sha256Digest;

    use super::*;

    #[tokio::test]
    async fn a_file_arrives_in_pieces_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let content = vec![7_u8; 700_000];
        let file = facts(&content, "x.cab");
        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(&content[..300_000]).await.unwrap();
        partial.file.flush().await.unwrap();
        drop(partial);
        assert!(!store.holds(&file).await.unwrap());
        let mut partial = store.open_partial(&file).await.unwrap();
        assert_eq!(partial.len(), 300_000);
        partial.add(&content[300_000..]).await.unwrap();
        partial.complete().await.unwrap();
        assert!(store.holds(&file).await.unwrap());
        assert_eq!(std::fs::read(folder.path().join(file.place())).unwrap(), content);
    }

    #[tokio::test]
    async fn wrong_bytes_never_get_a_final_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let content = b"right content".to_vec();
        let file = facts(&content, "x.cab");

        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(b"wrong content").await.unwrap();
        assert!(matches!(partial.complete().await, Err(StoreError::Digest { digest: "SHA-1", .. })));

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
        assert!(matches!(partial.complete().await, Err(StoreError::Digest { digest: "SHA-256", .. })));
        assert!(!store.holds(&file).await.unwrap());
    }
}
