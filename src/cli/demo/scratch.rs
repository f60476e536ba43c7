//! The folder of a demo.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::CliError;

/// A folder of its own below the system's temporary folder; removed when the demo ends.
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// One sentence when it cannot be made.
    pub fn create() -> Result<Self, CliError> {
        // The database's own account must be able to pass through when we run as root; others may not look inside.
        let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
        let path = std::env::temp_dir().join(format!("weir-demo-{:016x}", rand::random::<u64>()));
        std::fs::DirBuilder::new().mode(mode).create(&path).map_err(|error| {
            CliError::refused(format!("The scratch folder {} cannot be made: {error}.", path.display()))
        })?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the folder; what cannot be removed is named and left.
    pub fn remove(self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("The scratch folder {} could not be removed: {error}.", self.0.display());
        }
    }
}
