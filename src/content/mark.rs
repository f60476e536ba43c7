//! The mark that tells the store's own folder or bucket from an empty place where it should be.

use object_store::ObjectStoreExt as _;
use object_store::path::Path as Place;
use tokio::fs::{self, OpenOptions};

use super::{FileFacts, Store, StoreError};

/// Its name; no content address leads there.
pub(super) const MARK: &str = ".weir";
const MARK_TEXT: &str = "This folder holds the update files of a Weir. Do not remove this file.\n";

impl Store {
    /// Makes sure that the folder or bucket is the right one and takes files. `known`: some files that should be in
    /// it. A new folder is made only when there are none.
    ///
    /// # Errors
    /// [`StoreError::Strange`] for one without our mark that holds none of them; [`StoreError::Io`] for a folder that
    /// cannot be written, [`StoreError::Bucket`] for a bucket that does not answer.
    pub async fn make_ready(&self, known: &[FileFacts]) -> Result<(), StoreError> {
        if self.bucket().is_some_and(|bucket| bucket.is_ready()) {
            return Ok(());
        }
        if self.is_strange(known).await? {
            return Err(self.strange());
        }
        if !self.has_mark().await? {
            self.claim().await?;
        }
        match self.bucket() {
            Some(bucket) => bucket.note_ready(),
            None => drop(OpenOptions::new().append(true).open(self.folder().join(MARK)).await?),
        }
        Ok(())
    }

    /// Whether our mark is there; then nobody has to be asked which files should be.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn is_ours(&self) -> Result<bool, StoreError> {
        Ok(self.bucket().is_some_and(|bucket| bucket.is_ready()) || self.has_mark().await?)
    }

    /// Whether there is neither our mark nor any of the files that should be there.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn is_strange(&self, known: &[FileFacts]) -> Result<bool, StoreError> {
        if self.is_ours().await? {
            return Ok(false);
        }
        for file in known {
            if self.holds(file).await? {
                return Ok(false);
            }
        }
        Ok(!known.is_empty())
    }

    /// Makes this the place of the store, whatever it holds.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Bucket`].
    pub async fn claim(&self) -> Result<(), StoreError> {
        fs::create_dir_all(self.folder()).await?;
        match self.bucket() {
            None => fs::write(self.folder().join(MARK), MARK_TEXT).await?,
            Some(bucket) => {
                let put = bucket.objects().put(&Place::from(MARK), MARK_TEXT.into()).await;
                put.map_err(|error| bucket.trouble(&error))?;
            }
        }
        Ok(())
    }

    /// Whether the mark is there.
    pub(super) async fn has_mark(&self) -> Result<bool, StoreError> {
        match self.bucket() {
            None => Ok(fs::try_exists(self.folder().join(MARK)).await?),
            Some(_) => self.describe(MARK).await.map(|found| found.is_some()),
        }
    }

    pub(super) fn strange(&self) -> StoreError {
        let guess = match self.bucket() {
            None => "perhaps its disk is not mounted",
            Some(_) => "perhaps another one was configured before",
        };
        StoreError::Strange { place: self.shown(), guess }
    }
}

#[cfg(test)]
mod tests {
    use crate::content::store::tests::facts;

    use super::*;

    #[tokio::test]
    async fn r088_an_empty_place_where_the_disk_should_be_is_not_filled() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, file) = (folder.path().join("content"), facts(b"something", "x.cab"));
        let store = Store::new(&missing);
        let known = [file.clone()];
        assert!(matches!(store.make_ready(&known).await, Err(StoreError::Strange { .. })));
        assert!(store.space().await.is_ok() && !missing.exists(), "asking for room makes no folder");
        assert!(matches!(store.open_partial(&file).await, Err(StoreError::Strange { .. })));
        assert!(!missing.exists());

        store.make_ready(&[]).await.unwrap();
        store.make_ready(&known).await.expect("its mark is enough, whatever was lost");
        std::fs::remove_file(missing.join(MARK)).unwrap();
        assert!(store.make_ready(&known).await.is_err());
        std::fs::create_dir(missing.join(&file.place()[..2])).unwrap();
        std::fs::write(missing.join(file.place()), b"something").unwrap();
        store.make_ready(&known).await.expect("so is one of its files");
        assert!(missing.join(MARK).exists());
    }
}
