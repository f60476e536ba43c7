//! The private cluster: a PostgreSQL server of our own in `DATA/postgres`, when `DATABASE_URL` is not set.
//!
//! It listens on a socket only and belongs to a *keeper*, a small process of the same program. Every Weir
//! process that uses the cluster holds a shared lock on a file; the lock goes away with the process, also
//! when it is killed. The keeper stops the cluster as soon as nobody holds the lock, and starts it again
//! when the server process dies while somebody does. So a command that ends never takes the cluster
//! from a server, and nothing is left running for ever.
//!
//! Lock files in `DATA/postgres`: `start.lock` (held while joining and while stopping), `users.lock`
//! (shared, by everyone who uses the cluster), `keeper.lock` (by the keeper).

mod account;
mod error;
mod initdb;
mod keeper;
mod layout;
mod lock;
mod memory;
mod postmaster;
mod programs;

pub use error::ClusterError;
pub use keeper::keep as keep_cluster;
pub use lock::FileLock;

use super::DatabaseUrl;
use layout::Layout;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long joining may wait for another process that is starting or stopping the cluster.
const JOIN_WAIT: Duration = Duration::from_secs(60);

/// This process's share in a running private cluster.
#[derive(Debug)]
pub struct Cluster {
    url: DatabaseUrl,
    layout: Layout,
    _user: FileLock,
}

impl Cluster {
    /// Joins the cluster of a data folder; makes and starts it when need be. Blocks for up to a minute.
    ///
    /// # Errors
    /// [`ClusterError`], one sentence for each reason.
    pub fn join(data_dir: &Path) -> Result<Self, ClusterError> {
        let layout = Layout::prepare(data_dir)?;
        let starting = FileLock::exclusive(&layout.start_lock(), JOIN_WAIT)?.ok_or(ClusterError::Busy)?;
        let user = FileLock::shared(&layout.users_lock(), JOIN_WAIT)?.ok_or(ClusterError::Busy)?;
        let socket = match FileLock::exclusive(&layout.keeper_lock(), Duration::ZERO)? {
            None => wait_for_kept_cluster(&layout)?,
            Some(nobody_keeps_it) => {
                drop(nobody_keeps_it);
                start_keeper(&layout)?
            }
        };
        drop(starting);
        let url = DatabaseUrl::parse(format!("host='{socket}' user=weir dbname=weir"))
            .map_err(|error| ClusterError::Failed { what: error.to_string() })?;
        Ok(Self { url, layout, _user: user })
    }

    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Lets go of the cluster and waits until it has stopped, or until somebody else turns out to use it.
    pub fn leave(self) {
        let Self { layout, _user, .. } = self;
        drop(_user);
        let begun = Instant::now();
        while begun.elapsed() < JOIN_WAIT {
            let used = !matches!(FileLock::exclusive(&layout.users_lock(), Duration::ZERO), Ok(Some(_)));
            let kept = !matches!(FileLock::exclusive(&layout.keeper_lock(), Duration::ZERO), Ok(Some(_)));
            if !kept || (used && begun.elapsed() > Duration::from_secs(1)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A keeper is there; its server answers already, or will after a restart. Should the keeper just be ending,
/// a new one is started.
fn wait_for_kept_cluster(layout: &Layout) -> Result<String, ClusterError> {
    let begun = Instant::now();
    while begun.elapsed() < JOIN_WAIT {
        if postmaster::is_ready(layout) {
            return Ok(layout.socket_dir().display().to_string());
        }
        if FileLock::exclusive(&layout.keeper_lock(), Duration::ZERO)?.is_some() {
            return start_keeper(layout);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(ClusterError::Busy)
}

/// Starts the keeper and waits for its one line: `ready`, or what went wrong.
fn start_keeper(layout: &Layout) -> Result<String, ClusterError> {
    let failed = |error: std::io::Error| ClusterError::Failed { what: error.to_string() };
    let log =
        std::fs::File::options().create(true).append(true).open(layout.log_file()).map_err(|error| {
            ClusterError::Unwritable { folder: layout.root().to_owned(), reason: error.to_string() }
        })?;
    let mut keeper = Command::new("/proc/self/exe")
        .arg("keep-database")
        .arg(layout.data_dir())
        .process_group(0) // Ctrl-C in the terminal is for us, not for the database
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(stdout) = keeper.stdout.take() {
        BufReader::new(stdout.take(4_096)).read_line(&mut line).map_err(failed)?;
    }
    match line.trim_end().split_once(' ') {
        Some(("ready", _)) => {
            // Reaps the keeper should it end before us.
            std::thread::spawn(move || keeper.wait());
            Ok(layout.socket_dir().display().to_string())
        }
        Some(("failed", what)) => Err(ClusterError::Told(what.to_owned())),
        _ => Err(ClusterError::Failed { what: format!("see {}", layout.log_file().display()) }),
    }
}
