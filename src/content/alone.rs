//! Opens a file to which nobody else writes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// Looks at a file that somebody else still writes, and the wait between two.
const LOOKS_MAX: usize = 100;
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Opens a file of `folder` that this process alone has open, also after one that had it gave it its final name meanwhile.
///
/// # Errors
/// The system's; `WouldBlock` when somebody else goes on writing it for seconds.
pub(super) fn open_alone(folder: &Path, path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).append(true).create(true).open(path);
    for _ in 0..LOOKS_MAX {
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(folder)?;
                open()?
            }
            opened => opened?,
        };
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
