//! A file on its way into the store: always on the disk of this computer until it is whole and right. Each look at the
//! disk is on a thread that may wait for it, and there are two of them for a small file: one before it comes, one after.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::fs;

use super::apart::{apart, hand_over};
use super::block::{self, Block};
use super::digests::Digests;
use super::keep::Whole;
use super::mark::MARK;
use super::opening::{NotOpened, Opened, Opening, beginning};
use super::{FileFacts, Store, StoreError};
use crate::protocol::ids::Sha1Digest;

/// Where unfinished files are; no content address leads there.
pub(super) const PARTIAL_DIR: &str = ".partial";
/// Files from this size on are written past the page cache where that can be.
const STRAIGHT_FROM_BYTES: u64 = 512 * 1024;

/// A file on its way into the store. Dropping it keeps what came, for the next try.
pub struct Partial {
    file: Arc<File>,
    path: PathBuf,
    came: Came,
    facts: FileFacts,
    store: Store,
}

/// What is here of it.
#[derive(Default)]
struct Came {
    /// Of what is written.
    digests: Digests,
    /// What came since.
    waiting: Block,
    /// Blocks go past the page cache.
    straight: bool,
}

impl Store {
    /// Bytes of a file that are here while it is unfinished.
    pub async fn partial_len(&self, sha1: &Sha1Digest) -> u64 {
        let path = self.folder().join(PARTIAL_DIR).join(sha1.to_hex_upper());
        fs::metadata(path).await.map_or(0, |about| about.len())
    }

    /// Begins a file, or goes on with it. `None`: it is here already and right, though nobody knew.
    ///
    /// # Errors
    /// As for [`Store::open_partial`] and [`Store::has_right`].
    pub async fn begin(&self, file: &FileFacts) -> Result<Option<Partial>, StoreError> {
        if self.bucket().is_none() {
            let unless = Some(self.folder().join(file.place()));
            if let Some(partial) = self.open_unless(file, unless).await? {
                return Ok(Some(partial));
            }
        }
        if self.has_right(file).await? {
            self.keep_found(file).await?;
            return Ok(None);
        }
        self.open_partial(file).await.map(Some)
    }

    /// Opens the unfinished file, which may hold a beginning already; that is hashed again. Nobody else can open it then:
    /// bytes of two writers in one file would be right for each of them and wrong on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`], also when somebody else goes on writing the file; [`StoreError::Strange`] for a folder without our mark.
    pub async fn open_partial(&self, file: &FileFacts) -> Result<Partial, StoreError> {
        let opened = self.open_unless(file, None).await?;
        opened.ok_or_else(|| StoreError::Io(io::Error::other("an unfinished file was not opened")))
    }

    /// `None`: something is at the place `unless`.
    async fn open_unless(
        &self,
        file: &FileFacts,
        unless: Option<PathBuf>,
    ) -> Result<Option<Partial>, StoreError> {
        let folder = self.folder().join(PARTIAL_DIR);
        let path = folder.join(file.sha1.to_hex_upper());
        let mark = self.bucket().is_none().then(|| self.folder().join(MARK));
        // What a bucket gets is read again at once.
        let may_go_straight = self.bucket().is_none() && file.size >= STRAIGHT_FROM_BYTES;
        let opening = Opening { folder, path: path.clone(), mark, unless, may_go_straight };
        let patient = opening.clone();
        let opened = match apart(move || opening.open(false)).await {
            Err(StoreError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                hand_over(move || patient.open(true)).await?
            }
            opened => opened?,
        };
        let Opened { file: opened, len, straight } = match opened {
            Ok(opened) => opened,
            Err(NotOpened::There) => return Ok(None),
            Err(NotOpened::Strange) => return Err(self.strange()),
        };
        let digests = beginning(&opened, len, file.size).await?;
        let came = Came { digests, waiting: Block::default(), straight };
        Ok(Some(Partial { file: opened, path, came, facts: file.clone(), store: self.clone() }))
    }
}

impl Partial {
    /// Bytes that are here.
    pub fn len(&self) -> u64 {
        self.came.len()
    }

    /// Nothing is here yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cfg(test)]
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Throws away what came so far.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn start_over(&mut self) -> Result<(), StoreError> {
        self.came = Came { straight: self.came.straight, ..Came::default() };
        let file = self.file.clone();
        apart(move || file.set_len(0)).await
    }

    /// Adds the next bytes, hashed as they come.
    ///
    /// # Errors
    /// [`StoreError::Length`] for more than the file has; [`StoreError::Io`], after which nothing may be added.
    pub async fn add(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        let len = self.len() + bytes.len() as u64;
        if len > self.facts.size {
            self.start_over().await?;
            return Err(StoreError::Length { found: len, wanted: self.facts.size });
        }
        loop {
            self.came.take(&mut bytes, self.facts.size);
            if bytes.is_empty() {
                return Ok(());
            }
            let (file, mut came) = (self.file.clone(), std::mem::take(&mut self.came));
            self.came = apart(move || came.put(&file).map(|()| came)).await?;
        }
    }

    /// Checks length and digests. A file of a folder still has to get its final name ([`Store::keep`]); `None`: it is in
    /// the bucket, to which it was sent from the disk. What a bucket does not take stays whole on the disk for the next
    /// try.
    ///
    /// # Errors
    /// [`StoreError::Length`] keeps what came, [`StoreError::Digest`] throws it away; [`StoreError::Io`],
    /// [`StoreError::Bucket`].
    pub async fn finish(mut self) -> Result<Option<Whole>, StoreError> {
        let mut came = std::mem::take(&mut self.came);
        let (file, path, facts) = (self.file.clone(), self.path.clone(), self.facts.clone());
        let checked = apart(move || {
            came.put(&file)?;
            let checked = came.digests.check(&facts);
            match &checked {
                Ok(()) => only_ours(&file, facts.size)?,
                Err(StoreError::Digest { .. }) => std::fs::remove_file(&path)?,
                Err(_) => {}
            }
            Ok(checked)
        });
        checked.await??;
        let place = self.facts.place();
        let Some(bucket) = self.store.bucket() else {
            let place = self.store.folder().join(place);
            return Ok(Some(Whole { file: self.file.clone(), path: self.path.clone(), place }));
        };
        bucket.send(&place, &self.path, self.facts.size).await?;
        fs::remove_file(&self.path).await?;
        Ok(None)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = (&*self.file).write_all(self.came.waiting.bytes()); // what is lost here is fetched again
    }
}

impl Came {
    fn len(&self) -> u64 {
        self.digests.len() + self.waiting.bytes().len() as u64
    }

    /// Takes as many of these bytes, of a file of `size` bytes, as can wait.
    fn take(&mut self, bytes: &mut Bytes, size: u64) {
        if self.waiting.bytes().is_empty() && !bytes.is_empty() {
            let at = self.digests.len();
            self.waiting.begin(at, size - at);
        }
        self.waiting.take(bytes);
    }

    /// Writes what waits at the end of the file, and hashes it.
    fn put(&mut self, file: &File) -> io::Result<()> {
        let bytes = self.waiting.bytes();
        block::write(file, self.digests.len(), bytes, &mut self.straight)?;
        self.digests.add(bytes);
        self.waiting.clear();
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use crate::content::alone::BETWEEN_LOOKS;
    use crate::content::store::tests::{complete, facts, fresh};
    use crate::protocol::ids::Sha256Digest;

    use super::*;

    #[tokio::test]
    async fn a_file_arrives_in_pieces_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let content: Vec<u8> = (0..700_000_u32).map(|number| (number / 7) as u8).collect();
        let content = Bytes::from(content);
        let file = facts(&content, "x.cab");
        let mut partial = store.open_partial(&file).await.unwrap();
        // Some of it is written by then, and some still waits, in pieces.
        for at in (0..300_000).step_by(30_000) {
            partial.add(content.slice(at..at + 29_000)).await.unwrap();
            partial.add(content.slice(at + 29_000..at + 30_000)).await.unwrap();
        }
        assert!(partial.came.straight || !block::goes_straight(&partial.file));
        drop(partial);
        assert!(!store.holds(&file).await.unwrap());
        let mut partial = store.open_partial(&file).await.unwrap();
        assert_eq!(partial.len(), 300_000);
        partial.add(content.slice(300_000..)).await.unwrap();
        complete(partial).await.unwrap();
        assert!(store.holds(&file).await.unwrap());
        assert_eq!(std::fs::read(folder.path().join(file.place())).unwrap(), content);
    }

    #[tokio::test]
    async fn bytes_of_a_writer_that_was_cut_off_are_never_taken_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let content = Bytes::from(vec![7_u8; 1_000]);
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
        partial.add(content.slice(400..)).await.unwrap();
        OpenOptions::new().append(true).open(&partial.path).unwrap().write_all(b"stray").unwrap();
        assert!(matches!(complete(partial).await, Err(StoreError::Io(_))));
        assert!(!store.holds(&file).await.unwrap());
        assert_eq!(store.partial_len(&file.sha1).await, 0);
    }

    #[tokio::test]
    async fn wrong_bytes_never_get_a_final_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let content = Bytes::from_static(b"right content");
        let file = facts(&content, "x.cab");

        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(Bytes::from_static(b"wrong content")).await.unwrap();
        assert!(matches!(complete(partial).await, Err(StoreError::Digest { digest: "SHA-1", .. })));

        let mut partial = store.open_partial(&file).await.unwrap();
        assert!(partial.is_empty(), "what was wrong is gone");
        partial.add(Bytes::from_static(b"right")).await.unwrap();
        assert!(matches!(complete(partial).await, Err(StoreError::Length { found: 5, .. })));

        let mut partial = store.open_partial(&file).await.unwrap();
        assert!(matches!(partial.add(Bytes::from_static(&[0; 100])).await, Err(StoreError::Length { .. })));
        assert!(partial.is_empty());
        drop(partial);

        let liar = FileFacts { sha256: Some(Sha256Digest([1; 32])), ..file.clone() };
        let mut partial = store.open_partial(&liar).await.unwrap();
        partial.add(content.clone()).await.unwrap();
        assert!(matches!(complete(partial).await, Err(StoreError::Digest { digest: "SHA-256", .. })));
        assert!(!store.holds(&file).await.unwrap());
    }
}
