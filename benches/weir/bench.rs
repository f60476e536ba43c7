//! The bench itself: one job after the other.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::arguments::Options;
use crate::databases::Databases;
use crate::jobs;
use crate::procfs;
use crate::report::{Outcome, Report};

/// What all jobs share.
pub struct Bench {
    pub options: Options,
    pub databases: Databases,
    pub folder: tempfile::TempDir,
}

/// Measures what was asked for and reports it. Ends well whether goals are met or not, unless a job failed.
pub fn run(options: Options) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(options))
}

async fn measure(options: Options) -> Result<ExitCode> {
    let began = Instant::now();
    let (processors, memory_bytes) = procfs::machine();
    let mut report = Report {
        at: chrono::Utc::now().to_rfc3339(),
        commit: commit(),
        quick: options.quick,
        runs: options.runs,
        sizes: options.sizes,
        processors,
        memory_bytes,
        load_before: procfs::load(),
        seconds: 0,
        outcomes: Vec::new(),
    };
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir()?;
    open_to_others(folder.path())?;
    let databases = Databases::start(folder.path()).await?;
    if !databases.counts_statements {
        say("pg_stat_statements is not installed: SQL statements are not counted");
    }
    let mut bench = Bench { options, databases, folder };
    report.outcomes = jobs::all(&mut bench).await;
    report.seconds = began.elapsed().as_secs();
    report.print();
    report.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench"))?;
    let failed = report.outcomes.iter().any(|one| one.met == Some(false) && one.value.is_none());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The database runs as another account when we are root, and must be able to pass through.
fn open_to_others(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))?)
}

/// One line about what is going on.
pub fn say(text: impl AsRef<str>) {
    eprintln!("[{} load {:.1}] {}", chrono::Utc::now().format("%H:%M:%S"), procfs::load(), text.as_ref());
}

/// Says an outcome as soon as it is there.
pub fn told(outcome: Outcome) -> Outcome {
    say(format!("{} {}: {} (goal: {})", outcome.id, outcome.job, outcome.measured, outcome.goal));
    outcome
}

fn commit() -> String {
    let words = ["describe", "--always", "--dirty", "--abbrev=10"];
    let output = Command::new("git").args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
