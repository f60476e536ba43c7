//! The keeper: the process that owns the server of a private cluster for as long as anybody uses it.

use super::account::Account;
use super::layout::Layout;
use super::{ClusterError, FileLock, initdb, postmaster, programs};
use std::io::Write;
use std::path::Path;
use std::process::{Child, ExitCode};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A killed predecessor may hold its lock for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(20);
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A server that dies more often than this within a minute is started again only after [`RESTART_WAIT`].
const RESTARTS_MAX: u32 = 5;
const RESTART_WAIT: Duration = Duration::from_secs(15);

/// Starts the cluster of a data folder, says `ready` or `failed WHY` in one line on standard output, and
/// stays until nobody uses the cluster. Must be called while the process has one thread.
pub fn keep(data_dir: &Path) -> ExitCode {
    let kept = Keeper::start(data_dir);
    let line = match &kept {
        Ok(_) => "ready now".to_owned(),
        Err(error) => format!("failed {error}"),
    };
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    match kept {
        Ok(keeper) => keeper.stay(),
        Err(_) => ExitCode::from(2),
    }
}

struct Keeper {
    layout: Layout,
    account: Account,
    bin: std::path::PathBuf,
    server: Child,
    _lock: FileLock,
}

impl Keeper {
    fn start(data_dir: &Path) -> Result<Self, ClusterError> {
        let layout = Layout::prepare(data_dir)?;
        let lock = FileLock::exclusive(&layout.keeper_lock(), LOCK_WAIT)?.ok_or(ClusterError::Busy)?;
        let bin = programs::find(&layout)?;
        let account = Account::choose(&layout)?;
        account.check_way_to(layout.root())?;
        shorten_log(&layout);
        postmaster::clear_leftovers(&layout)?;
        initdb::make_if_missing(&layout, &account, &bin)?;
        account.make_folder(&layout.socket_dir())?;
        let server = postmaster::start(&layout, &account, &bin)?;
        create_database(&layout, &bin, &account)?;
        Ok(Self { layout, account, bin, server, _lock: lock })
    }

    fn stay(mut self) -> ExitCode {
        let mut restarts = Restarts::default();
        loop {
            std::thread::sleep(LOOK_EVERY);
            let gone = !self.layout.root().exists(); // a scratch folder that was removed under us
            let closed = self.nobody_uses_it();
            let works = matches!(self.server.try_wait(), Ok(None));
            if closed.is_some() || gone {
                if works {
                    postmaster::stop(&mut self.server);
                }
                return ExitCode::SUCCESS;
            }
            // Whoever uses the cluster would be without it for ever if this ended.
            if !works && restarts.is_time() {
                eprintln!("the database server ended; starting it again");
                self.restart();
            }
        }
    }

    fn restart(&mut self) {
        let started = postmaster::clear_leftovers(&self.layout)
            .and_then(|()| postmaster::start(&self.layout, &self.account, &self.bin));
        match started {
            Ok(server) => self.server = server,
            Err(error) => eprintln!("{error}"),
        }
    }

    /// The two locks that keep anybody from joining while the server is stopped; `None` when it is used.
    /// Joining takes them in the same order, so one of the two waits and none waits for ever.
    fn nobody_uses_it(&self) -> Option<(FileLock, FileLock)> {
        let starting = FileLock::exclusive(&self.layout.start_lock(), Duration::ZERO);
        let users = || FileLock::exclusive(&self.layout.users_lock(), Duration::ZERO);
        let starting = starting.ok().flatten()?;
        users().ok().flatten().map(|users| (starting, users))
    }
}

#[derive(Default)]
struct Restarts {
    since: Option<Instant>,
    last: Option<Instant>,
    count: u32,
}

impl Restarts {
    /// May the server be started now? Counts when it may.
    fn is_time(&mut self) -> bool {
        let now = Instant::now();
        if self.since.is_none_or(|since| now - since > Duration::from_secs(60)) {
            *self = Self { since: Some(now), last: None, count: 0 };
        }
        if self.count >= RESTARTS_MAX && self.last.is_some_and(|last| now - last < RESTART_WAIT) {
            return false;
        }
        self.last = Some(now);
        self.count += 1;
        true
    }
}

/// Makes the database `weir` unless it is there.
fn create_database(layout: &Layout, bin: &Path, account: &Account) -> Result<(), ClusterError> {
    let run = |program: &str, arguments: &[&str]| {
        account
            .command(&bin.join(program))
            .args(["--username=weir", "--no-password", "--host"])
            .arg(layout.socket_dir())
            .args(arguments)
            .current_dir(layout.cluster())
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(ClusterError::failed)
    };
    let asked =
        run("psql", &["-XAtd", "postgres", "-c", "SELECT 1 FROM pg_database WHERE datname = 'weir'"])?;
    if asked.status.success() && asked.stdout.starts_with(b"1") {
        return Ok(());
    }
    let made = run("createdb", &["weir"])?;
    if made.status.success() {
        return Ok(());
    }
    Err(ClusterError::failed(String::from_utf8_lossy(&made.stderr).trim()))
}

fn shorten_log(layout: &Layout) {
    let log = layout.log_file();
    if std::fs::metadata(&log).is_ok_and(|about| about.len() > LOG_BYTES_MAX) {
        let _ = std::fs::File::options().write(true).truncate(true).open(&log);
    }
}
