//! What this program is asked to be.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{floor, upstream};

const USAGE: &str =
    "cargo bench --bench weir -- [--quick] [--only A1,B2] [--runs N] [--sizes 10000,100000,500000]

  --quick   smaller catalogues and few files: under two minutes
  --only    the jobs to measure, by the letters of their goals
  --runs    how often each is measured (odd; 5, with --quick 3)
  --sizes   three catalogues, in revisions; the one in the middle is the one most jobs use";

/// One of five programs.
pub enum Role {
    KeepDatabase(PathBuf),
    Upstream(upstream::What),
    Floor(floor::What),
    FloorOfFiles(floor::files::What),
    Bench(Options),
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    pub quick: bool,
    /// Empty: everything.
    pub only: BTreeSet<String>,
    /// Runs of each job; odd, so that the median is one of them.
    pub runs: usize,
    /// Revisions of the small, the usual and the large catalogue.
    pub sizes: [usize; 3],
}

impl Options {
    /// Is one of these jobs to be measured?
    pub fn wants(&self, ids: &[&str]) -> bool {
        self.only.is_empty() || ids.iter().any(|id| self.only.contains(*id))
    }
}

/// Reads the command line.
pub fn read() -> Result<Role> {
    // `cargo bench` says what it is running.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench").peekable();
    match words.peek().map(String::as_str) {
        Some("keep-database") => Ok(Role::KeepDatabase(words.nth(1).context("a data folder")?.into())),
        Some("upstream") => upstream::What::read(words.skip(1)).map(Role::Upstream),
        Some("floor") => floor::What::read(words.skip(1)).map(Role::Floor),
        Some("floor-files") => floor::files::What::read(words.skip(1)).map(Role::FloorOfFiles),
        _ => bench_options(words).map(Role::Bench),
    }
}

fn bench_options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let (mut quick, mut only, mut runs, mut sizes) = (false, BTreeSet::new(), None, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n\n{USAGE}"));
        match word.as_str() {
            "--quick" => quick = true,
            "--only" => only.extend(value()?.split(',').map(str::to_ascii_uppercase)),
            "--runs" => runs = Some(value()?.parse::<usize>()?),
            "--sizes" => {
                let numbers: Vec<usize> = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
                sizes = Some(numbers.try_into().ok().context("three sizes")?);
            }
            _ => bail!("{USAGE}"),
        }
    }
    let runs = runs.unwrap_or(if quick { 3 } else { 5 });
    if runs % 2 == 0 {
        bail!("an even number of runs has no middle\n\n{USAGE}");
    }
    let sizes = sizes.unwrap_or(if quick { [300, 800, 2_400] } else { [10_000, 100_000, 500_000] });
    Ok(Options { quick, only, runs, sizes })
}
