//! What was measured: a table for people, JSON for programs, and one line for the history.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

/// One goal and what was measured for it.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub id: &'static str,
    pub job: String,
    /// In words, such as `at most 1.5 x the floor`.
    pub goal: String,
    /// In words, such as `1.32 x (18.2 s to 13.8 s)`.
    pub measured: String,
    /// The figure that the goal limits.
    pub value: Option<f64>,
    /// `None`: not measured, or no goal.
    pub met: Option<bool>,
    /// Machine load when it was taken.
    pub load: f64,
    pub details: Value,
}

/// Which side of a limit is good.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Outcome {
    /// A figure with its limit.
    pub fn new(
        id: &'static str,
        job: impl Into<String>,
        (goal, limit): (&str, Limit),
        (value, measured): (f64, String),
        details: Value,
    ) -> Self {
        let met = match limit {
            Limit::AtMost(most) => value <= most,
            Limit::AtLeast(least) => value >= least,
        };
        let load = crate::procfs::load();
        let (job, goal) = (job.into(), goal.to_owned());
        Self { id, job, goal, measured, value: Some(value), met: Some(met), load, details }
    }

    /// A goal whose job failed, and why.
    pub fn failed(id: &'static str, job: impl Into<String>, goal: &str, why: String) -> Self {
        Self { measured: format!("failed: {why}"), met: Some(false), ..Self::skipped(id, job, goal, "") }
    }

    /// A goal that was not measured, and why.
    pub fn skipped(id: &'static str, job: impl Into<String>, goal: &str, why: impl Into<String>) -> Self {
        let (job, goal, measured) = (job.into(), goal.to_owned(), format!("not measured: {}", why.into()));
        let load = crate::procfs::load();
        Self { id, job, goal, measured, value: None, met: None, load, details: Value::Null }
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Begin, in UTC.
    pub at: String,
    /// The commit, where git can tell.
    pub commit: String,
    pub quick: bool,
    pub runs: usize,
    pub sizes: [usize; 3],
    pub processors: usize,
    pub memory_bytes: u64,
    pub load_before: f64,
    /// The whole bench took so long.
    pub seconds: u64,
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// The table.
    pub fn print(&self) {
        let width = |text: fn(&Outcome) -> &str, least: usize| {
            self.outcomes.iter().map(|one| text(one).chars().count()).max().unwrap_or(0).max(least)
        };
        let (job, goal) = (width(|one| &one.job, 3), width(|one| &one.goal, 4));
        println!("\n{:<9} {:<job$}  {:<goal$}  {:<6}  measured", "id", "job", "goal", "");
        for one in &self.outcomes {
            let met = match one.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "-",
            };
            println!("{:<9} {:<job$}  {:<goal$}  {met:<6}  {}", one.id, one.job, one.goal, one.measured);
        }
        println!(
            "\n{} processors, load {:.1} before; medians of {} runs; {} min {:02} s in all.",
            self.processors,
            self.load_before,
            self.runs,
            self.seconds / 60,
            self.seconds % 60
        );
    }

    /// Writes `report.json` whole, and adds a line to `history.jsonl`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("report.json"), serde_json::to_vec_pretty(self)?)?;
        let values: Value =
            self.outcomes.iter().filter_map(|one| Some((one.id.to_owned(), json!(one.value?)))).collect();
        let line = json!({
            "at": self.at, "commit": self.commit, "quick": self.quick, "load": self.load_before, "values": values,
        });
        let mut history = File::options().create(true).append(true).open(folder.join("history.jsonl"))?;
        writeln!(history, "{line}")?;
        println!("{} has the details.", folder.join("report.json").display());
        Ok(())
    }
}
