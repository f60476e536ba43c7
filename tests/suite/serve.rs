//! `weir serve` as a process: starting, stopping, being refused.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{TestDatabase, Visitor};

/// A `weir serve` of its own. Killed when the test fails.
struct Process {
    child: Child,
    console: u16,
    services: u16,
}

impl Process {
    fn start(db: &TestDatabase, data: &std::path::Path) -> Self {
        let (console, services) = (free_port(), free_port());
        let child = command(db, data)
            .env("WEIR_CONSOLE_PORT", console.to_string())
            .env("WEIR_SERVICES_PORT", services.to_string())
            .spawn()
            .unwrap();
        Self { child, console, services }
    }

    async fn ready(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.console)).await.is_err() {
            assert!(self.child.try_wait().unwrap().is_none(), "weir serve ended early");
            assert!(Instant::now() < until, "weir serve does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    async fn end(&mut self) -> Option<i32> {
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

fn command(db: &TestDatabase, data: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DATABASE_URL", db.url().as_str())
        .env("WEIR_DATA_DIR", data)
        .env("WEIR_LOG", "warn")
        .env("ROCKET_PORT", "1") // Rocket's own settings are not honoured
        .env("ROCKET_LIMITS", "{form=1}")
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_and_ends_well_on_either_signal() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut weir = Process::start(&db, data.path());
        weir.ready().await;
        for port in [weir.console, weir.services] {
            let answer = Visitor::new(&format!("http://127.0.0.1:{port}")).get("/healthz").await;
            assert_eq!((answer.status(), answer.body.trim()), (200, "ok"));
        }
        weir.signal(signal);
        assert_eq!(weir.end().await, Some(0), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_folder_is_refused() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let mut first = Process::start(&db, data.path());
    first.ready().await;
    let second = command(&db, data.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("uses the data folder"), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_console_open_to_the_network_are_refused_in_one_sentence() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port().to_string();
    let cases = [
        ("WEIR_CONSOLE_PORT", taken.as_str(), "cannot be listened on"),
        ("WEIR_CONSOLE_ADDRESS", "0.0.0.0", "WEIR_CONSOLE_INSECURE"),
    ];
    for (name, value, expected) in cases {
        let refused = command(&db, data.path())
            .env("WEIR_SERVICES_PORT", free_port().to_string())
            .env(name, value)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
