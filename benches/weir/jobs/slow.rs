//! A4: an update source that takes its time for each batch. Then waiting should be all that it costs.

use anyhow::Result;
use serde_json::json;

use crate::bench::{Bench, told};
use crate::report::{Limit, Outcome};
use crate::stage::Stage;

/// What Microsoft Update was seen to take for a hundred revisions.
const LATENCY_MS: u64 = 1_400;
/// Calls that Weir makes at the same time.
const WORKERS: u64 = 4;

/// One run: with waiting in it, little else varies.
pub async fn measure(bench: &Bench, stage: &mut Stage<'_>) -> Result<Outcome> {
    // In a quick bench, a third of the time shows as much.
    let latency = if bench.options.quick { LATENCY_MS / 4 } else { LATENCY_MS };
    stage.empty().await?;
    let before = stage.upstream.latency(latency).await?;
    let (usage, synced) = stage.weir().await?;
    let batches = stage.upstream.latency(0).await?.batches - before.batches;
    let waiting = latency as f64 / 1e3 * batches.div_ceil(WORKERS) as f64;
    let seconds = synced.duration_ms / 1e3;
    let ratio = seconds / waiting;
    Ok(told(Outcome::new(
        "A4",
        format!("the same at {:.2} s per batch", latency as f64 / 1e3),
        ("at most 1.05 x the waiting", Limit::AtMost(1.05)),
        (ratio, format!("{ratio:.2} x ({seconds:.1} s to {waiting:.1} s, {batches} batches)")),
        json!({ "run_seconds": seconds, "weir": usage, "batches": batches }),
    )))
}
