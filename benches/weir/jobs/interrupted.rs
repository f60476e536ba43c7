//! A5: a run that is killed near its end, and the one that goes on from it.

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::runtime::Handle;

use super::initial::Initial;
use crate::bench::{Bench, say, told};
use crate::measure::median;
use crate::report::{Limit, Outcome};
use crate::stage::Stage;

/// The share of the revisions that is stored when the process is killed.
const KILLED_AT: f64 = 0.9;

/// Each costs a full run and more, so there are no more than these.
const KILLS_MAX: usize = 3;
/// Revisions that may be under way, or not committed yet, at any moment.
const UNDER_WAY_MAX: f64 = 1_000.0;

/// Kills and goes on.
pub async fn measure(bench: &Bench, stage: &mut Stage<'_>, initial: &Initial) -> Result<Outcome> {
    let held = stage.upstream.state().await?.revisions as f64;
    let mut seconds = Vec::new();
    let mut usages = Vec::new();
    for _ in 0..bench.options.runs.min(KILLS_MAX) {
        stage.empty().await?;
        let client = weir::db::open_client(&stage.database()?).await?;
        let ended = tokio::task::block_in_place(|| {
            let mut running = stage.start()?;
            let ended = running.watch(|| {
                let asking = client.query_one("SELECT last_value FROM revisions_id_seq", &[]);
                let row = Handle::current().block_on(asking);
                row.is_ok_and(|row| row.get::<_, i64>(0) as f64 >= held * KILLED_AT)
            });
            if !ended {
                running.kill()?;
            }
            anyhow::Ok(ended)
        })?;
        ensure!(!ended, "the run ended before it could be killed");
        let before = stage.upstream.state().await?;
        let (usage, synced) = stage.weir().await?;
        let again = stage.upstream.state().await?.sent - before.sent;
        let most = (held * (1.0 - KILLED_AT) + UNDER_WAY_MAX).min(held);
        ensure!((again as f64) < most, "{again} revisions were fetched again");
        say(format!("A5: going on took {:.1} s, {again} revisions were fetched", usage.wall));
        seconds.push(synced.duration_ms / 1e3);
        usages.push(usage);
    }
    let full = initial.seconds();
    let ratio = median(seconds.iter().copied()) / full;
    let measured = format!("{ratio:.2} ({:.1} s of {full:.1} s)", median(seconds.iter().copied()));
    Ok(told(Outcome::new(
        "A5",
        format!("killed at 90 % of {held} revisions, resumed"),
        ("at most 0.15 of a full run", Limit::AtMost(0.15)),
        (ratio, measured),
        json!({ "run_seconds": seconds, "weir": usages }),
    )))
}
