//! One process from its start to its end: what it took.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::databases::Databases;
use crate::procfs;

/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// What a job took. Times in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Usage {
    pub wall: f64,
    /// User and system time of the process.
    pub cpu: f64,
    /// The same of PostgreSQL's processes meanwhile.
    pub database_cpu: f64,
    /// Highest memory of the process, in bytes.
    pub peak_bytes: u64,
}

/// A process that is being measured.
pub struct Measured<'a> {
    child: Child,
    databases: &'a Databases,
    began: Instant,
    database_cpu: Duration,
    peak_bytes: u64,
}

impl<'a> Measured<'a> {
    /// Starts it, after the database has written what it had to write.
    pub fn start(mut command: Command, databases: &'a Databases) -> Result<Self> {
        databases.settle()?;
        let database_cpu = databases.cpu();
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let child = child.with_context(|| format!("{command:?} could not be started"))?;
        Ok(Self { child, databases, began, database_cpu, peak_bytes: 0 })
    }

    /// Looks at it until it has ended, or until `enough` says so; true when it has ended.
    pub fn watch(&mut self, mut enough: impl FnMut() -> bool) -> bool {
        loop {
            let ended = match procfs::stat(self.child.id()) {
                Some(stat) => stat.state == 'Z',
                None => true,
            };
            if ended || enough() {
                return ended;
            }
            self.peak_bytes = self.peak_bytes.max(procfs::peak_bytes(self.child.id()).unwrap_or(0));
            sleep(LOOK_EVERY);
        }
    }

    /// As a power cut would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for its good end; answers with what it took and what it said.
    pub fn finish(mut self) -> Result<(Usage, String)> {
        self.watch(|| false);
        let wall = self.began.elapsed();
        // It has ended and nobody has asked how: its times can still be read.
        let cpu = procfs::stat(self.child.id()).map(|stat| stat.own).unwrap_or_default();
        let status = self.child.wait()?;
        let mut said = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut said)?;
        }
        ensure!(status.success(), "a measured program ended with {status}: {said}");
        let usage = Usage {
            wall: wall.as_secs_f64(),
            cpu: cpu.as_secs_f64(),
            database_cpu: self.databases.cpu().saturating_sub(self.database_cpu).as_secs_f64(),
            peak_bytes: self.peak_bytes,
        };
        Ok((usage, said))
    }
}

/// The one in the middle; zero of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 50)
}

/// The value that so many of a hundred are not above; zero of none.
pub fn percentile(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let place = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(place).copied().unwrap_or(0.0)
}

/// How a time grows with a size: the slope of the line through their logarithms.
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.max(1e-6).ln())).collect();
    let count = logs.len() as f64;
    let (mean_x, mean_y) =
        (logs.iter().map(|(x, _)| x).sum::<f64>() / count, logs.iter().map(|(_, y)| y).sum::<f64>() / count);
    let above: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let below: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    above / below
}
