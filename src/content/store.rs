//! The store of files, laid out as real servers do: `XX/SHA1.ext`, where `XX` is the last byte of the digest. A folder,
//! or a bucket that speaks S3; both are an `ObjectStore` for everything that has its final name.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Place;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::StreamReader;

use super::StoreError;
use super::bucket::Bucket;
use super::digests::Digests;
pub use super::facts::FileFacts;
use crate::config::BucketConfig;

/// Where files are that turned out to be damaged; no content address leads there.
pub(super) const DAMAGED_DIR: &str = ".damaged";

/// The content store.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// On this computer: unfinished files, and without a bucket the finished ones too.
    folder: PathBuf,
    bucket: Option<Arc<Bucket>>,
    /// Bytes of the disk that are never used; `None`: by rule.
    reserve: Option<u64>,
}

/// What is known of a file in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// In bytes.
    pub size: u64,
    pub modified: DateTime<Utc>,
}

/// The bytes of a file, or of a part of it, on their way out.
pub type Contents = Pin<Box<dyn AsyncRead + Send>>;

impl Store {
    /// The store in this folder; nothing is made or looked at yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), bucket: None, reserve: None }
    }

    /// The store in the bucket, when there is one, with unfinished files in the folder; nothing is asked yet.
    ///
    /// # Errors
    /// [`StoreError::Bucket`] when the configuration makes no way to a bucket.
    pub fn open(folder: &Path, bucket: Option<&BucketConfig>) -> Result<Self, StoreError> {
        let bucket = bucket.map(Bucket::open).transpose()?.map(Arc::new);
        Ok(Self { folder: folder.to_owned(), bucket, reserve: None })
    }

    /// The same store with another reserve, in bytes; `None`: a tenth of the disk, at most 5 GiB.
    #[must_use]
    pub fn with_reserve(&self, reserve: Option<u64>) -> Self {
        Self { reserve, ..self.clone() }
    }

    /// The folder on this computer.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address of the bucket; `None`: finished files are in the folder.
    pub fn bucket_address(&self) -> Option<&str> {
        self.bucket().map(Bucket::shown)
    }

    /// Where finished files are, in words that go on a sentence.
    pub fn shown(&self) -> String {
        match self.bucket_address() {
            Some(address) => format!("the bucket {address}"),
            None => format!("the content folder {}", self.folder.display()),
        }
    }

    pub(super) fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_deref()
    }

    pub(super) fn reserve(&self) -> Option<u64> {
        self.reserve
    }

    /// What is under a place, such as `0A/…0A.cab`; `None`: nothing.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn describe(&self, place: &str) -> Result<Option<Stored>, StoreError> {
        let found = match self.objects() {
            Ok(objects) => objects.head(&Place::from(place)).await.map_err(|error| self.trouble(error)),
            Err(error) => Err(error),
        };
        match found {
            Ok(about) => Ok(Some(Stored { size: about.size, modified: about.last_modified })),
            Err(StoreError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the bytes of a range that the file has.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn read(&self, place: &str, range: Range<u64>) -> Result<Contents, StoreError> {
        if range.is_empty() {
            return Ok(Box::pin(tokio::io::empty()));
        }
        let wanted = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.objects()?.get_opts(&Place::from(place), wanted).await;
        let found = found.map_err(|error| self.trouble(error))?;
        let (range, payload) = (found.range.clone(), found.payload);
        Ok(match payload {
            GetResultPayload::File(file, _) => {
                let mut file = File::from_std(file);
                file.seek(io::SeekFrom::Start(range.start)).await?;
                Box::pin(file.take(range.end - range.start))
            }
            GetResultPayload::Stream(pieces) => Box::pin(StreamReader::new(pieces.map_err(io::Error::other))),
        })
    }

    /// Whether the file is here, with the right length. Its digests were checked when it came.
    ///
    /// # Errors
    /// As for [`Store::describe`].
    pub async fn holds(&self, file: &FileFacts) -> Result<bool, StoreError> {
        Ok(self.describe(&file.place()).await?.is_some_and(|found| found.size == file.size))
    }

    /// Reads a stored file and compares length and digests.
    ///
    /// # Errors
    /// [`StoreError::Length`] and [`StoreError::Digest`] for a damaged one, [`StoreError::Missing`];
    /// [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn verify(&self, file: &FileFacts) -> Result<(), StoreError> {
        let place = file.place();
        let found = self.describe(&place).await?.ok_or(StoreError::Missing)?.size;
        if found != file.size {
            return Err(StoreError::Length { found, wanted: file.size });
        }
        let (mut contents, mut digests) = (self.read(&place, 0..found).await?, Digests::default());
        digests.read(&mut contents).await.map_err(|error| match self.bucket() {
            Some(bucket) => bucket.trouble(&error),
            None => error.into(),
        })?;
        digests.check(file)
    }

    /// Whether the file is here already and right, though nobody knew. A damaged one is moved aside.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn has_right(&self, file: &FileFacts) -> Result<bool, StoreError> {
        match self.verify(file).await {
            Ok(()) => Ok(true),
            Err(StoreError::Missing) => Ok(false),
            Err(error) if error.is_damage() => {
                self.quarantine(file).await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a damaged file aside, so that it is served no more. What a bucket cannot move is removed.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn quarantine(&self, file: &FileFacts) -> Result<(), StoreError> {
        let place = file.place();
        let found = self.describe(&place).await?.ok_or(StoreError::Missing)?;
        if self.bucket().is_some_and(|bucket| !bucket.can_move(found.size)) {
            return self.remove(&place).await;
        }
        let name = place.rsplit_once('/').map_or(place.as_str(), |(_, name)| name);
        let aside = Place::from(format!("{DAMAGED_DIR}/{name}"));
        self.objects()?
            .rename(&Place::from(place.as_str()), &aside)
            .await
            .map_err(|error| self.trouble(error))
    }

    /// Removes what is under a place for good.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::Io`], [`StoreError::Bucket`].
    pub(super) async fn remove(&self, place: &str) -> Result<(), StoreError> {
        self.objects()?.delete(&Place::from(place)).await.map_err(|error| self.trouble(error))
    }

    /// Everything with a final name. A folder that is not there has nothing: [`StoreError::Missing`].
    pub(super) fn objects(&self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match self.bucket() {
            Some(bucket) => Ok(bucket.objects()),
            None => match LocalFileSystem::new_with_prefix(&self.folder) {
                Ok(folder) => Ok(Arc::new(folder.with_fsync(true))),
                Err(error) => Err(self.trouble(error)),
            },
        }
    }

    pub(super) fn trouble(&self, error: object_store::Error) -> StoreError {
        match (self.bucket(), io_error(&error)) {
            (_, _) if matches!(error, object_store::Error::NotFound { .. }) => StoreError::Missing,
            (Some(bucket), _) => bucket.trouble(&error),
            (None, Some(cause)) if cause.kind() == io::ErrorKind::NotFound => StoreError::Missing,
            (None, Some(cause)) => StoreError::Io(io::Error::new(cause.kind(), cause.to_string())),
            (None, None) => StoreError::Io(io::Error::other(error)),
        }
    }
}

/// What the system said.
fn io_error(error: &object_store::Error) -> Option<&io::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        if let Some(found) = one.downcast_ref() {
            return Some(found);
        }
        cause = one.source();
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use sha1::Sha1;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::content::Partial;
    use crate::protocol::ids::{Sha1Digest, Sha256Digest};

    pub fn facts(content: &[u8], name: &str) -> FileFacts {
        FileFacts {
            sha1: Sha1Digest(Sha1::digest(content).into()),
            sha256: Some(Sha256Digest(Sha256::digest(content).into())),
            size: content.len() as u64,
            name: name.to_owned(),
        }
    }

    pub async fn fresh(folder: &tempfile::TempDir) -> Store {
        let store = Store::new(folder.path());
        store.make_ready(&[]).await.unwrap();
        store
    }

    /// Finishes a file and gives it its name.
    pub async fn complete(partial: Partial) -> Result<(), StoreError> {
        let store = partial.store().clone();
        match partial.finish().await? {
            Some(whole) => store.keep(vec![whole]).await.remove(0),
            None => Ok(()),
        }
    }

    #[tokio::test]
    async fn r089_a_changed_file_is_found_and_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let file = facts(b"something", "x.cab");
        assert!(matches!(store.verify(&file).await, Err(StoreError::Missing)));
        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(bytes::Bytes::from_static(b"something")).await.unwrap();
        complete(partial).await.unwrap();
        store.verify(&file).await.unwrap();
        let place = folder.path().join(file.place());
        std::fs::write(&place, b"somethinG").unwrap();
        assert!(matches!(store.verify(&file).await, Err(StoreError::Digest { digest: "SHA-1", .. })));
        std::fs::write(&place, b"some").unwrap();
        assert!(matches!(store.verify(&file).await, Err(StoreError::Length { found: 4, wanted: 9 })));
        assert!(!store.has_right(&file).await.unwrap(), "and moved aside");
        assert!(!place.exists() && folder.path().join(DAMAGED_DIR).read_dir().unwrap().count() == 1);
    }

    #[tokio::test]
    async fn a_part_of_a_file_is_read_and_a_folder_that_is_not_there_has_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, file) = (Store::new(folder.path()), facts(b"something", "x.cab"));
        std::fs::create_dir(folder.path().join(&file.place()[..2])).unwrap();
        std::fs::write(folder.path().join(file.place()), b"something").unwrap();
        for (range, wanted) in [(0..9, "something"), (4..9, "thing"), (3..3, ""), (4..6, "th")] {
            let mut text = String::new();
            store.read(&file.place(), range).await.unwrap().read_to_string(&mut text).await.unwrap();
            assert_eq!(text, wanted);
        }
        let gone = Store::new(folder.path().join("gone"));
        assert_eq!(gone.describe(&file.place()).await.unwrap(), None);
        assert!(matches!(gone.read(&file.place(), 0..1).await, Err(StoreError::Missing)));
    }
}
