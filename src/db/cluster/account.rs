//! The account the database server runs as: ours, or an unprivileged one when we are root.

use super::ClusterError;
use super::layout::Layout;
use nix::unistd::{Uid, User, chown, geteuid};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

#[derive(Debug, Clone)]
pub(super) struct Account {
    user: User,
    /// We are root and must become this user first.
    change: bool,
}

impl Account {
    /// The owner of the cluster when there is one; else ours, or `postgres` or `nobody` for root.
    pub fn choose(layout: &Layout) -> Result<Self, ClusterError> {
        let ours = geteuid();
        let owner = std::fs::metadata(layout.cluster()).ok().map(|about| Uid::from_raw(about.uid()));
        if !ours.is_root() {
            if owner.is_some_and(|owner| owner != ours) {
                return Err(ClusterError::OtherOwner { folder: layout.cluster() });
            }
            let user = User::from_uid(ours).map_err(ClusterError::failed)?.ok_or(ClusterError::NoAccount)?;
            return Ok(Self { user, change: false });
        }
        let user = match owner {
            Some(owner) if !owner.is_root() => User::from_uid(owner).map_err(ClusterError::failed)?,
            _ => ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten()),
        };
        Ok(Self { user: user.ok_or(ClusterError::NoAccount)?, change: true })
    }

    pub fn name(&self) -> &str {
        &self.user.name
    }

    pub fn uid(&self) -> u32 {
        self.user.uid.as_raw()
    }

    /// A command with an empty environment that runs as this account.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
        if self.change {
            command.uid(self.user.uid.as_raw()).gid(self.user.gid.as_raw());
        }
        command
    }

    /// Makes a folder that only this account (and root) can look into; an existing one must be its own.
    pub fn make_folder(&self, folder: &Path) -> Result<(), ClusterError> {
        let unwritable = |reason: String| ClusterError::Unwritable { folder: folder.to_owned(), reason };
        match std::fs::DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) if self.change => chown(folder, Some(self.user.uid), Some(self.user.gid))
                .map_err(|error| unwritable(error.to_string())),
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let about =
                    std::fs::symlink_metadata(folder).map_err(|error| unwritable(error.to_string()))?;
                if about.is_dir() && about.uid() == self.uid() && about.mode() & 0o077 == 0 {
                    return Ok(());
                }
                Err(ClusterError::SocketFolderTaken { folder: folder.to_owned() })
            }
            Err(error) => Err(unwritable(error.to_string())),
        }
    }

    /// Every folder above the cluster must let this account through; the first that does not is named.
    pub fn check_way_to(&self, folder: &Path) -> Result<(), ClusterError> {
        if !self.change {
            return Ok(());
        }
        let mut above: Vec<&Path> = folder.ancestors().collect();
        above.reverse();
        for step in above {
            let Ok(about) = std::fs::metadata(step) else { continue };
            let needed = match () {
                () if about.uid() == self.uid() => 0o100,
                () if about.gid() == self.user.gid.as_raw() => 0o010,
                () => 0o001,
            };
            if about.mode() & needed == 0 {
                return Err(ClusterError::NotEnterable {
                    folder: step.to_owned(),
                    account: self.user.name.clone(),
                });
            }
        }
        Ok(())
    }
}
