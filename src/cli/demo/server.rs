//! One of the two servers of a demo: a child process of this very program.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::CliError;
use super::scratch::Scratch;

/// Longest wait for a server to answer: it makes its database first.
const READY_WAIT: Duration = Duration::from_secs(180);
const READY_STEP: Duration = Duration::from_millis(200);
const REQUEST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for a server to stop before it is killed.
const STOP_WAIT: Duration = Duration::from_secs(30);
/// Lines of a log shown when its server failed.
const LOG_LINES: usize = 15;

pub struct Server {
    name: &'static str,
    folder: PathBuf,
    log: PathBuf,
    program: PathBuf,
    console: SocketAddr,
    services: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts a server on these addresses, with a folder of its own. Its log goes to a file beside that folder.
    ///
    /// # Errors
    /// One sentence when the process cannot be started.
    pub fn start(
        name: &'static str,
        scratch: &Scratch,
        folder: &str,
        console: SocketAddr,
        services: SocketAddr,
    ) -> Result<Self, CliError> {
        let failed =
            |error: std::io::Error| CliError::refused(format!("{name} could not be started: {error}."));
        let program = std::env::current_exe().map_err(failed)?;
        let log = scratch.path().join(format!("{folder}.log"));
        let folder = scratch.path().join(folder);
        let output = File::create(&log).map_err(failed)?;
        let mut command = weir(&program, &folder, console, services);
        command.arg("serve").stdin(Stdio::null()).stdout(output.try_clone().map_err(failed)?).stderr(output);
        // A group of its own: Ctrl-C reaches the demo alone, which then stops its servers in order.
        command.process_group(0);
        let parent = Pid::this();
        // SAFETY: the closure runs between fork and exec and makes two system calls that are safe there.
        unsafe {
            command.pre_exec(move || {
                prctl::set_pdeathsig(Signal::SIGTERM)?;
                if getppid() == parent { Ok(()) } else { Err(std::io::Error::other("the demo has ended")) }
            });
        }
        let child = command.spawn().map_err(failed)?;
        Ok(Self { name, folder, log, program, console, services, child })
    }

    /// Where the console is, to be opened in a browser.
    pub fn address(&self) -> String {
        format!("http://{}/", reachable(self.console))
    }

    pub fn services(&self) -> SocketAddr {
        self.services
    }

    pub fn folder(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// Waits until the server answers.
    ///
    /// # Errors
    /// One sentence and the end of its log when it ends or does not answer in time.
    pub async fn ready(&mut self) -> Result<(), CliError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(REQUEST_WAIT)
            .build()
            .map_err(|error| CliError::failed(format!("No connection can be made: {error}.")))?;
        let url = format!("http://{}/healthz", reachable(self.console));
        let until = Instant::now() + READY_WAIT;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failure(status));
            }
            match client.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                _ => sleep(READY_STEP).await,
            }
        }
        Err(self.complaint(&format!("does not answer after {} seconds", READY_WAIT.as_secs())))
    }

    /// Runs a command of this program on the server's data, and waits for its end.
    ///
    /// # Errors
    /// What the command printed, when it failed.
    pub async fn command(&self, arguments: &[&str], input: Option<&str>) -> Result<(), CliError> {
        let what = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        let failed = |reason: String| CliError::failed(format!("\"weir {what}\" failed: {reason}"));
        let mut command = weir(&self.program, &self.folder, self.console, self.services);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            let line = format!("{input}\n");
            stdin.write_all(line.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
        }
        let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Waits until the server ends by itself, which it should not.
    pub async fn ended(&mut self) -> CliError {
        match self.child.wait().await {
            Ok(status) => self.failure(status),
            Err(error) => self.complaint(&format!("cannot be watched: {error}")),
        }
    }

    /// Asks the server to stop, and kills it when it does not.
    pub async fn stop(&mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(STOP_WAIT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    fn failure(&self, status: ExitStatus) -> CliError {
        self.complaint(&format!("ended by itself ({status})"))
    }

    fn complaint(&self, what: &str) -> CliError {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        CliError::failed(format!("Of the two servers of the demo, {} {what}.\n{end}", self.name))
    }
}

/// This program with a configuration of its own; nothing of ours is inherited but the log filter.
fn weir(program: &Path, folder: &Path, console: SocketAddr, services: SocketAddr) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let inherited = name.to_string_lossy().into_owned();
        if (inherited.starts_with("WEIR_") && inherited != "WEIR_LOG") || inherited == "DATABASE_URL" {
            command.env_remove(&name);
        }
    }
    command
        .env("WEIR_DATA_DIR", folder)
        .env("WEIR_CONSOLE_ADDRESS", console.ip().to_string())
        .env("WEIR_CONSOLE_PORT", console.port().to_string())
        .env("WEIR_SERVICES_ADDRESS", services.ip().to_string())
        .env("WEIR_SERVICES_PORT", services.port().to_string())
        .env("WEIR_CONSOLE_INSECURE", (!console.ip().is_loopback()).to_string());
    command
}

/// An address to connect to, also when the server listens on all.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        false => address,
    }
}
