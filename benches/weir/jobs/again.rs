//! B1 and B2: a synchronization of a catalogue that is there already, with a day's changes and with nothing new.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use diesel_async::SimpleAsyncConnection;
use serde_json::json;
use weir::sample::ChangeCounts;
use weir::sync::runs::{self, RunState, Trigger};

use super::initial::Initial;
use crate::bench::{Bench, say, told};
use crate::databases::WATCHER;
use crate::measure::{Usage, exponent, median};
use crate::report::{Limit, Outcome};
use crate::server::Server;
use crate::stage::Stage;

/// A day; with what belongs to them about 500 revisions. A quick bench has days of a third.
const DAY: ChangeCounts = ChangeCounts { new: 200, revised: 25, expired: 15 };
const QUICK_DAY: ChangeCounts = ChangeCounts { new: 65, revised: 8, expired: 5 };
/// Words in statements of the queue and of the schedule's tick, which would be made without a synchronization, too: the
/// tick looks for any run that is at work, and for the last one.
const NOT_OF_THE_RUN: [&str; 6] = [
    "jobs",
    "instances",
    "pg_catalog",
    "schedule_",
    r#"FROM "sync_runs" WHERE ("sync_runs"."state" = ANY"#,
    r#"FROM "sync_runs" ORDER BY "sync_runs"."id" DESC"#,
];
/// For a server to have done what it does at its start.
const SETTLED: Duration = Duration::from_secs(2);

/// What was measured at one size.
pub struct Again {
    size: usize,
    new: Vec<New>,
    /// Processes with nothing to do, and seconds of their runs.
    nothing: Vec<(Usage, f64)>,
    /// Statements of one of them, each with how often it was executed.
    statements: Vec<(i64, String)>,
}

struct New {
    weir: Usage,
    run_seconds: f64,
    floor: Usage,
    floor_seconds: f64,
    revisions: u64,
}

/// Some runs with nothing new, then one a day. Both copies must be complete.
pub async fn measure(bench: &Bench, stage: &mut Stage<'_>) -> Result<Again> {
    let runs = bench.options.runs;
    let mut again = Again { size: stage.size, new: Vec::new(), nothing: Vec::new(), statements: Vec::new() };
    stage.tidy().await?;
    let before = stage.upstream.state().await?;
    if bench.databases.counts_statements {
        again.statements = statements(bench, stage).await?;
    }
    for _ in 0..runs {
        let (usage, synced) = stage.weir().await?;
        again.nothing.push((usage, synced.duration_ms / 1e3));
    }
    ensure!(
        stage.upstream.state().await?.batches == before.batches,
        "documents were fetched, with nothing new"
    );
    let changes = if bench.options.quick { QUICK_DAY } else { DAY };
    for day in 1..=u32::try_from(runs)? {
        let before = stage.upstream.state().await?;
        let after = stage.upstream.publish(day, changes).await?;
        let (weir, synced) = stage.weir().await?;
        let (floor, done) = stage.floor_again().await?;
        let revisions = after.revisions - before.revisions;
        ensure!(done.revisions == revisions, "the floor copied {} of {revisions} revisions", done.revisions);
        again.new.push(New {
            weir,
            run_seconds: synced.duration_ms / 1e3,
            floor,
            floor_seconds: done.seconds,
            revisions,
        });
    }
    say(format!(
        "at {} revisions: nothing new {:.3} s, {} new {:.2} s, floor {:.2} s",
        again.size,
        again.nothing_seconds(),
        again.new[0].revisions,
        again.new_seconds(),
        again.floor_seconds()
    ));
    Ok(again)
}

/// What a server asks its database in one run with nothing new.
async fn statements(bench: &Bench, stage: &Stage<'_>) -> Result<Vec<(i64, String)>> {
    let url = stage.database()?;
    let mut server = Server::start(Some(&url), &stage.data_dir())?;
    server.ready().await?;
    tokio::time::sleep(SETTLED).await;
    let pool = weir::db::connect(&url).await?;
    let mut conn = pool.get().await?;
    conn.batch_execute(&format!("SET ROLE {WATCHER}")).await?;
    bench.databases.forget_statements().await?;
    let run_id = runs::request(&mut conn, Trigger::Manual, "bench").await?.run_id;
    loop {
        let run = runs::get(&mut conn, run_id).await?.context("the run is there")?;
        if !run.state().is_active() {
            ensure!(run.state() == RunState::Succeeded, "the run ended badly: {:?}", run.error());
            return bench.databases.statements(&stage.database_name()).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Again {
    fn nothing_seconds(&self) -> f64 {
        median(self.nothing.iter().map(|(_, seconds)| *seconds))
    }

    fn nothing_cpu(&self) -> f64 {
        median(self.nothing.iter().map(|(usage, _)| usage.cpu + usage.database_cpu))
    }

    fn new_seconds(&self) -> f64 {
        median(self.new.iter().map(|one| one.run_seconds))
    }

    fn floor_seconds(&self) -> f64 {
        median(self.new.iter().map(|one| one.floor_seconds))
    }

    fn ratio(&self) -> f64 {
        median(self.new.iter().map(|one| one.run_seconds / one.floor_seconds))
    }

    /// Statements of the run itself.
    fn own_statements(&self) -> Vec<&(i64, String)> {
        let is_own = |sql: &str| !NOT_OF_THE_RUN.iter().any(|word| sql.contains(word));
        self.statements.iter().filter(|(_, sql)| is_own(sql)).collect()
    }
}

/// B1 at the worst of the sizes, and its growth.
pub fn new_outcomes(agains: &[Again]) -> Vec<Outcome> {
    let worst = agains.iter().map(Again::ratio).fold(0.0, f64::max);
    let each = agains.iter().map(|one| {
        format!(
            "{:.2} x at {} ({:.2} s to {:.2} s)",
            one.ratio(),
            one.size,
            one.new_seconds(),
            one.floor_seconds()
        )
    });
    let measured = each.collect::<Vec<_>>().join(", ");
    let details: Vec<_> = agains
        .iter()
        .map(|one| {
            json!({
                "size": one.size,
                "revisions": one.new.iter().map(|new| new.revisions).collect::<Vec<_>>(),
                "weir": one.new.iter().map(|new| new.weir).collect::<Vec<_>>(),
                "run_seconds": one.new.iter().map(|new| new.run_seconds).collect::<Vec<_>>(),
                "floor": one.new.iter().map(|new| new.floor).collect::<Vec<_>>(),
                "floor_seconds": one.new.iter().map(|new| new.floor_seconds).collect::<Vec<_>>(),
            })
        })
        .collect();
    let growth = growth(agains, Again::new_seconds);
    vec![
        told(Outcome::new(
            "B1",
            "a day of changes",
            ("at most 2 x the floor", Limit::AtMost(2.0)),
            (worst, measured),
            json!(details),
        )),
        told(Outcome::new(
            "B1 growth",
            "the same over catalogue size",
            ("exponent at most 0.10", Limit::AtMost(0.10)),
            (growth, format!("exponent {growth:.2}")),
            json!({ "floor": self::growth(agains, Again::floor_seconds) }),
        )),
    ]
}

/// B2: statements, cost against the initial run of the same size, growth.
pub fn nothing_outcomes(agains: &[Again], initials: &[Initial]) -> Vec<Outcome> {
    let Some((again, initial)) = agains.first().zip(initials.first()) else { return Vec::new() };
    let mut outcomes = Vec::new();
    let own = again.own_statements();
    let count: i64 = own.iter().map(|(calls, _)| calls).sum();
    let goal = "at most 10 SQL statements";
    outcomes.push(match again.statements.is_empty() {
        true => Outcome::skipped("B2", "nothing new", goal, "pg_stat_statements is not installed"),
        false => Outcome::new(
            "B2",
            "nothing new",
            (goal, Limit::AtMost(10.0)),
            (count as f64, format!("{count}, and no document fetched")),
            json!({ "of_the_run": own, "all": again.statements }),
        ),
    });
    let by_wall = initial.seconds() / again.nothing_seconds().max(1e-3);
    let by_cpu = initial.cpu() / again.nothing_cpu().max(0.01);
    let measured = format!(
        "{by_wall:.0} x ({:.0} ms to {:.1} s); CPU {by_cpu:.0} x with the start of the process",
        again.nothing_seconds() * 1e3,
        initial.seconds()
    );
    outcomes.push(Outcome::new(
        "B2 cost",
        format!("the same against the initial run of {}", again.size),
        ("at least 100 x cheaper", Limit::AtLeast(100.0)),
        (by_wall, measured),
        json!({ "runs": again.nothing, "by_cpu": by_cpu }),
    ));
    let growth = growth(agains, Again::nothing_seconds);
    let points: Vec<_> = agains.iter().map(|one| (one.size, one.nothing_seconds())).collect();
    outcomes.push(Outcome::new(
        "B2 growth",
        "the same over catalogue size",
        ("exponent at most 0.05", Limit::AtMost(0.05)),
        (growth, format!("exponent {growth:.2}")),
        json!(points),
    ));
    outcomes.into_iter().map(told).collect()
}

fn growth(agains: &[Again], seconds: fn(&Again) -> f64) -> f64 {
    let points: Vec<(f64, f64)> = agains.iter().map(|one| (one.size as f64, seconds(one))).collect();
    exponent(&points)
}
