//! Finds the installed PostgreSQL.

use super::ClusterError;
use super::layout::Layout;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION_MIN: u32 = 13;
const NEEDED: [&str; 4] = ["initdb", "postgres", "psql", "createdb"];

/// The folder with `initdb` and `postgres` for this cluster: the version that made it, else the newest.
pub(super) fn find(layout: &Layout) -> Result<PathBuf, ClusterError> {
    let mut found = installed();
    found.sort();
    found.dedup();
    if let Ok(made_by) = std::fs::read_to_string(layout.cluster().join("PG_VERSION")) {
        let made_by = made_by.trim().to_owned();
        let fitting = found.into_iter().rev().find(|(version, _)| version.to_string() == made_by);
        return fitting
            .map(|(_, folder)| folder)
            .ok_or(ClusterError::OtherVersion { folder: layout.root().to_owned(), made_by });
    }
    match found.pop() {
        Some((version, folder)) if version >= VERSION_MIN => Ok(folder),
        Some((newest, _)) => Err(ClusterError::TooOld { newest }),
        None => Err(ClusterError::NotInstalled),
    }
}

fn installed() -> Vec<(u32, PathBuf)> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/usr/local", "pgsql")] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(
            entries
                .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)))
                .map(|entry| entry.path().join("bin")),
        );
    }
    folders.extend(["/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    folders
        .into_iter()
        .filter(|folder| NEEDED.iter().all(|program| folder.join(program).is_file()))
        .filter_map(|folder| Some((version(&folder)?, folder)))
        .collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` is 15.
fn version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().nth(2)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
