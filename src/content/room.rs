//! Room on the disk of this computer, and the part of it that is never used.

use std::io;
use std::path::Path;

use tokio::fs;

use super::{Store, StoreError};

/// The part of the disk that is never used, in percent, and what it is at most, in bytes.
const RESERVE_PERCENT: u64 = 10;
const RESERVE_MAX_BYTES: u64 = 5 << 30;

/// Space on the disk that holds the store, or what is unfinished of it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    /// Never used.
    pub reserve: u64,
}

impl Store {
    /// The room on the disk that holds the folder, or will hold it.
    ///
    /// # Errors
    /// When its disk cannot be asked.
    pub async fn space(&self) -> Result<Space, StoreError> {
        let mut place = self.folder();
        while !fs::try_exists(place).await? {
            place = place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        }
        let about = nix::sys::statvfs::statvfs(place).map_err(io::Error::from)?;
        let unit = about.fragment_size();
        let free = about.blocks_available().saturating_mul(unit);
        let by_rule = (about.blocks().saturating_mul(unit) / 100 * RESERVE_PERCENT).min(RESERVE_MAX_BYTES);
        let reserve = self.reserve().unwrap_or(by_rule);
        Ok(Space { free, reserve })
    }

    /// Refuses when `bytes` more would touch the reserve. The answer is how many more would not.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub async fn make_sure_of_room(&self, bytes: u64) -> Result<u64, StoreError> {
        let Space { free, reserve } = self.space().await?;
        match free.checked_sub(reserve) {
            Some(room) if room >= bytes => Ok(room),
            _ => Err(StoreError::Full { free_bytes: free, reserve_bytes: reserve }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
