//! S and M: a server that starts, and one that has nothing to do.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::loaded::Loaded;
use crate::bench::{Bench, told};
use crate::measure::median;
use crate::report::{Limit, Outcome};
use crate::server::Server;

const MEBIBYTE: f64 = (1 << 20) as f64;
/// What every server has done within this time after its start, it does.
const SETTLED: Duration = Duration::from_secs(5);
const QUICKLY_SETTLED: Duration = Duration::from_secs(2);

/// From nothing, the database included, to the list of updates.
pub async fn first_page(bench: &mut Bench, loaded: &Loaded) -> Result<Outcome> {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.runs {
        bench.databases.rest().await?;
        let mut server = Server::start(None, &loaded.data_dir)?;
        cold.push(server.first_page(&loaded.sessions[0], "/updates").await?);
        bench.databases.wake().await?;
        drop(server);
        let mut server = Server::start(Some(&loaded.url), &loaded.data_dir)?;
        warm.push(server.first_page(&loaded.sessions[0], "/updates").await?);
    }
    let (seconds, beside) = (median(cold.iter().copied()), median(warm.iter().copied()));
    Ok(told(Outcome::new(
        "S",
        format!("cold start to the first page of {}", loaded.size),
        ("at most 1 s", Limit::AtMost(1.0)),
        (seconds, format!("{seconds:.2} s with the database's start; {beside:.2} s beside a running one")),
        json!({ "with_database": cold, "beside_a_running_one": warm }),
    )))
}

/// Memory of a server that nobody visits.
pub async fn idle(bench: &Bench, loaded: &Loaded) -> Result<Outcome> {
    let mut peaks = Vec::new();
    for _ in 0..bench.options.runs.min(3) {
        let mut server = Server::start(Some(&loaded.url), &loaded.data_dir)?;
        server.first_page(&loaded.sessions[0], "/").await?;
        tokio::time::sleep(if bench.options.quick { QUICKLY_SETTLED } else { SETTLED }).await;
        peaks.push(server.peak_bytes()? as f64 / MEBIBYTE);
    }
    let peak = median(peaks.iter().copied());
    Ok(told(Outcome::new(
        "M idle",
        "peak memory of an idle server",
        ("at most 40 MB", Limit::AtMost(40.0)),
        (peak, format!("{peak:.1} MB")),
        json!(peaks),
    )))
}
