//! What lies in the content folder or bucket, by names of the store's own form; everything else is left alone.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;

use super::facts::EXTENSION_LEN_MAX;
use super::partial::PARTIAL_DIR;
use super::store::DAMAGED_DIR;
use super::{Store, StoreError};
use crate::protocol::ids::Sha1Digest;

/// Files that are looked at. Ours: far above what an update server holds, and what fits into memory.
pub const ENTRIES_MAX: usize = 2_000_000;

/// Where in the folder a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelf {
    /// Under a final name.
    Stored,
    /// On its way.
    Partial,
    /// Moved aside, because it was damaged.
    Damaged,
}

/// A file with a name that only the store gives.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub shelf: Shelf,
    /// Below the content folder, or in the bucket.
    pub place: String,
    pub digest: Sha1Digest,
    /// In bytes.
    pub size: u64,
    pub modified: DateTime<Utc>,
}

/// Everything of the store. A missing folder is empty. With a bucket the folder counts only for what is unfinished.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Bucket`]; [`StoreError::TooMany`] above [`ENTRIES_MAX`].
pub(super) async fn entries(store: &Store) -> Result<Vec<Entry>, StoreError> {
    let root = store.folder().to_owned();
    let walked = tokio::task::spawn_blocking(move || walk(&root)).await.map_err(io::Error::other)?;
    let Some(bucket) = store.bucket() else { return walked };
    let mut found = walked?;
    found.retain(|entry| entry.shelf == Shelf::Partial);
    let mut listing = bucket.objects().list(None);
    while let Some(object) = listing.try_next().await.map_err(|error| bucket.trouble(&error))? {
        let Some((folder, name)) = object.location.as_ref().split_once('/') else { continue };
        let shelf = shelf_of(folder).filter(|shelf| *shelf != Shelf::Partial);
        let Some((shelf, digest)) = shelf.and_then(|shelf| Some((shelf, digest_of(shelf, folder, name)?)))
        else {
            continue;
        };
        if found.len() >= ENTRIES_MAX {
            return Err(StoreError::TooMany);
        }
        let place = format!("{folder}/{name}");
        found.push(Entry { shelf, place, digest, size: object.size, modified: object.last_modified });
    }
    Ok(found)
}

/// What a folder of the store holds; `None` for others.
fn shelf_of(folder: &str) -> Option<Shelf> {
    match folder {
        PARTIAL_DIR => Some(Shelf::Partial),
        DAMAGED_DIR => Some(Shelf::Damaged),
        _ if folder.len() == 2 && is_upper_hex(folder) => Some(Shelf::Stored),
        _ => None,
    }
}

fn walk(root: &Path) -> Result<Vec<Entry>, StoreError> {
    let mut found = Vec::new();
    for folder in names(root)? {
        let Some(shelf) = shelf_of(&folder) else { continue };
        for name in names(&root.join(&folder))? {
            let Some(digest) = digest_of(shelf, &folder, &name) else { continue };
            let place = format!("{folder}/{name}");
            let about = match std::fs::symlink_metadata(root.join(&place)) {
                Ok(about) if about.is_file() => about,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // gone meanwhile
                Err(error) => return Err(error.into()),
            };
            if found.len() >= ENTRIES_MAX {
                return Err(StoreError::TooMany);
            }
            found.push(Entry { shelf, place, digest, size: about.len(), modified: about.modified()?.into() });
        }
    }
    Ok(found)
}

/// The names in a folder; a missing one, and a file, has none.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in listing {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

fn is_upper_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

/// The digest in a name of exactly the form that the store gives on this shelf.
fn digest_of(shelf: Shelf, folder: &str, name: &str) -> Option<Sha1Digest> {
    let stem = match (shelf, name.split_once('.')) {
        (Shelf::Partial, None) => name,
        (Shelf::Stored | Shelf::Damaged, Some((stem, extension))) if is_extension(extension) => stem,
        _ => return None,
    };
    let is_ours = is_upper_hex(stem) && (shelf != Shelf::Stored || stem.ends_with(folder));
    if is_ours { Sha1Digest::from_hex(stem).ok() } else { None }
}

fn is_extension(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    plain && (1..=EXTENSION_LEN_MAX).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_stores_own_form_are_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let hex = "0123456789ABCDEF0123456789ABCDEF0123450A";
        let ours = [format!("0A/{hex}.cab"), format!(".partial/{hex}"), format!(".damaged/{hex}.exe")];
        let others = [
            format!("0B/{hex}.cab"),
            format!("0a/{hex}.cab"),
            format!("0A/{}.cab", hex.to_lowercase()),
            format!("0A/{hex}"),
            format!("0A/{hex}.CAB"),
            format!("0A/{hex}.tar.gz"),
            format!("0A/1{hex}.cab"),
            format!(".partial/{hex}.cab"),
            "0A/notes.txt".to_owned(),
            format!("{hex}.cab"),
            format!("photos/{hex}.cab"),
            ".weir".to_owned(),
        ];
        for name in ours.iter().chain(&others) {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        std::fs::create_dir(folder.path().join(format!("0A/{hex}.dir"))).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join(format!("0A/{hex}.lnk"))).unwrap();
        let mut found: Vec<String> =
            walk(folder.path()).unwrap().into_iter().map(|entry| entry.place).collect();
        let mut wanted = ours.to_vec();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
        assert!(walk(&folder.path().join("none")).unwrap().is_empty());
    }
}
