//! F1 and F2: Synchronization Options, read by many and saved by one after the other.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio_postgres::Client;

use super::loaded::{Loaded, SESSIONS};
use crate::bench::{Bench, say, told};
use crate::http::Visitor;
use crate::measure::{median, percentile};
use crate::nginx::Nginx;
use crate::report::{Limit, Outcome};
use crate::server::Server;

const PAGE: &str = "/options/synchronization";
/// Between two pages of one person, where people have time.
const LOOKS: Duration = Duration::from_millis(1_000);
/// Saves of one turn.
const SAVES: usize = 40;

/// What the save changes in the end, without the page, its checks and its session: the same row, the same audit row.
const BARE_UPDATE: &str =
    "UPDATE sync_options SET version = version + 1, saved_at = now(), saved_by = 'bench',
    schedule_time = $1 WHERE version = $2";
const BARE_AUDIT: &str = "INSERT INTO audit (actor, action, object, before, after)
    VALUES ('bench', 'settings.save', 'synchronization options', $1, $2)";

/// Weir and nginx with the same bytes take turns; then people who read.
pub async fn reading(bench: &Bench, loaded: &Loaded) -> Result<Outcome> {
    let goal = "at least 0.10 x nginx; p95 at most 25 ms";
    let job = format!("options page, {SESSIONS} sessions");
    let Some(nginx) = Nginx::find() else {
        return Ok(told(Outcome::skipped("F1", job, goal, "nginx is not installed")));
    };
    let mut server = Server::start(Some(&loaded.url), &loaded.data_dir)?;
    server.first_page(&loaded.sessions[0], PAGE).await?;
    let mut visitor = Visitor::open(server.port, Some(&loaded.sessions[0])).await?;
    visitor.get(PAGE).await?;
    let bytes = visitor.body.len();
    let root = bench.folder.path().join("page");
    std::fs::create_dir_all(&root)?;
    std::fs::write(root.join("page"), &visitor.body)?;
    let nginx = nginx.serve(&root, &bench.folder.path().join("nginx-page")).await?;
    let span = Duration::from_millis(if bench.options.quick { 700 } else { 4_000 });
    let (mut own, mut floor, mut crowded, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    bench.databases.forget_statements().await?;
    for _ in 0..bench.options.runs {
        let computed = || (server.cpu() + bench.databases.cpu()).as_secs_f64();
        let before = computed();
        let times = crowd(server.port, PAGE, &loaded.sessions, span, Duration::ZERO).await?;
        cpu.push((computed() - before) * 1e3 / times.len() as f64);
        own.push(times.len() as f64 / span.as_secs_f64());
        crowded.extend(times);
        let times = crowd(nginx.port, "/page", &loaded.sessions, span, Duration::ZERO).await?;
        floor.push(times.len() as f64 / span.as_secs_f64());
    }
    let database = super::loaded::name(bench, loaded.size);
    let slowest = bench.databases.slowest(&database).await?;
    if bench.databases.counts_statements {
        let statements = bench.databases.statements(&database).await?;
        let of_sessions = statements.iter().filter(|(_, sql)| sql.contains("sessions"));
        let checks = of_sessions.map(|(calls, _)| *calls as usize).max().unwrap_or(0);
        ensure!(checks >= crowded.len(), "{} pages with {checks} looks at sessions", crowded.len());
    }
    let read = crowd(server.port, PAGE, &loaded.sessions, span.max(LOOKS) * 2, LOOKS).await?;
    let ratio = median(own.iter().zip(&floor).map(|(own, floor)| own / floor));
    let p95 = percentile(read.iter().copied(), 95);
    let measured = format!(
        "{ratio:.3} x ({:.0} to {:.0} pages/s of {bytes} bytes; CPU {:.2} ms a page); p95 {p95:.1} ms at 100 pages/s, \
         {:.0} ms in a crowd",
        median(own.iter().copied()),
        median(floor.iter().copied()),
        median(cpu.iter().copied()),
        percentile(crowded.iter().copied(), 95)
    );
    let details = json!({ "pages_per_second": own, "nginx": floor, "p95_ms": p95, "cpu_ms": cpu, "bytes": bytes,
        "database_ms": slowest });
    let mut outcome = Outcome::new("F1", job, (goal, Limit::AtLeast(0.10)), (ratio, measured), details);
    outcome.met = outcome.met.map(|met| met && p95 <= 25.0);
    Ok(told(outcome))
}

/// Everybody asks for a page again and again; answers with the milliseconds of each answer.
async fn crowd(
    port: u16,
    path: &'static str,
    sessions: &[String],
    span: Duration,
    pause: Duration,
) -> Result<Vec<f64>> {
    let people = sessions.len() as u32;
    let tasks: Vec<_> = sessions
        .iter()
        .cloned()
        .zip(0..)
        .map(|(session, person)| {
            tokio::spawn(async move {
                let mut visitor = Visitor::open(port, Some(&session)).await?;
                tokio::time::sleep(pause * person / people).await;
                let (began, mut times) = (Instant::now(), Vec::new());
                while began.elapsed() < span {
                    let (status, time) = visitor.get(path).await?;
                    ensure!(status == 200, "{path} answered {status}");
                    times.push(time);
                    tokio::time::sleep(pause).await;
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

/// Saves through the page and bare transactions take turns.
pub async fn saving(bench: &Bench, loaded: &Loaded) -> Result<Outcome> {
    let mut server = Server::start(Some(&loaded.url), &loaded.data_dir)?;
    server.first_page(&loaded.sessions[0], PAGE).await?;
    let mut visitor = Visitor::open(server.port, Some(&loaded.sessions[0])).await?;
    let mut client = weir::db::open_client(&loaded.url).await?;
    let (mut saved, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let before = version(&client).await?;
    visitor.get(PAGE).await?;
    let token = visitor.csrf()?;
    for _ in 0..bench.options.runs {
        let (mut own, mut floor) = (Vec::new(), Vec::new());
        for number in 0..SAVES {
            let time = format!("{:02}:{:02}", number / 60, number % 60);
            let (status, took) = save(&mut visitor, &token, version(&client).await?, &time).await?;
            ensure!(status == 303, "saving answered {status}");
            own.push(took);
            floor.push(save_bare(&mut client, &time.replacen('0', "1", 1)).await?);
        }
        ratios.push(percentile(own.iter().copied(), 95) / percentile(floor.iter().copied(), 95));
        saved.extend(own);
        bare.extend(floor);
    }
    let now = version(&client).await?;
    ensure!(now - before == (2 * SAVES * bench.options.runs) as i64, "a save was lost: {before} to {now}");
    let (status, _) = save(&mut visitor, &token, now - 1, "22:22").await?;
    ensure!(status == 409 && version(&client).await? == now, "an old page answered {status}");
    let ratio = median(ratios.iter().copied());
    let (own, floor) = (percentile(saved.iter().copied(), 95), percentile(bare.iter().copied(), 95));
    say(format!(
        "F2: median {:.2} ms, bare {:.2} ms",
        median(saved.iter().copied()),
        median(bare.iter().copied())
    ));
    Ok(told(Outcome::new(
        "F2",
        "options save, one after the other",
        ("p95 at most 2 x the bare transaction", Limit::AtMost(2.0)),
        (ratio, format!("{ratio:.2} x (p95 {own:.1} to {floor:.1} ms); none lost, an old page answers 409")),
        json!({
            "ratios": ratios,
            "median_ms": median(saved.iter().copied()),
            "bare_median_ms": median(bare.iter().copied()),
        }),
    )))
}

async fn version(client: &Client) -> Result<i64> {
    Ok(client.query_one("SELECT version FROM sync_options", &[]).await?.get(0))
}

async fn save(visitor: &mut Visitor, token: &str, version: i64, time: &str) -> Result<(u16, f64)> {
    let version = version.to_string();
    let fields = [
        ("csrf", token),
        ("version", &version),
        ("draft", ""),
        ("schedule.mode", "manual"),
        ("schedule.time", time),
        ("schedule.per_day", "1"),
        ("schedule.time_zone", "UTC"),
        ("proxy.server", ""),
        ("proxy.port", "80"),
        ("proxy.user", ""),
        ("proxy.domain", ""),
        ("proxy.password", ""),
        ("source.kind", "microsoft-update"),
        ("source.server", ""),
        ("source.port", "8530"),
        ("source.content_port", ""),
        ("source.ca", ""),
    ];
    visitor.post(PAGE, &fields).await
}

async fn save_bare(client: &mut Client, time: &str) -> Result<f64> {
    let began = Instant::now();
    let tx = client.transaction().await?;
    let version: i64 = tx.query_one("SELECT version FROM sync_options FOR UPDATE", &[]).await?.get(0);
    tx.execute(BARE_UPDATE, &[&time, &version]).await?;
    let side = |time: &str| json!({ "schedule.time": time });
    tx.execute(BARE_AUDIT, &[&side("00:00"), &side(time)]).await?;
    tx.commit().await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
