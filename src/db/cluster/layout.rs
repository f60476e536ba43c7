//! Which files and folders belong to a private cluster.

use super::ClusterError;
use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Longest path of a socket the kernel takes, in bytes, without the closing zero.
const SOCKET_PATH_MAX: usize = 107;
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// The places of one private cluster.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    data_dir: PathBuf,
    root: PathBuf,
}

impl Layout {
    /// Makes `DATA/postgres`. Absolute, because the database server changes its working folder.
    pub fn prepare(data_dir: &Path) -> Result<Self, ClusterError> {
        let data_dir = std::path::absolute(data_dir).map_err(ClusterError::failed)?;
        let root = data_dir.join("postgres");
        let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&root)
            .map_err(|error| ClusterError::Unwritable { folder: root.clone(), reason: error.to_string() })?;
        Ok(Self { data_dir, root })
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What `initdb` made. Owned by the account the server runs as.
    pub fn cluster(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// Where `initdb` works; renamed when it is done, so that an interrupted one is never taken for real.
    pub fn unfinished(&self) -> PathBuf {
        self.root.join("cluster.new")
    }

    pub fn start_lock(&self) -> PathBuf {
        self.root.join("start.lock")
    }

    pub fn users_lock(&self) -> PathBuf {
        self.root.join("users.lock")
    }

    pub fn keeper_lock(&self) -> PathBuf {
        self.root.join("keeper.lock")
    }

    /// What keeper and server say; emptied at a start when it has grown large.
    pub fn log_file(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub fn pid_file(&self) -> PathBuf {
        self.cluster().join("postmaster.pid")
    }

    /// Beside the cluster, or, when that path is too long for a socket, a short one in `/tmp`.
    pub fn socket_dir(&self) -> PathBuf {
        let near = self.root.join("socket");
        if near.as_os_str().len() + 1 + SOCKET_NAME.len() <= SOCKET_PATH_MAX {
            return near;
        }
        let digest = Sha256::digest(self.root.as_os_str().as_bytes());
        PathBuf::from(format!("/tmp/weir-{}", hex::encode(&digest[..8])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_data_folder_gets_a_short_socket_folder() {
        let near = Layout { data_dir: "/d".into(), root: "/d/postgres".into() };
        assert_eq!(near.socket_dir(), PathBuf::from("/d/postgres/socket"));
        let root = PathBuf::from(format!("/{}/postgres", "deep/".repeat(30)));
        let far = Layout { data_dir: root.clone(), root };
        assert!(far.socket_dir().starts_with("/tmp"));
        assert_eq!(far.socket_dir(), far.socket_dir());
    }
}
