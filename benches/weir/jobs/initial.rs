//! A1: everything there is, into an empty database. Weir and the floor take turns.

use anyhow::Result;
use serde_json::json;

use crate::bench::{say, told};
use crate::measure::{Usage, exponent, median};
use crate::report::{Limit, Outcome};
use crate::stage::Stage;
use crate::upstream::State;

const MEBIBYTE: f64 = (1 << 20) as f64;
/// Highest memory of the process while it copies the usual catalogue.
const PEAK_MAX_MIB: f64 = 128.0;
/// The same for the large catalogue, to that.
const PEAK_GROWTH_MAX: f64 = 1.15;

/// What was measured at one size.
pub struct Initial {
    pub size: usize,
    pub weir: Vec<Usage>,
    pub floor: Vec<Usage>,
    /// Seconds from the beginning to the end of Weir's runs, as their rows say.
    pub runs: Vec<f64>,
    /// The same of the floor's, from the first call to the last commit.
    floor_runs: Vec<f64>,
    /// Where the time of Weir's database went in the last turn.
    slowest: Vec<(f64, i64, String)>,
    upstream: State,
    load: f64,
}

/// Measures in turns, and leaves both copies of the last turn.
pub async fn measure(stage: &mut Stage<'_>, turns: usize) -> Result<Initial> {
    let mut initial = Initial {
        size: stage.size,
        weir: Vec::new(),
        floor: Vec::new(),
        runs: Vec::new(),
        floor_runs: Vec::new(),
        slowest: Vec::new(),
        upstream: stage.upstream.state().await?,
        load: crate::procfs::load(),
    };
    for turn in 1..=turns {
        stage.empty().await?;
        let (weir, synced) = stage.weir().await?;
        initial.slowest = stage.slowest().await?;
        let (floor, done) = stage.floor().await?;
        say(format!(
            "A1 {} revisions, turn {turn}: Weir {:.1} s (CPU {:.1} + {:.1}), floor {:.1} s (CPU {:.1} + {:.1})",
            initial.upstream.revisions,
            weir.wall,
            weir.cpu,
            weir.database_cpu,
            floor.wall,
            floor.cpu,
            floor.database_cpu
        ));
        initial.runs.push(synced.duration_ms / 1e3);
        initial.weir.push(weir);
        initial.floor.push(floor);
        initial.floor_runs.push(done.seconds);
    }
    Ok(initial)
}

impl Initial {
    /// Median CPU seconds of Weir and of its database.
    pub fn cpu(&self) -> f64 {
        median(self.weir.iter().map(|one| one.cpu + one.database_cpu))
    }

    /// Median seconds of Weir's runs.
    pub fn seconds(&self) -> f64 {
        median(self.runs.iter().copied())
    }

    fn floor_cpu(&self) -> f64 {
        median(self.floor.iter().map(|one| one.cpu + one.database_cpu))
    }

    fn peak_mib(&self) -> f64 {
        median(self.weir.iter().map(|one| one.peak_bytes as f64)) / MEBIBYTE
    }

    pub fn outcome(&self) -> Outcome {
        // Turn by turn, so that what else the machine does meets both.
        let turns = self.weir.iter().zip(&self.floor);
        let ratio = median(turns.map(|(weir, floor)| weir.wall / floor.wall));
        let measured = format!(
            "{ratio:.2} x ({:.1} s to {:.1} s; CPU {:.1} to {:.1} s)",
            median(self.weir.iter().map(|one| one.wall)),
            median(self.floor.iter().map(|one| one.wall)),
            self.cpu(),
            self.floor_cpu()
        );
        let job = format!("initial sync of {} revisions", self.upstream.revisions);
        let goal = ("at most 1.5 x the floor", Limit::AtMost(1.5));
        told(Outcome::new("A1", job, goal, (ratio, measured), self.details()))
    }

    fn details(&self) -> serde_json::Value {
        json!({
            "weir": self.weir, "floor": self.floor, "run_seconds": self.runs,
            "floor_seconds": self.floor_runs, "database_ms": self.slowest, "upstream": self.upstream,
            "load_before": self.load, "cabinets": "LZX, verbatim blocks; one in a hundred MSZIP",
        })
    }
}

/// M: the memory of Weir's process over the sizes. The usual size is first.
pub fn memory(initials: &[Initial]) -> Vec<Outcome> {
    let Some(usual) = initials.first() else { return Vec::new() };
    let peaks: Vec<_> =
        initials.iter().map(|one| json!({ "size": one.size, "mib": one.peak_mib() })).collect();
    let peak = usual.peak_mib();
    let mut outcomes = vec![told(Outcome::new(
        "M sync",
        format!("peak memory while {} revisions come", usual.upstream.revisions),
        ("at most 128 MB", Limit::AtMost(PEAK_MAX_MIB)),
        (peak, format!("{peak:.1} MB")),
        json!({ "peaks": peaks }),
    ))];
    if let Some(large) = initials.iter().max_by_key(|one| one.size).filter(|one| one.size > usual.size) {
        let ratio = large.peak_mib() / peak;
        let walls: Vec<(f64, f64)> = initials.iter().map(|one| (one.size as f64, one.seconds())).collect();
        outcomes.push(told(Outcome::new(
            "M large",
            format!("the same at {} revisions", large.upstream.revisions),
            ("at most 1.15 x that", Limit::AtMost(PEAK_GROWTH_MAX)),
            (ratio, format!("{ratio:.2} x ({:.1} MB)", large.peak_mib())),
            json!({ "initial_sync_exponent": exponent(&walls), "sizes": large.details() }),
        )));
    }
    outcomes
}
