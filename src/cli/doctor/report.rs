//! How the result of a check is told: a line at once, or one JSON object at the end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::settings::SyncOptions;
use crate::upstream::probe::{Outcome, Step};

/// The result of one check.
pub(super) struct Check {
    /// For programs.
    name: Value,
    title: &'static str,
    outcome: Outcome,
    took: Duration,
}

impl Check {
    pub fn new(name: &'static str, title: &'static str, outcome: Outcome, took: Duration) -> Self {
        Self { name: json!(name), title, outcome, took }
    }

    /// A step of the test of the connection.
    pub fn of(step: &Step) -> Self {
        let name = json!(step.station);
        Self { name, title: step.station.title(), outcome: step.outcome.clone(), took: step.took }
    }
}

/// Everything found so far.
pub(super) struct Report {
    json: bool,
    source: Option<String>,
    proxy: Option<String>,
    checks: Vec<Value>,
    ok: bool,
}

impl Report {
    pub fn new(json: bool) -> Self {
        Self { json, source: None, proxy: None, checks: Vec::new(), ok: true }
    }

    /// Which way is tested.
    pub fn about(&mut self, options: &SyncOptions) {
        let proxy = &options.proxy;
        self.source = Some(options.source.shown());
        self.proxy = proxy.enabled.then(|| format!("{}:{}", proxy.server, proxy.port));
        if !self.json {
            let through = self.proxy.as_ref().map(|proxy| format!(" through {proxy}")).unwrap_or_default();
            println!("Update source: {}{through}", options.source.shown());
        }
    }

    pub fn add(&mut self, check: Check) {
        let (mark, result, text, advice) = match &check.outcome {
            Outcome::Passed { text } => ("ok  ", "passed", text, ""),
            Outcome::Noted { text } => ("note", "noted", text, ""),
            Outcome::Failed { text, advice } => ("FAIL", "failed", text, advice.as_str()),
        };
        self.ok &= result != "failed";
        let ms = u64::try_from(check.took.as_millis()).unwrap_or(u64::MAX);
        if self.json {
            let mut value = json!({ "check": check.name, "result": result, "text": text, "ms": ms });
            if !advice.is_empty() {
                value["advice"] = json!(advice);
            }
            self.checks.push(value);
            return;
        }
        println!("{mark}  {}: {text} ({ms} ms)", check.title);
        if !advice.is_empty() {
            println!("      {advice}");
        }
    }

    /// Tells the end; the answer is whether nothing failed.
    pub fn finish(self) -> bool {
        if self.json {
            let report =
                json!({ "ok": self.ok, "source": self.source, "proxy": self.proxy, "checks": self.checks });
            println!("{report}");
        } else if self.ok {
            println!("Everything works.");
        } else {
            println!("Something does not work; see the lines that begin with FAIL.");
        }
        self.ok
    }
}
