//! A PostgreSQL server of a test's own, which it may stop, start again, and let run out of room.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use weir::db::DatabaseUrl;

use super::server;

/// Ends what is left of the server when its standard input closes, which the end of the test does, and removes its
/// folder. The small room is a mount that only the server sees.
const KEEPER: &str = r#"cat >/dev/null; pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then kill -QUIT "$pid" 2>/dev/null; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; fi
rm -rf --one-file-system "$1""#;

/// Runs what follows with `$2` bytes of memory mounted at `$1`, in a mount namespace that ends with it.
const IN_SMALL_ROOM_AS_ROOT: &str = r#"mount -t tmpfs -o "size=$2,uid=$3,gid=$4,mode=700" tmpfs "$1" || exit 1
uid=$3; gid=$4; shift 4; exec setpriv --reuid="$uid" --regid="$gid" --clear-groups "$@""#;
const IN_SMALL_ROOM: &str =
    r#"mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1" || exit 1; shift 2; exec "$@""#;

pub struct Cluster {
    folder: PathBuf,
    /// Bytes of the volume that databases are on; `None`: they are on the same one as everything.
    room: Option<u64>,
    server: Mutex<Option<Child>>,
    keeper: Child,
}

/// Whether this account may mount something that only one process sees.
pub fn may_mount() -> bool {
    let namespace = if server::account().is_some() {
        &["-m"][..]
    } else {
        &["-U", "--map-current-user", "--keep-caps", "-m"]
    };
    let mut command = Command::new("unshare");
    command.args(namespace).args(["mount", "-t", "tmpfs", "tmpfs", "/tmp"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

impl Cluster {
    pub fn start() -> Self {
        Self::begin(None)
    }

    /// A server whose databases are on a volume of `bytes`; its log of writes is not. It can be started only once.
    pub fn start_in_small_room(bytes: u64) -> Self {
        Self::begin(Some(bytes))
    }

    fn begin(room: Option<u64>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("weir-cluster-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        server::make_cluster(&folder);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&folder).process_group(0);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let cluster = Self { folder, room, server: Mutex::default(), keeper: keeper.expect("sh runs") };
        cluster.start_again();
        cluster
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> DatabaseUrl {
        DatabaseUrl::parse(format!("host={} user=weir dbname={database}", self.folder.display())).unwrap()
    }

    /// The statements that make a database.
    pub(super) fn create_database(&self, name: &str) -> Vec<String> {
        match self.room {
            None => vec![format!("CREATE DATABASE {name}")],
            Some(_) => vec![
                format!("CREATE TABLESPACE small LOCATION '{}'", self.small().display()),
                format!("CREATE DATABASE {name} TABLESPACE small"),
            ],
        }
    }

    fn small(&self) -> PathBuf {
        self.folder.join("small")
    }

    /// Starts it and waits until it answers.
    pub fn start_again(&self) {
        let account = server::account();
        let postgres = server::program("postgres");
        let mut command = match (self.room, account) {
            (None, account) => server::as_account(&postgres, account),
            (Some(bytes), Some((uid, gid))) => {
                let mut command = server::as_account("unshare".as_ref(), None);
                command.args(["-m", "sh", "-c", IN_SMALL_ROOM_AS_ROOT, "sh"]).arg(self.small());
                command.args([bytes, uid.into(), gid.into()].map(|number: u64| number.to_string()));
                command.arg(postgres);
                command
            }
            (Some(bytes), None) => {
                let mut command = server::as_account("unshare".as_ref(), None);
                let own = ["-U", "--map-current-user", "--keep-caps", "-m", "sh", "-c", IN_SMALL_ROOM, "sh"];
                command.args(own).arg(self.small()).arg(bytes.to_string()).arg(postgres);
                command
            }
        };
        if self.room.is_some() {
            std::fs::create_dir(self.small()).unwrap();
            command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        }
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.join("server.log")).unwrap();
        command.args(server::settings(&self.folder)).args(["-c", "autovacuum=off"]).current_dir(&self.folder);
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        *self.server.lock().unwrap() = Some(command.spawn().expect("postgres runs"));
        server::wait_until_ready(&self.folder);
    }

    /// Stops it and waits for its end. SIGINT: connections are cut; SIGQUIT: without a checkpoint, as a crash.
    pub fn stop(&self, how: Signal) {
        let mut child = self.server.lock().unwrap().take().expect("it runs");
        kill(Pid::from_raw(child.id().cast_signed()), how).unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the server of the test does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Ok(Some(mut child)) = self.server.lock().map(|mut server| server.take()) {
            let _ = child.wait(); // the keeper asks it to end
        }
        let _ = self.keeper.wait();
    }
}
