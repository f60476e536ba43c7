//! Final names for files that are whole and right, so that no loss of power takes them away again.
//!
//! The content of a file is forced to the disk before it gets its name, and the names before anybody is told. For many
//! small files that is most of the work, so all that came meanwhile are forced together, by asking for the whole disk
//! (`syncfs`): 10,000 files of 20 KB take half of the computing that one force for each would. Only file systems of this
//! computer of which it is known that they then tell what they could not write (Linux 5.8) are asked so.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::statfs::{BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, XFS_SUPER_MAGIC, statfs};

use super::apart::hand_over;
use super::{FileFacts, Store, StoreError};

/// So many files are forced one by one: the disk may hold a lot that is none of ours.
const ALONE_MAX: usize = 3;

/// A file that is here, whole and right, and has no final name yet. Nobody else can open it. Dropping it keeps it as an
/// unfinished one, which the next try finds whole.
#[derive(Debug)]
pub struct Whole {
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    /// Where it belongs.
    pub(super) place: PathBuf,
}

impl Store {
    /// Gives files their final names; they are there for good then. One answer each, in their order.
    ///
    /// # Errors
    /// [`StoreError::Io`] for each file that did not get its name, or perhaps not for good.
    pub async fn keep(&self, files: Vec<Whole>) -> Vec<Result<(), StoreError>> {
        let (folder, count) = (self.folder().to_owned(), files.len());
        let kept = hand_over(move || Ok(keep_now(&folder, &files))).await;
        let kept = kept.unwrap_or_else(|error| {
            let text = error.to_string();
            (0..count).map(|_| Err(io::Error::other(text.clone()))).collect()
        });
        kept.into_iter().map(|one| one.map_err(StoreError::Io)).collect()
    }

    /// Forces a file that has its final name already; whoever gave it may have been stopped before that.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub(super) async fn keep_found(&self, file: &FileFacts) -> Result<(), StoreError> {
        if self.bucket().is_some() {
            return Ok(());
        }
        let place = self.folder().join(file.place());
        hand_over(move || {
            File::open(&place)?.sync_data()?;
            force_name(&place)
        })
        .await
    }
}

fn keep_now(folder: &Path, files: &[Whole]) -> Vec<io::Result<()>> {
    if files.len() <= ALONE_MAX || !tells_all(folder) {
        return files.iter().map(Whole::keep_alone).collect();
    }
    let all = |error: io::Error| files.iter().map(|_| Err(same(&error))).collect();
    if let Err(error) = force(folder) {
        return all(error);
    }
    let named: Vec<io::Result<()>> = files.iter().map(Whole::give_name).collect();
    match force(folder) {
        Ok(()) => named,
        Err(error) => all(error),
    }
}

/// Whether `syncfs` is enough on the file system of this folder.
fn tells_all(folder: &Path) -> bool {
    [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC]
        .contains(&statfs(folder).map_or(FsType(0), |about| about.filesystem_type()))
}

/// Forces everything on the disk of this folder.
fn force(folder: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(folder)?)?)
}

/// The same error once more.
fn same(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}

/// Forces a name to the disk.
fn force_name(place: &Path) -> io::Result<()> {
    match place.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

impl Whole {
    fn keep_alone(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.give_name()?;
        force_name(&self.place)
    }

    fn give_name(&self) -> io::Result<()> {
        match std::fs::rename(&self.path, &self.place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(self.place.parent().unwrap_or(&self.path))?;
                std::fs::rename(&self.path, &self.place)
            }
            named => named,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::content::store::tests::{facts, fresh};

    #[tokio::test]
    async fn many_files_get_their_names_together_and_one_that_is_gone_keeps_none_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let (mut files, mut whole) = (Vec::new(), Vec::new());
        for number in 0..10_u8 {
            let content = vec![number; 20_000];
            let file = facts(&content, "x.cab");
            let mut partial = store.begin(&file).await.unwrap().expect("it is not here");
            partial.add(content.clone().into()).await.unwrap();
            whole.push(partial.finish().await.unwrap().expect("it has no name yet"));
            assert!(!store.holds(&file).await.unwrap(), "nor has it one before it is forced to the disk");
            files.push(file);
        }
        std::fs::remove_file(&whole[4].path).unwrap();
        let kept: Vec<bool> = store.keep(whole).await.iter().map(Result::is_ok).collect();
        for (number, file) in files.iter().enumerate() {
            assert_eq!(kept[number], number != 4);
            assert_eq!(store.has_right(file).await.unwrap(), number != 4);
            assert_eq!(store.begin(file).await.unwrap().is_none(), number != 4);
        }
    }
}
