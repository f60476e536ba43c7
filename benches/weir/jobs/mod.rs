//! What is measured, a file for each kind of job.

mod again;
mod files;
mod initial;
mod interrupted;
mod loaded;
mod options;
mod outcomes;
mod pages;
mod slow;
mod start;

use anyhow::Result;

use crate::bench::{Bench, say};
use crate::report::Outcome;
use crate::stage::Stage;
use again::Again;
use initial::Initial;
use outcomes::Outcomes;

/// Everything that was asked for. A job that fails has a line that says so, and the others go on.
pub async fn all(bench: &mut Bench) -> Vec<Outcome> {
    let mut outcomes = Outcomes::new(&bench.options);
    if bench.options.wants(&["C3"]) {
        outcomes.take(&["C3"], files::small(bench).await.map(|one| vec![one]));
    }
    if bench.options.wants(&["C1", "M"]) {
        outcomes.take(&["C1"], files::mixed(bench).await);
    }
    if bench.options.wants(&["A1", "A4", "A5", "B1", "B2", "M"]) {
        synchronizations(bench, &mut outcomes).await;
    }
    if bench.options.wants(&["E1", "E2"]) {
        let [small, usual, _] = bench.options.sizes;
        let mut lists = Vec::new();
        for size in [small, usual] {
            match list(bench, size).await {
                Ok(one) => lists.push(one),
                Err(error) => outcomes.fail(&["E2"], &error),
            }
        }
        console(bench, lists, &mut outcomes).await;
    } else if bench.options.wants(&["F1", "F2", "M", "S"]) {
        console(bench, Vec::new(), &mut outcomes).await;
    }
    outcomes.complete()
}

/// The list of updates at a size that no other job needs.
async fn list(bench: &Bench, size: usize) -> Result<pages::Lists> {
    let lists = pages::measure(bench, &loaded::load(bench, size).await?).await?;
    bench.databases.remove(&loaded::name(bench, size)).await?;
    Ok(lists)
}

/// The jobs that need a console on the large catalogue. `lists`: the list of updates at the smaller sizes.
async fn console(bench: &mut Bench, mut lists: Vec<pages::Lists>, outcomes: &mut Outcomes) {
    let largest = match loaded::load(bench, bench.options.sizes[2]).await {
        Ok(loaded) => loaded,
        Err(error) => return outcomes.fail(&["E1", "E2", "F1", "F2", "M", "S"], &error),
    };
    if bench.options.wants(&["M"]) {
        outcomes.take(&["M"], start::idle(bench, &largest).await.map(|one| vec![one]));
    }
    if bench.options.wants(&["F1"]) {
        outcomes.take(&["F1"], options::reading(bench, &largest).await.map(|one| vec![one]));
    }
    if bench.options.wants(&["F2"]) {
        outcomes.take(&["F2"], options::saving(bench, &largest).await.map(|one| vec![one]));
    }
    if bench.options.wants(&["S"]) {
        outcomes.take(&["S"], start::first_page(bench, &largest).await.map(|one| vec![one]));
    }
    if bench.options.wants(&["E1", "E2"]) {
        let measured = pages::measure(bench, &largest).await.map(|one| {
            lists.push(one);
            pages::outcomes(&lists)
        });
        outcomes.take(&["E1", "E2"], measured);
    }
}

/// What was measured of synchronizations, a value for each size.
#[derive(Default)]
struct Copies {
    initials: Vec<Initial>,
    agains: Vec<Again>,
}

/// The jobs that need an update server.
async fn synchronizations(bench: &Bench, outcomes: &mut Outcomes) {
    let [small, usual, large] = bench.options.sizes;
    let mut copies = Copies::default();
    let mut sizes = vec![(usual, bench.options.runs)];
    if bench.options.wants(&["B1", "B2", "M"]) {
        sizes.extend([(small, 1), (large, 1)]);
    }
    for (size, runs) in &sizes {
        if let Err(error) = copy(bench, *size, *runs, &mut copies, outcomes).await {
            outcomes.fail(&["B1", "B2", "M"], &error);
            if *size == usual {
                return outcomes.fail(&["A1", "A4", "A5"], &error);
            }
        }
    }
    if bench.options.wants(&["B1"]) && copies.agains.len() == sizes.len() {
        outcomes.take(&["B1"], Ok(again::new_outcomes(&copies.agains)));
    }
    if bench.options.wants(&["B2"]) && copies.agains.len() == sizes.len() {
        outcomes.take(&["B2"], Ok(again::nothing_outcomes(&copies.agains, &copies.initials)));
    }
    if bench.options.wants(&["M"]) {
        outcomes.take(&["M"], Ok(initial::memory(&copies.initials)));
    }
}

/// The jobs of one size.
async fn copy(
    bench: &Bench,
    size: usize,
    runs: usize,
    copies: &mut Copies,
    outcomes: &mut Outcomes,
) -> Result<()> {
    let options = &bench.options;
    say(format!("making a catalogue of about {size} revisions"));
    let mut stage = Stage::open(&bench.databases, bench.folder.path(), size).await?;
    let initial = initial::measure(&mut stage, runs).await?;
    if size == options.sizes[1] && options.wants(&["A1"]) {
        outcomes.take(&["A1"], Ok(vec![initial.outcome()]));
    }
    if options.wants(&["B1", "B2"]) {
        match again::measure(bench, &mut stage).await {
            Ok(again) => copies.agains.push(again),
            Err(error) => outcomes.fail(&["B1", "B2"], &error),
        }
    }
    if size == options.sizes[1] && options.wants(&["A5"]) {
        let measured = interrupted::measure(bench, &mut stage, &initial).await;
        outcomes.take(&["A5"], measured.map(|one| vec![one]));
    }
    if size == options.sizes[1] && options.wants(&["A4"]) {
        outcomes.take(&["A4"], slow::measure(bench, &mut stage).await.map(|one| vec![one]));
    }
    copies.initials.push(initial);
    stage.close().await
}
