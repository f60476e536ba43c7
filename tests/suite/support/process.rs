//! The `weir` program itself, on a test's database and in a folder of its own.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt as _;

use super::{TestDatabase, Visitor};

/// `weir` with nothing of this process's environment but the path.
pub fn weir(db: &TestDatabase, data: &Path, args: &[&str]) -> Command {
    let mut command = alone(data, args);
    command.env("DATABASE_URL", db.url().as_str());
    command
}

/// The same with the database that it keeps for itself in its folder.
pub fn alone(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("WEIR_DATA_DIR", data)
        .env("WEIR_LOG", "warn")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Longest run of a command that a test waits for.
const COMMAND_WAIT: Duration = Duration::from_secs(180);

/// Runs a command to its end, with nothing typed.
pub async fn output(command: Command) -> Output {
    output_of(command, "").await
}

/// Runs a command to its end, with this on its standard input.
pub async fn output_of(command: Command, typed: &str) -> Output {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let whole = async {
        let mut child = command.spawn().unwrap();
        // A command that wants nothing may be gone before it is told all.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes()).await;
        child.wait_with_output().await.unwrap()
    };
    let ended = tokio::time::timeout(COMMAND_WAIT, whole).await;
    ended.unwrap_or_else(|_| panic!("{command:?} does not end"))
}

/// Runs a command to its end, which must be a good one.
pub async fn succeed(command: Command) -> Output {
    let output = output(command).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A `weir serve`. Killed when the test fails.
pub struct Process {
    child: Child,
    pub console: u16,
    pub services: u16,
}

impl Process {
    pub fn start(db: &TestDatabase, data: &Path) -> Self {
        Self::start_with(db, data, &[])
    }

    /// Starts with further variables.
    pub fn start_with(db: &TestDatabase, data: &Path, variables: &[(&str, &str)]) -> Self {
        Self::launch(weir(db, data, &["serve"]), variables, Stdio::null()) // a pipe that nobody reads fills up
    }

    /// Starts with further variables; its words are in `serve.log` in its folder.
    pub fn start_logged(db: &TestDatabase, data: &Path, variables: &[(&str, &str)]) -> Self {
        Self::launch(weir(db, data, &["serve"]), variables, log_in(data))
    }

    /// Starts on the database that it keeps for itself in its folder; its words are in `serve.log` there.
    pub fn start_alone(data: &Path) -> Self {
        Self::launch(alone(data, &["serve"]), &[], log_in(data))
    }

    fn launch(mut command: Command, variables: &[(&str, &str)], stderr: Stdio) -> Self {
        let (console, services) = (free_port(), free_port());
        let child = command
            .env("WEIR_CONSOLE_PORT", console.to_string())
            .env("WEIR_SERVICES_PORT", services.to_string())
            .env("ROCKET_PORT", "1") // Rocket's own settings are not honoured
            .env("ROCKET_LIMITS", "{form=1}")
            .envs(variables.iter().copied())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self { child, console, services }
    }

    pub async fn ready(&mut self) {
        self.listening(self.console).await;
    }

    /// Waits until it listens on one of its ports.
    pub async fn listening(&mut self, port: u16) {
        let until = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(self.child.try_wait().unwrap().is_none(), "weir serve ended early");
            assert!(Instant::now() < until, "weir serve does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Someone at its console.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(&format!("http://127.0.0.1:{}", self.console))
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit code when it has ended by itself.
    pub fn has_ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }

    pub async fn end(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(35);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "weir serve does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_in(data: &Path) -> Stdio {
    std::fs::File::options().create(true).append(true).open(data.join("serve.log")).unwrap().into()
}

pub fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below the ports that a system gives to listeners on port 0, so that no other test takes it meanwhile.
    let first = 12_000 + u16::try_from(std::process::id() % 8_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
