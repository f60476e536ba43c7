//! The last synchronizations as a picture drawn by the server, with the same in words and as a table.

use crate::web::synchronizations::RunView;
use crate::web::words::{counted, grouped};

/// Measures of the picture, in its own units.
const HEIGHT: i64 = 100;
const STEP: i64 = 20;
const GAP: i64 = 4;
/// What a run that brought nothing is still seen as.
const BAR_MIN: i64 = 2;

/// The picture.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub bars: Vec<Bar>,
    /// Width in units; the height is always 100.
    pub width: i64,
    /// What the picture says.
    pub words: String,
}

/// One run in it.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub run: RunView,
    pub failed: bool,
    pub x: i64,
    pub y: i64,
    pub width: i64,
    pub height: i64,
    /// The cross of a failed run, as an SVG path.
    pub cross: String,
}

impl History {
    /// `runs`, oldest first, each with its number of new updates.
    pub fn new(runs: Vec<(i64, RunView)>) -> Self {
        let most = runs.iter().map(|(new, _)| *new).max().unwrap_or(0).max(1);
        let words = words(&runs);
        let width = runs.len() as i64 * STEP;
        let bars = runs.into_iter().enumerate().map(|(at, (new, run))| bar(at as i64, new, most, run));
        Self { bars: bars.collect(), width, words }
    }
}

fn bar(at: i64, new: i64, most: i64, run: RunView) -> Bar {
    let failed = run.kind == "bad";
    let height = if failed { HEIGHT } else { (new.max(0) * HEIGHT / most).clamp(BAR_MIN, HEIGHT) };
    let (x, width) = (at * STEP + GAP / 2, STEP - GAP);
    let (left, right) = (x + 3, x + width - 3);
    Bar {
        cross: if failed { format!("M{left} 40 {right} 60M{right} 40 {left} 60") } else { String::new() },
        y: HEIGHT - height,
        failed,
        x,
        width,
        height,
        run,
    }
}

fn words(runs: &[(i64, RunView)]) -> String {
    let count = |kind: &str| runs.iter().filter(|(_, run)| run.kind == kind).count() as i64;
    let all = counted(runs.len() as i64, "synchronization", "synchronizations");
    let (sum, most) = runs.iter().fold((0, 0), |(sum, most), (new, _)| (sum + new, (*new).max(most)));
    format!(
        "{all}: {} successful, {} failed. New updates: {} in all, {} at most in one.",
        grouped(runs.iter().filter(|(_, run)| run.word.starts_with("Success")).count() as i64),
        grouped(count("bad")),
        grouped(sum),
        grouped(most),
    )
}
