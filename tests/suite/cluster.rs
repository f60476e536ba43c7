//! The private cluster, through the real program: it starts, survives being killed, is shared, and goes.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::support::{process, watch};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_command_starts_the_cluster_for_itself_and_leaves_nothing_running() {
    let data = data_folder();
    let output = output(command(data.path()));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(output.stdout, b"");
    wait_until("the cluster stops", || !is_running(data.path()));
}

#[test]
fn commands_share_the_cluster_of_a_server_and_do_not_take_it_away() {
    let data = data_folder();
    let mut server = Server::start(data.path());
    let commands: Vec<_> =
        (0..3).map(|_| command(data.path())).map(|one| std::thread::spawn(|| output(one))).collect();
    for command in commands {
        let output = command.join().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    std::thread::sleep(Duration::from_secs(1));
    assert!(is_running(data.path()), "a command stopped the server's cluster");
    server.stop();
    wait_until("the cluster stops", || !is_running(data.path()));
}

#[test]
fn a_killed_server_leaves_no_cluster_behind_and_the_next_one_starts_at_once() {
    let data = data_folder();
    let mut server = Server::start(data.path());
    server.kill();
    let mut next = Server::start(data.path()); // while the old cluster is going down
    next.kill();
    wait_until("the orphaned cluster stops", || !is_running(data.path()));
}

#[test]
fn a_killed_database_is_recovered_under_a_running_server() {
    let data = data_folder();
    let mut server = Server::start(data.path());
    let pid = postmaster(data.path()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("another server process", || postmaster(data.path()).is_some_and(|now| now != pid));
    wait_until("the health page", || server.is_healthy());
    server.stop();
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let data = data_folder();
    let mut first = Server::start(data.path());
    let output = output(program(data.path(), "serve"));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("already"), "{}", said(&output));
    assert!(first.is_healthy());
    first.stop();
}

#[test]
fn a_folder_that_cannot_be_written_is_one_sentence() {
    let output = output(command(Path::new("/proc/nowhere")));
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.starts_with("The data folder /proc/nowhere cannot be written"), "{said}");
}

#[test]
fn a_cluster_of_a_version_that_is_not_installed_is_one_sentence() {
    let data = data_folder();
    assert!(output(command(data.path())).status.success());
    wait_until("the cluster stops", || !is_running(data.path()));
    let version = data.path().join("postgres/cluster/PG_VERSION");
    std::fs::write(&version, "11\n").unwrap();
    let output = output(command(data.path()));
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("was made by PostgreSQL 11"), "{}", said(&output));
}

/// A `weir serve` of its own ports, stopped with the test.
struct Server {
    child: Child,
    console_port: u16,
}

impl Server {
    fn start(data: &Path) -> Self {
        let (console_port, services_port) = (free_port(), free_port());
        let child = program(data, "serve")
            .env("WEIR_CONSOLE_PORT", console_port.to_string())
            .env("WEIR_SERVICES_PORT", services_port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { child, console_port };
        wait_until("the server answers", || {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended");
            server.is_healthy()
        });
        server
    }

    fn is_healthy(&self) -> bool {
        use std::io::Write;
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", self.console_port)) else {
            return false;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(8)));
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn stop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        wait_until("the server ends", || self.child.try_wait().unwrap().is_some());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Enterable for the account that the database runs as when the tests run as root.
fn data_folder() -> TempDir {
    watch();
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

/// Some command that needs the database and ends.
fn command(data: &Path) -> Command {
    let mut command = program(data, "catalog");
    command.arg("ids");
    command
}

fn output(command: Command) -> Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(process::output(command))
}

fn program(data: &Path, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg(name).env_remove("DATABASE_URL").env_remove("WEIR_CONFIG").env("WEIR_DATA_DIR", data);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn postmaster(data: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(data.join("postgres/cluster/postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

fn is_running(data: &Path) -> bool {
    postmaster(data).is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
