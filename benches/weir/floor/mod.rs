//! The least that a program could do: fetch the same batches, unpack and read each document, put the rows into plain
//! tables with their indexes. It keeps no story, publishes nothing, can be stopped by nobody and goes on from nothing.

mod decode;
mod fetch;
pub mod files;
mod tables;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use weir::protocol::ids::SyncAnchor;

use fetch::Source;
use tables::{Store, Tables};

/// Answers on their way to the tables.
const IN_TRANSIT_MAX: usize = 4;

/// Which of the two jobs, and where.
#[derive(Debug, Clone)]
pub struct What {
    database: String,
    port: u16,
    /// Only what is newer; the tables and their indexes are there.
    since: Option<SyncAnchor>,
}

/// What the program says at its end, in one line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {
    pub revisions: u64,
    pub anchor: String,
    /// From the first call to the last commit.
    pub seconds: f64,
}

impl What {
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let database = words.next().context("an address of a database")?;
        let port = words.next().context("a port")?.parse()?;
        let since = words.next().map(SyncAnchor::parse).transpose()?;
        Ok(Self { database, port, since })
    }

    /// The same as words, for a process of its own.
    pub fn words(database: &str, port: u16, since: Option<&str>) -> Vec<String> {
        let mut words = vec!["floor".to_owned(), database.to_owned(), port.to_string()];
        words.extend(since.map(str::to_owned));
        words
    }
}

/// Does the job on two threads.
pub fn run(what: What) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let mut done = runtime.block_on(copy(what))?;
    done.seconds = began.elapsed().as_secs_f64();
    println!("{}", serde_json::to_string(&done)?);
    Ok(())
}

async fn copy(what: What) -> Result<Done> {
    let source = Source::new(what.port)?;
    let incremental = what.since.is_some();
    let listed = source.list(what.since).await?;
    let store = Store::open(&what.database, incremental).await?;
    let wanted = store.missing(listed.keys).await?;
    let (sender, mut answers) = mpsc::channel(IN_TRANSIT_MAX);
    let fetching = tokio::spawn(source.fetch(wanted, sender));
    let mut tables = Tables::begin(store).await?;
    let mut revisions = 0;
    while let Some(rows) = answers.recv().await {
        let rows: Vec<decode::Row> = rows;
        revisions += rows.len() as u64;
        tables.add(rows).await?;
    }
    fetching.await??;
    tables.finish().await?;
    if revisions == 0 && !incremental {
        bail!("the update server listed nothing");
    }
    Ok(Done { revisions, anchor: listed.anchor, seconds: 0.0 })
}
