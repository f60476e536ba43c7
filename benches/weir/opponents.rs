//! Others that fetch files, where they are installed: curl and rclone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::files::{CONTENT, Files};

/// What is fetched, written down for each of them.
pub struct Lists {
    root: String,
    urls: PathBuf,
    names: PathBuf,
    /// Where they put it.
    into: PathBuf,
    at_once: String,
}

impl Lists {
    /// For files that a web server on `port` gives out. `folder` takes the lists; what is fetched goes to `into`.
    pub fn write(files: &Files, port: u16, folder: &Path, into: &Path, at_once: u8) -> Result<Self> {
        let lists = Self {
            root: format!("http://127.0.0.1:{port}"),
            urls: folder.join("urls"),
            names: folder.join("names"),
            into: into.to_owned(),
            at_once: at_once.to_string(),
        };
        let places = || files.facts.iter().map(|file| format!("{CONTENT}/{}", file.place()));
        let (root, shown) = (&lists.root, into.display());
        let url = |place: String| format!("url = \"{root}/{place}\"\noutput = \"{shown}/{place}\"\n");
        fs::write(&lists.urls, places().map(url).collect::<String>())?;
        fs::write(&lists.names, places().map(|place| place + "\n").collect::<String>())?;
        Ok(lists)
    }

    pub fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        command.args([
            "--parallel",
            "--parallel-max",
            &self.at_once,
            "--create-dirs",
            "--no-progress-meter",
            "--show-error",
        ]);
        command.args(["--fail", "--config"]).arg(&self.urls);
        command
    }

    pub fn rclone(&self) -> Command {
        let mut command = Command::new("rclone");
        command.args(["copy", ":http:", "--no-traverse", "--config", "/dev/null", "--http-url", &self.root]);
        command.args(["--transfers", &self.at_once, "--checkers", &self.at_once, "--files-from"]);
        command.arg(&self.names).arg(&self.into);
        command
    }
}

/// Is this program there?
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}
