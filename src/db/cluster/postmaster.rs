//! The server process: what an earlier one left behind, starting one, stopping it.

use super::ClusterError;
use super::account::Account;
use super::layout::Layout;
use super::memory;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long a start may take; recovery after a crash is part of it.
const START_MAX: Duration = Duration::from_secs(50);
const STOP_FAST_MAX: Duration = Duration::from_secs(15);
const STOP_MAX: Duration = Duration::from_secs(10);

/// Line 8 of `postmaster.pid`, which the server writes when it takes connections.
pub(super) fn is_ready(layout: &Layout) -> bool {
    let text = std::fs::read_to_string(layout.pid_file()).unwrap_or_default();
    let ready = text.lines().nth(7).is_some_and(|line| line.trim() == "ready");
    ready && pid_in(&text).is_some_and(|pid| works_in(pid, &layout.cluster()))
}

/// Clears what a server that was killed left: stops it if it still runs, waits for its helpers, removes
/// the lock files that would keep a new one from starting.
pub(super) fn clear_leftovers(layout: &Layout) -> Result<(), ClusterError> {
    let cluster = layout.cluster();
    let text = std::fs::read_to_string(layout.pid_file()).unwrap_or_default();
    if let Some(pid) = pid_in(&text).filter(|pid| works_in(*pid, &cluster)) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        if !wait_until(STOP_FAST_MAX, || !works_in(pid, &cluster)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        }
    }
    if !wait_until(STOP_MAX, || !anyone_works_in(&cluster)) {
        return Err(ClusterError::failed("an earlier server still works in its folder and does not stop"));
    }
    let _ = std::fs::remove_file(layout.pid_file());
    for entry in std::fs::read_dir(layout.socket_dir()).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
    Ok(())
}

/// Starts the server as a child of this thread, whose end it does not outlive, and waits until it answers.
pub(super) fn start(layout: &Layout, account: &Account, bin: &Path) -> Result<Child, ClusterError> {
    let cluster = layout.cluster();
    let mut command = account.command(&bin.join("postgres"));
    command.arg("-D").arg(&cluster).current_dir(&cluster);
    for setting in [
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "logging_collector=off",
        "log_destination=stderr",
        "fsync=on",
        "max_connections=100",
        "max_wal_size=1GB",
        // Compiling a plan takes longer than any of our queries.
        "jit=off",
    ] {
        command.args(["-c", setting]);
    }
    command.args(["-c", &memory::shared_buffers()]);
    command.arg("-c").arg(format!("unix_socket_directories={}", layout.socket_dir().display()));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    die_with_parent(&mut command);
    let mut server = command.spawn().map_err(ClusterError::failed)?;
    let begun = Instant::now();
    while begun.elapsed() < START_MAX {
        if is_ready(layout) {
            return Ok(server);
        }
        if let Ok(Some(status)) = server.try_wait() {
            let log = layout.log_file();
            return Err(ClusterError::failed(format!(
                "PostgreSQL ended with {status}; {} says why",
                log.display()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    stop(&mut server);
    Err(ClusterError::failed(format!("PostgreSQL did not answer within {} seconds", START_MAX.as_secs())))
}

/// Stops the server: connections are cut, everything committed is kept.
pub(super) fn stop(server: &mut Child) {
    let pid = Pid::from_raw(server.id().cast_signed());
    for (signal, patience) in [(Signal::SIGINT, STOP_FAST_MAX), (Signal::SIGQUIT, STOP_MAX)] {
        let _ = kill(pid, signal);
        if wait_until(patience, || !matches!(server.try_wait(), Ok(None))) {
            return;
        }
    }
    let _ = server.kill();
    let _ = server.wait();
}

/// The kernel sends SIGINT (fast shutdown) to the server when the keeper ends without stopping it.
#[allow(unsafe_code)]
fn die_with_parent(command: &mut std::process::Command) {
    let parent = nix::unistd::getpid();
    let prepare = move || {
        nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
        if nix::unistd::getppid() != parent {
            return Err(std::io::Error::other("the keeper is gone"));
        }
        Ok(())
    };
    // SAFETY: runs between fork and exec, in a process that had one thread, and makes only system calls
    // that may be made there. The standard library runs it after it changed the account.
    unsafe { command.pre_exec(prepare) };
}

fn pid_in(pid_file: &str) -> Option<i32> {
    pid_file.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1)
}

/// A server and its helpers have the cluster as their working folder; nobody else has.
fn works_in(pid: i32, cluster: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == cluster)
}

fn anyone_works_in(cluster: &Path) -> bool {
    std::fs::read_dir("/proc").into_iter().flatten().flatten().any(|entry| {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        pid.is_some_and(|pid| works_in(pid, cluster))
    })
}

fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if done() {
            return true;
        }
        if begun.elapsed() >= patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
