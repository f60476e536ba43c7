//! The outcomes so far: every goal has a line in the end, whatever became of its job.

use anyhow::{Error, Result};

use crate::arguments::Options;
use crate::bench::say;
use crate::report::Outcome;

/// Each goal: its letters, its job, and what is to be reached.
const GOALS: [(&str, &str, &str); 13] = [
    ("A1", "initial sync", "at most 1.5 x the floor"),
    ("A4", "the same from a slow source", "at most 1.05 x the waiting"),
    ("A5", "killed at 90 %, resumed", "at most 0.15 of a full run"),
    ("B1", "a day of changes", "at most 2 x the floor"),
    ("B2", "nothing new", "at most 10 SQL statements"),
    ("C1", "mixed files, disk to disk", "at most 1.10 x the faster of curl and rclone"),
    ("C3", "files of 20 KB", "at least 0.8 x curl --parallel"),
    ("E1", "updates page", "p99 at most 50 ms"),
    ("E2", "growth of the page", "exponent at most 0.15"),
    ("F1", "options page", "at least 0.10 x nginx; p95 at most 25 ms"),
    ("F2", "options save", "p95 at most 2 x the bare transaction"),
    ("M", "peak memory", "40, 128 and 64 MB"),
    ("S", "cold start to the first page", "at most 1 s"),
];

/// What jobs brought.
pub struct Outcomes {
    options: Options,
    all: Vec<Outcome>,
}

impl Outcomes {
    pub fn new(options: &Options) -> Self {
        Self { options: options.clone(), all: Vec::new() }
    }

    /// Takes what a job brought for these goals.
    pub fn take(&mut self, ids: &[&str], done: Result<Vec<Outcome>>) {
        match done {
            Ok(brought) => self.all.extend(brought),
            Err(error) => self.fail(ids, &error),
        }
    }

    /// A job of these goals failed.
    pub fn fail(&mut self, ids: &[&str], error: &Error) {
        say(format!("{} FAILED: {error:#}", ids.join(", ")));
        for (id, job, goal) in GOALS {
            if ids.contains(&id) && self.options.wants(&[id]) {
                self.all.push(Outcome::failed(id, job, goal, format!("{error:#}")));
            }
        }
    }

    /// Sorted by goal; those that were asked for and have no outcome are named, too.
    pub fn complete(mut self) -> Vec<Outcome> {
        for (id, job, goal) in GOALS {
            let is_there = self.all.iter().any(|one| one.id.split(' ').next() == Some(id));
            if self.options.wants(&[id]) && !is_there {
                self.all.push(Outcome::skipped(id, job, goal, "a job before it failed"));
            }
        }
        self.all.retain(|one| self.options.wants(&one.id.split(' ').take(1).collect::<Vec<_>>()));
        self.all.sort_by_key(|one| one.id);
        self.all
    }
}
