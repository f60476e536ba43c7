//! Locks on files. The kernel lets go of them when the process ends, however it ends.

use super::ClusterError;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct FileLock(#[allow(dead_code)] Flock<File>);

impl FileLock {
    /// The lock that only one process has. `None`: another one still had it after `wait`.
    ///
    /// # Errors
    /// [`ClusterError::Unwritable`] when the file cannot be opened.
    pub fn exclusive(path: &Path, wait: Duration) -> Result<Option<Self>, ClusterError> {
        take(path, FlockArg::LockExclusiveNonblock, wait)
    }

    /// The lock that many may have, but not beside an exclusive one.
    ///
    /// # Errors
    /// As [`FileLock::exclusive`].
    pub fn shared(path: &Path, wait: Duration) -> Result<Option<Self>, ClusterError> {
        take(path, FlockArg::LockSharedNonblock, wait)
    }
}

/// Polls, because a process that was killed keeps its locks for a moment.
fn take(path: &Path, how: FlockArg, wait: Duration) -> Result<Option<FileLock>, ClusterError> {
    let unwritable = |reason: String| ClusterError::Unwritable {
        folder: path.parent().unwrap_or(path).to_owned(),
        reason,
    };
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| unwritable(error.to_string()))?;
    let begun = Instant::now();
    loop {
        match Flock::lock(file, how) {
            Ok(lock) => return Ok(Some(FileLock(lock))),
            Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => file = back,
            Err((_, error)) => return Err(unwritable(error.to_string())),
        }
        if begun.elapsed() >= wait {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_or_many_sharers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let none = Duration::ZERO;
        let first = FileLock::shared(&path, none).unwrap().unwrap();
        let second = FileLock::shared(&path, none).unwrap().unwrap();
        assert!(FileLock::exclusive(&path, none).unwrap().is_none());
        drop((first, second));
        let alone = FileLock::exclusive(&path, none).unwrap().unwrap();
        assert!(FileLock::shared(&path, none).unwrap().is_none());
        drop(alone);
        assert!(FileLock::shared(&path, none).unwrap().is_some());
    }
}
