//! The scripted update server: a generated catalogue in memory, in a process of its own.

mod answers;
#[path = "../../../tests/suite/support/lzx.rs"]
mod lzx;
mod server;
mod shelf;
mod widen;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use weir::sample::ChangeCounts;

pub use server::serve;

/// What the server is started with.
#[derive(Debug, Clone, Copy)]
pub struct What {
    /// Updates that can be approved; about 2.3 revisions each.
    pub updates: usize,
    pub seed: u64,
}

impl What {
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut number =
            || words.next().context("a number is missing").and_then(|word| Ok(word.parse::<u64>()?));
        Ok(Self { updates: usize::try_from(number()?)?, seed: number()? })
    }
}

/// What the server tells of itself.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct State {
    /// Revisions it holds.
    pub revisions: u64,
    /// Calls of GetUpdateData so far.
    pub batches: u64,
    /// Revisions sent so far.
    pub sent: u64,
    /// Bytes of those answers.
    pub bytes: u64,
    /// Documents it holds as cabinets, most of them LZX, and the bytes of all documents in UTF-16 and on the wire.
    pub cabinets: u64,
    pub unpacked_bytes: u64,
    pub wire_bytes: u64,
}

/// The server's process. Ends with this value.
pub struct Upstream {
    child: Child,
    pub port: u16,
    http: reqwest::Client,
}

impl Upstream {
    /// Starts a server with a catalogue of about so many revisions, and waits until it has made it.
    pub async fn start(revisions: usize, seed: u64) -> Result<Self> {
        let updates = (revisions * 44 / 100).max(1);
        let mut child = Command::new(std::env::current_exe()?)
            .args(["upstream", &updates.to_string(), &seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("its standard output")?;
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let line = line.await??;
        let Ok(port) = line.trim().parse() else { bail!("the update server did not start: {line}") };
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { child, port, http })
    }

    /// What it holds and has sent.
    pub async fn state(&self) -> Result<State> {
        self.ask("state").await
    }

    /// From now on each answer with documents takes so many milliseconds.
    pub async fn latency(&self, milliseconds: u64) -> Result<State> {
        self.ask(&format!("latency/{milliseconds}")).await
    }

    /// Publishes a day of the catalogue.
    pub async fn publish(&self, day: u32, counts: ChangeCounts) -> Result<State> {
        let ChangeCounts { new, revised, expired } = counts;
        self.ask(&format!("day/{day}/{new}/{revised}/{expired}")).await
    }

    async fn ask(&self, what: &str) -> Result<State> {
        let url = format!("http://127.0.0.1:{}/bench/{what}", self.port);
        let answer = self.http.get(url).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
