//! What is measured, a file for each kind of job.

mod again;
mod initial;
mod interrupted;
mod loaded;
mod options;
mod pages;
mod slow;
mod start;

use anyhow::Result;

use crate::bench::{Bench, say};
use crate::report::Outcome;
use crate::stage::Stage;

/// Everything that was asked for.
pub async fn all(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    if bench.options.wants(&["A1", "A4", "A5", "B1", "B2", "M"]) {
        outcomes.extend(synchronizations(bench).await?);
    }
    if bench.options.wants(&["E1", "E2", "F1", "F2", "M", "S"]) {
        outcomes.extend(console(bench).await?);
    }
    if bench.options.wants(&["C1", "C3"]) {
        let why = "the tests of the store measure it against curl and rclone";
        outcomes.push(Outcome::skipped(
            "C1",
            "2 GiB of mixed files",
            "at most 1.10 x the faster opponent",
            why,
        ));
        outcomes.push(Outcome::skipped(
            "C3",
            "10,000 files of 20 KB",
            "at least 0.8 x of curl --parallel",
            why,
        ));
    }
    outcomes.sort_by_key(|one| one.id);
    Ok(outcomes)
}

/// The jobs that need a console: a large list of updates, and the options.
async fn console(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let [small, usual, large] = bench.options.sizes;
    let mut outcomes = Vec::new();
    let mut lists = Vec::new();
    if bench.options.wants(&["E1", "E2"]) {
        for size in [small, usual] {
            lists.push(pages::measure(bench, loaded::load(bench, size).await?).await?);
            bench.databases.remove(&loaded::name(bench, size)).await?;
        }
    }
    let largest = loaded::load(bench, large).await?;
    if bench.options.wants(&["M"]) {
        outcomes.push(start::idle(bench, &largest).await?);
    }
    if bench.options.wants(&["F1"]) {
        outcomes.push(options::reading(bench, &largest).await?);
    }
    if bench.options.wants(&["F2"]) {
        outcomes.push(options::saving(bench, &largest).await?);
    }
    if bench.options.wants(&["S"]) {
        outcomes.push(start::first_page(bench, &largest).await?);
    }
    if bench.options.wants(&["E1", "E2"]) {
        lists.push(pages::measure(bench, largest).await?);
        outcomes.extend(pages::outcomes(&lists));
    }
    Ok(outcomes)
}

/// The jobs that need an update server.
async fn synchronizations(bench: &Bench) -> Result<Vec<Outcome>> {
    let options = &bench.options;
    let [small, usual, large] = options.sizes;
    let mut outcomes = Vec::new();
    let mut initials = Vec::new();
    let mut agains = Vec::new();
    let mut sizes = vec![(usual, options.runs)];
    if options.wants(&["B1", "B2", "M"]) {
        sizes.extend([(small, 1), (large, 1)]);
    }
    for (size, runs) in sizes {
        say(format!("making a catalogue of about {size} revisions"));
        let mut stage = Stage::open(&bench.databases, bench.folder.path(), size).await?;
        let initial = initial::measure(&mut stage, runs).await?;
        if options.wants(&["B1", "B2"]) {
            agains.push(again::measure(bench, &mut stage).await?);
        }
        if size == usual {
            if options.wants(&["A1"]) {
                outcomes.push(initial.outcome());
            }
            if options.wants(&["A5"]) {
                outcomes.push(interrupted::measure(bench, &mut stage, &initial).await?);
            }
            if options.wants(&["A4"]) {
                outcomes.push(slow::measure(bench, &mut stage).await?);
            }
        }
        initials.push(initial);
        stage.close().await?;
    }
    if options.wants(&["B1"]) {
        outcomes.extend(again::new_outcomes(&agains));
    }
    if options.wants(&["B2"]) {
        outcomes.extend(again::nothing_outcomes(&agains, &initials));
    }
    if options.wants(&["M"]) {
        outcomes.extend(initial::memory(&initials));
    }
    Ok(outcomes)
}
