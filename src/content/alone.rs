//! Opens a file to which nobody else writes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// Looks at a file that somebody else still writes, and the wait between two.
const LOOKS_MAX: usize = 100;
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Opens a file that this process alone has open, also after one that had it gave it its final name meanwhile. With its
/// length. `is_patient`: it is waited for somebody else, for seconds.
///
/// # Errors
/// The system's, `NotFound` without its folder; `WouldBlock` when somebody else goes on writing it.
pub(super) fn open_alone(path: &Path, is_patient: bool) -> io::Result<(File, u64)> {
    for _ in 0..if is_patient { LOOKS_MAX } else { 1 } {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            // A disk that has no locks is not shared.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                let len = file.metadata()?.len();
                return Ok((file, len));
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {
                if is_patient {
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                continue;
            }
        }
        let here = file.metadata()?;
        if std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino())) {
            return Ok((file, here.len()));
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "somebody else is writing the unfinished file"))
}
