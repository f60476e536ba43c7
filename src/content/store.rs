//! The folder of files, laid out as real servers do: `XX/SHA1.ext`, where `XX` is the last byte of the digest.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use super::digests::Digests;
use crate::protocol::ids::{Sha1Digest, Sha256Digest};

/// Longest extension, in characters; longer ones are no extension. Ours.
pub(super) const EXTENSION_LEN_MAX: usize = 16;
/// Where unfinished files are; no content address leads there.
pub(super) const PARTIAL_DIR: &str = ".partial";
/// Where files are that turned out to be damaged; no content address leads there.
pub(super) const DAMAGED_DIR: &str = ".damaged";
/// Says that a folder is a content folder: an empty place where a disk should be has none.
const MARK: &str = ".weir";
const MARK_TEXT: &str = "This folder holds the update files of a Weir. Do not remove this file.\n";
/// The part of the disk that is never used, in percent, and what it is at most, in bytes.
const RESERVE_PERCENT: u64 = 10;
const RESERVE_MAX_BYTES: u64 = 5 << 30;

/// Why a file is not in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the content folder cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error("it has {found} bytes, and should have {wanted}")]
    Length { found: u64, wanted: u64 },
    #[error("its {digest} digest is wrong, so it was thrown away: {found} in place of {wanted}")]
    Digest { digest: &'static str, found: String, wanted: String },
    #[error("the disk has {free_bytes} bytes free, of which {reserve_bytes} are never used")]
    Full { free_bytes: u64, reserve_bytes: u64 },
    #[error(
        "none of the stored files is in the content folder {folder}; perhaps its disk is not mounted. Nothing is \
         fetched until it is there, or until somebody verifies the files and confirms that they are gone"
    )]
    Strange { folder: String },
    #[error("the content folder holds more than {} files", super::folder::ENTRIES_MAX)]
    TooMany,
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
    /// Bytes of the disk that are never used; `None`: by rule.
    reserve: Option<u64>,
}

/// Space on the disk that holds the store, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    /// Never used.
    pub reserve: u64,
}

impl Store {
    /// The store in this folder; nothing is made or looked at yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), reserve: None }
    }

    /// The same store with another reserve, in bytes; `None`: a tenth of the disk, at most 5 GiB.
    #[must_use]
    pub fn with_reserve(&self, reserve: Option<u64>) -> Self {
        Self { root: self.root.clone(), reserve }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The room on the disk that holds the folder, or will hold it.
    ///
    /// # Errors
    /// When its disk cannot be asked.
    pub async fn space(&self) -> Result<Space, StoreError> {
        let mut place = self.root.as_path();
        while !fs::try_exists(place).await? {
            place = place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        }
        let about = nix::sys::statvfs::statvfs(place).map_err(io::Error::from)?;
        let unit = about.fragment_size();
        let free = about.blocks_available().saturating_mul(unit);
        let by_rule = (about.blocks().saturating_mul(unit) / 100 * RESERVE_PERCENT).min(RESERVE_MAX_BYTES);
        let reserve = self.reserve.unwrap_or(by_rule);
        Ok(Space { free, reserve })
    }

    /// Makes sure that the folder is the right one and can be written. `known`: some files that should be in it. A
    /// new folder is made only when there are none.
    ///
    /// # Errors
    /// [`StoreError::Strange`] for a folder without our mark that holds none of them; [`StoreError::Io`] for one that
    /// cannot be written.
    pub async fn make_ready(&self, known: &[FileFacts]) -> Result<(), StoreError> {
        if fs::try_exists(self.root.join(MARK)).await? {
            OpenOptions::new().append(true).open(self.root.join(MARK)).await?;
            return Ok(());
        }
        if self.is_strange(known).await? {
            return Err(self.strange());
        }
        self.claim().await
    }

    /// Whether the folder has neither our mark nor any of the files that should be in it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn is_strange(&self, known: &[FileFacts]) -> Result<bool, StoreError> {
        let mut is_ours = known.is_empty() || fs::try_exists(self.root.join(MARK)).await?;
        for file in known {
            is_ours = is_ours || self.holds(file).await;
        }
        Ok(!is_ours)
    }

    /// Makes this the content folder, whatever it holds.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn claim(&self) -> Result<(), StoreError> {
        fs::create_dir_all(&self.root).await?;
        Ok(fs::write(self.root.join(MARK), MARK_TEXT).await?)
    }

    fn strange(&self) -> StoreError {
        StoreError::Strange { folder: self.root.display().to_string() }
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

    /// Bytes of a file that are here while it is unfinished.
    pub async fn partial_len(&self, sha1: &Sha1Digest) -> u64 {
        let path = self.root.join(PARTIAL_DIR).join(sha1.to_hex_upper());
        fs::metadata(path).await.map_or(0, |about| about.len())
    }

    /// Opens the unfinished file, which may hold a beginning already; that is hashed again.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn open_partial(&self, file: &FileFacts) -> Result<Partial, StoreError> {
        if !fs::try_exists(self.root.join(MARK)).await? {
            return Err(self.strange());
        }
        let folder = self.root.join(PARTIAL_DIR);
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

    /// Reads a stored file and compares length and digests.
    ///
    /// # Errors
    /// [`StoreError::Length`] and [`StoreError::Digest`] for a damaged one; [`StoreError::Io`], also for one that is
    /// not there.
    pub async fn verify(&self, file: &FileFacts) -> Result<(), StoreError> {
        let mut stored = File::open(self.root.join(file.place())).await?;
        let found = stored.metadata().await?.len();
        if found != file.size {
            return Err(StoreError::Length { found, wanted: file.size });
        }
        let mut digests = Digests::default();
        digests.read(&mut stored).await?;
        digests.check(file)
    }

    /// Whether the file is here already and right, though nobody knew. A damaged one is moved aside.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn has_right(&self, file: &FileFacts) -> Result<bool, StoreError> {
        match self.verify(file).await {
            Ok(()) => Ok(true),
            Err(StoreError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(StoreError::Length { .. } | StoreError::Digest { .. }) => {
                self.quarantine(file).await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a damaged file aside, so that it is served no more.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn quarantine(&self, file: &FileFacts) -> Result<(), StoreError> {
        let place = file.place();
        let name = Path::new(&place).file_name().unwrap_or_default();
        let folder = self.root.join(DAMAGED_DIR);
        fs::create_dir_all(&folder).await?;
        Ok(fs::rename(self.root.join(&place), folder.join(name)).await?)
    }
}

/// A file on its way into the store. Dropping it keeps what came, for the next try.
pub struct Partial {
    file: File,
    path: PathBuf,
    digests: Digests,
    facts: FileFacts,
    store: Store,
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

    /// Checks length and digests, and gives the file its final name; it is on disk for good then.
    ///
    /// # Errors
    /// [`StoreError::Length`] keeps what came, [`StoreError::Digest`] throws it away.
    pub async fn complete(mut self) -> Result<(), StoreError> {
        if let Err(error) = self.digests.check(&self.facts) {
            if matches!(error, StoreError::Digest { .. }) {
                fs::remove_file(&self.path).await?;
            }
            return Err(error);
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
    use sha1::Sha1;
    use sha2::{Digest as _, Sha256};

    use super::*;

    async fn fresh(folder: &tempfile::TempDir) -> Store {
        let store = Store::new(folder.path());
        store.make_ready(&[]).await.unwrap();
        store
    }

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
        let store = fresh(&folder).await;
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
        assert!(!store.holds(&file).await);
    }

    #[tokio::test]
    async fn r087_the_reserve_of_the_disk_is_never_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let space = store.space().await.unwrap();
        assert!(space.reserve <= RESERVE_MAX_BYTES && space.reserve > 0);
        let greedy = store.with_reserve(Some(u64::MAX / 2));
        assert!(matches!(greedy.make_sure_of_room(0).await, Err(StoreError::Full { .. })));
        assert!(matches!(store.make_sure_of_room(u64::MAX / 2).await, Err(StoreError::Full { .. })));
    }

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

    #[tokio::test]
    async fn r089_a_changed_file_is_found_and_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = fresh(&folder).await;
        let file = facts(b"something", "x.cab");
        assert!(
            matches!(store.verify(&file).await, Err(StoreError::Io(error)) if error.kind() == io::ErrorKind::NotFound)
        );
        let mut partial = store.open_partial(&file).await.unwrap();
        partial.add(b"something").await.unwrap();
        partial.complete().await.unwrap();
        store.verify(&file).await.unwrap();
        let place = folder.path().join(file.place());
        std::fs::write(&place, b"somethinG").unwrap();
        assert!(matches!(store.verify(&file).await, Err(StoreError::Digest { digest: "SHA-1", .. })));
        std::fs::write(&place, b"some").unwrap();
        assert!(matches!(store.verify(&file).await, Err(StoreError::Length { found: 4, wanted: 9 })));
        assert!(!store.has_right(&file).await.unwrap(), "and moved aside");
        assert!(!place.exists() && folder.path().join(DAMAGED_DIR).read_dir().unwrap().count() == 1);
    }
}
