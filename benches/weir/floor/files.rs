//! The least that a program could do with files: fetch them, compute both digests while they come, compare. No
//! database, nothing to go on from, and nothing forced to the disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

/// Which files, and where to.
#[derive(Debug, Clone)]
pub struct What {
    /// `http://…/Content`.
    root: String,
    /// A line a file: place, SHA-1 and SHA-256.
    list: PathBuf,
    into: PathBuf,
    at_once: usize,
}

impl What {
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut word = || words.next().context("the address, the list, the folder, and how many at once");
        Ok(Self { root: word()?, list: word()?.into(), into: word()?.into(), at_once: word()?.parse()? })
    }

    /// The same in a process of its own. The list is written beside the folder.
    pub fn command(
        files: &crate::files::Files,
        port: u16,
        list: &Path,
        into: &Path,
        at_once: u8,
    ) -> Result<Command> {
        let line = |file: &weir::content::FileFacts| {
            let sha256 = file.sha256.map(|digest| hex::encode(digest.0)).unwrap_or_default();
            format!("{} {} {sha256}\n", file.place(), hex::encode(file.sha1.0))
        };
        fs::write(list, files.facts.iter().map(line).collect::<String>())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor-files", &format!("http://127.0.0.1:{port}/{}", crate::files::CONTENT)]);
        command.arg(list).arg(into).arg(at_once.to_string());
        Ok(command)
    }
}

/// Does the job on two threads.
pub fn run(what: What) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(fetch_all(Arc::new(what)))
}

async fn fetch_all(what: Arc<What>) -> Result<()> {
    let list: Arc<Vec<String>> =
        Arc::new(fs::read_to_string(&what.list)?.lines().map(str::to_owned).collect());
    let http = reqwest::Client::builder().no_proxy().build()?;
    let next = Arc::new(AtomicUsize::new(0));
    let mut fetching = JoinSet::new();
    for _ in 0..what.at_once {
        let (what, list, http, next) = (what.clone(), list.clone(), http.clone(), next.clone());
        fetching.spawn(async move {
            while let Some(line) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                fetch(&what, &http, line).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = fetching.join_next().await {
        ended??;
    }
    Ok(())
}

async fn fetch(what: &What, http: &reqwest::Client, line: &str) -> Result<()> {
    let mut words = line.split(' ');
    let mut word = || words.next().context("a line has three words");
    let (place, sha1, sha256) = (word()?, word()?, word()?);
    let path = what.into.join(place);
    fs::create_dir_all(path.parent().context("a place has a folder")?)?;
    let mut file = File::create(&path)?;
    let (mut one, mut other) = (Sha1::new(), Sha256::new());
    let mut answer = http.get(format!("{}/{place}", what.root)).send().await?.error_for_status()?;
    while let Some(bytes) = answer.chunk().await? {
        one.update(&bytes);
        other.update(&bytes);
        file.write_all(&bytes)?;
    }
    ensure!(
        hex::encode(one.finalize()) == sha1 && hex::encode(other.finalize()) == sha256,
        "{place} is wrong"
    );
    Ok(())
}
