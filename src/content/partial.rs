//! A file on its way into the store: always on the disk of this computer until it is whole and right.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::fs;

use super::digests::Digests;
use super::{FileFacts, Store, StoreError};
use crate::protocol::ids::Sha1Digest;

/// Where unfinished files are; no content address leads there.
pub(super) const PARTIAL_DIR: &str = ".partial";
/// Bytes that are hashed and written together, on a thread that may wait for the disk.
const WRITE_BYTES: usize = 256 * 1024;
/// Looks at a file that somebody else still writes, and the wait between two.
const LOOKS_MAX: usize = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A file on its way into the store. Dropping it keeps what came, for the next try.
pub struct Partial {
    file: Arc<File>,
    path: PathBuf,
    /// Of what is written.
    digests: Digests,
    /// What came and is not written yet.
    waiting: Vec<u8>,
    facts: FileFacts,
    store: Store,
}

impl Store {
    /// Bytes of a file that are here while it is unfinished.
    pub async fn partial_len(&self, sha1: &Sha1Digest) -> u64 {
        let path = self.folder().join(PARTIAL_DIR).join(sha1.to_hex_upper());
        fs::metadata(path).await.map_or(0, |about| about.len())
    }

    /// Opens the unfinished file, which may hold a beginning already; that is hashed again. Nobody else can open it then:
    /// bytes of two writers in one file would be right for each of them and wrong on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`], also when somebody else goes on writing the file; [`StoreError::Strange`] for a folder without our mark.
    pub async fn open_partial(&self, file: &FileFacts) -> Result<Partial, StoreError> {
        if self.bucket().is_none() && !self.has_mark().await? {
            return Err(self.strange());
        }
        let folder = self.folder().join(PARTIAL_DIR);
        let path = folder.join(file.sha1.to_hex_upper());
        let (place, size) = (path.clone(), file.size);
        let (file_here, digests) = apart(move || {
            std::fs::create_dir_all(&folder)?;
            let mut file = open_alone(&place)?;
            let mut digests = Digests::default();
            match file.metadata()?.len() {
                0 => {}
                len if len > size => file.set_len(0)?,
                _ => digests.read_now(&mut file)?,
            }
            Ok((Arc::new(file), digests))
        })
        .await?;
        let (waiting, facts, store) = (Vec::new(), file.clone(), self.clone());
        Ok(Partial { file: file_here, path, digests, waiting, facts, store })
    }
}

impl Partial {
    /// Bytes that are here.
    pub fn len(&self) -> u64 {
        self.digests.len() + self.waiting.len() as u64
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
        self.waiting.clear();
        self.digests = Digests::default();
        let file = self.file.clone();
        apart(move || file.set_len(0)).await
    }

    /// Adds the next bytes, hashed as they come.
    ///
    /// # Errors
    /// [`StoreError::Length`] for more than the file has; [`StoreError::Io`], after which nothing may be added.
    pub async fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let len = self.len() + bytes.len() as u64;
        if len > self.facts.size {
            self.start_over().await?;
            return Err(StoreError::Length { found: len, wanted: self.facts.size });
        }
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= WRITE_BYTES { self.write().await } else { Ok(()) }
    }

    /// Hashes and writes what waits.
    async fn write(&mut self) -> Result<(), StoreError> {
        let (mut waiting, mut digests) =
            (std::mem::take(&mut self.waiting), std::mem::take(&mut self.digests));
        let mut file = self.file.clone();
        let written = apart(move || {
            file.write_all(&waiting)?;
            digests.add(&waiting);
            waiting.clear();
            Ok((waiting, digests))
        });
        (self.waiting, self.digests) = written.await?;
        Ok(())
    }

    /// Checks length and digests, and gives the file its final name; it is there for good then. A bucket gets it from
    /// the disk, and what it does not take stays whole on the disk for the next try.
    ///
    /// # Errors
    /// [`StoreError::Length`] keeps what came, [`StoreError::Digest`] throws it away; [`StoreError::Io`],
    /// [`StoreError::Bucket`].
    pub async fn complete(mut self) -> Result<(), StoreError> {
        if !self.waiting.is_empty() {
            self.write().await?;
        }
        if let Err(error) = self.digests.check(&self.facts) {
            if matches!(error, StoreError::Digest { .. }) {
                fs::remove_file(&self.path).await?;
            }
            return Err(error);
        }
        let (file, path, size) = (self.file.clone(), self.path.clone(), self.facts.size);
        let place = self.facts.place();
        if let Some(bucket) = self.store.bucket() {
            apart(move || only_ours(&file, size)).await?;
            bucket.send(&place, &self.path, size).await?;
            return Ok(fs::remove_file(&self.path).await?);
        }
        let place = self.store.folder().join(place);
        apart(move || {
            only_ours(&file, size)?;
            file.sync_data()?;
            let folder = place.parent().unwrap_or(&path);
            std::fs::create_dir_all(folder)?;
            std::fs::rename(&path, &place)?;
            File::open(folder)?.sync_all()
        })
        .await
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What is lost here is fetched again.
        let _ = (&*self.file).write_all(&self.waiting);
    }
}

/// The file has as many bytes as were counted; one with more is emptied.
fn only_ours(file: &File, size: u64) -> io::Result<()> {
    if file.metadata()?.len() == size {
        return Ok(());
    }
    file.set_len(0)?;
    Err(io::Error::other("somebody else wrote to the unfinished file; it is fetched again"))
}

/// Opens a file that this process alone has open, also after one that had it gave it its final name meanwhile.
fn open_alone(path: &Path) -> io::Result<File> {
    for _ in 0..LOOKS_MAX {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            // A disk that has no locks is not shared.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(BETWEEN_LOOKS);
                continue;
            }
        }
        let here = file.metadata()?;
        if std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino())) {
            return Ok(file);
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "somebody else is writing the unfinished file"))
}

/// Does what may wait for the disk on a thread for that.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??)
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
    async fn bytes_of_a_writer_that_was_cut_off_are_never_taken_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let content = vec![7_u8; 1_000];
        let file = facts(&content, "x.cab");
        let late = store.open_partial(&file).await.unwrap();
        let handle = late.file.clone();
        drop(late);
        let (second, third) = (store.clone(), file.clone());
        let waiting =
            tokio::spawn(async move { second.open_partial(&third).await.map(|partial| partial.len()) });
        tokio::time::sleep(BETWEEN_LOOKS * 2).await;
        (&*handle).write_all(&content[..400]).unwrap();
        drop(handle);
        assert_eq!(waiting.await.unwrap().unwrap(), 400, "the other waits until the last byte is written");

        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(&content[400..]).await.unwrap();
        OpenOptions::new().append(true).open(&partial.path).unwrap().write_all(b"stray").unwrap();
        assert!(matches!(partial.complete().await, Err(StoreError::Io(_))));
        assert!(!store.holds(&file).await.unwrap());
        assert_eq!(store.partial_len(&file.sha1).await, 0);
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
