//! E1 and E2: the list of updates under every kind of filter, over HTTP.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::loaded::Loaded;
use crate::bench::{Bench, say, told};
use crate::http::Visitor;
use crate::measure::{exponent, median, percentile};
use crate::report::{Limit, Outcome};
use crate::server::Server;

/// People at the same time.
const SESSIONS: usize = 10;
/// How long a person looks at a page before opening the next one, at least.
const LOOKS: Duration = Duration::from_millis(300);
/// A filter that is slower for one person alone is named.
const SLOW_MS: f64 = 50.0;

/// What the filters of the tests of the list are as addresses. Ids are those of the load.
const FILTERS: [&str; 42] = [
    "",
    "approval=all&state=all",
    "sort=released",
    "sort=title",
    "approval=all&state=all&sort=-title",
    "sort=kb",
    "sort=-severity",
    "sort=classification",
    "sort=-classification",
    "approval=all&state=all&sort=approval",
    "approval=all&state=all&sort=-approval",
    "sort=files",
    "q=KB4000777",
    "q=4000777",
    "q=cumulative",
    "q=install+restarted",
    "q=build+7919+",
    "q=security+office+arm64",
    "q=zeppelin",
    "q=cumulative+zeppelin",
    "q=10000000-0000-4000-8000-000000000100",
    "q=c4ca4238a0b923820dcc509a6f75849b",
    "product=10000000-0000-4000-8000-00000000001e",
    "product=10000000-0000-4000-8000-000000000003",
    "classification=10000000-0000-4000-8000-000000000046",
    "product=10000000-0000-4000-8000-000000000003&classification=10000000-0000-4000-8000-000000000047",
    "product=10000000-0000-4000-8000-000000000028&classification=10000000-0000-4000-8000-00000000004b",
    "product=10000000-0000-4000-8000-000000000002&sort=title",
    "product=10000000-0000-4000-8000-00000393ee00",
    "approval=not-approved",
    "approval=waits-for-license",
    "approval=install",
    "approval=remove",
    "approval=declined",
    "state=superseded",
    "state=expired&sort=title",
    "state=current&q=x64",
    "files=failed",
    "files=not-wanted",
    "state=superseded&sort=-severity&q=driver",
    "approval=all&state=all&run=50",
    "approval=not-approved&state=current&q=security+x64&sort=-severity&\
     product=10000000-0000-4000-8000-000000000002&classification=10000000-0000-4000-8000-000000000048",
];

/// What was measured at one size. Times in milliseconds.
pub struct Lists {
    size: usize,
    /// Each filter, opened by one person alone, the median of several times.
    alone: Vec<(f64, &'static str)>,
    /// Each page opened by one of ten people; of the largest list only.
    together: Vec<f64>,
    /// What the server and its database computed for one of those, on average.
    cpu: f64,
    /// The first page of the plain list, a search for a word, the last page.
    first: f64,
    search: f64,
    deepest: f64,
}

/// Opens every filter alone, and of the largest list with others.
pub async fn measure(bench: &Bench, loaded: &Loaded) -> Result<Lists> {
    let mut server = Server::start(Some(&loaded.url), &loaded.data_dir)?;
    server.first_page(&loaded.sessions[0], "/updates").await?;
    let mut visitor = Visitor::open(server.port, Some(&loaded.sessions[0])).await?;
    let last = last_page(loaded).await?;
    let mut alone = Vec::new();
    for filter in FILTERS {
        alone.push((visit(&mut visitor, &address(filter), bench.options.runs).await?, filter));
    }
    let rounds = bench.options.runs * 3;
    let first = visit(&mut visitor, "/updates", rounds).await?;
    let search = visit(&mut visitor, "/updates?q=build+7919+", rounds).await?;
    let deepest = visit(&mut visitor, &last, rounds).await?;
    let mut lists =
        Lists { size: loaded.size, alone, together: Vec::new(), cpu: 0.0, first, search, deepest };
    lists.alone.sort_by(|one, other| other.0.total_cmp(&one.0));
    if loaded.size < bench.options.sizes[2] {
        say(format!(
            "E2 at {}: first {first:.1} ms, search {search:.1} ms, deepest {deepest:.1} ms",
            loaded.size
        ));
        return Ok(lists);
    }
    let computed = || (server.cpu() + bench.databases.cpu()).as_secs_f64();
    let before = computed();
    let tasks: Vec<_> = loaded.sessions[..SESSIONS]
        .iter()
        .enumerate()
        .map(|(person, session)| tokio::spawn(wander(server.port, session.clone(), person)))
        .collect();
    for task in tasks {
        lists.together.extend(task.await??);
    }
    lists.cpu = (computed() - before) * 1e3 / lists.together.len() as f64;
    say(format!(
        "E1 at {}: p99 {:.0} ms, slowest filter alone {:.0} ms ({}), first {first:.1} ms, deepest {deepest:.1} ms",
        lists.size,
        percentile(lists.together.iter().copied(), 99),
        lists.alone[0].0,
        lists.alone[0].1
    ));
    Ok(lists)
}

/// Every filter once, in an order of one's own, with time to look at each page.
async fn wander(port: u16, session: String, person: usize) -> Result<Vec<f64>> {
    let mut visitor = Visitor::open(port, Some(&session)).await?;
    let mut times = Vec::new();
    tokio::time::sleep(LOOKS * person as u32 / SESSIONS as u32).await;
    for step in 0..FILTERS.len() {
        // 13 has no divisor in common with 42, so everybody sees everything.
        let filter = FILTERS[(person * 5 + step * 13) % FILTERS.len()];
        times.push(visit(&mut visitor, &address(filter), 1).await?);
        tokio::time::sleep(LOOKS).await;
    }
    Ok(times)
}

fn address(filter: &str) -> String {
    if filter.is_empty() { "/updates".to_owned() } else { format!("/updates?{filter}") }
}

async fn visit(visitor: &mut Visitor, path: &str, times: usize) -> Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let (status, time) = visitor.get(path).await?;
        ensure!(status == 200, "{path} answered {status}");
        taken.push(time);
    }
    Ok(median(taken))
}

/// The address of the last fifty updates of the usual list.
async fn last_page(loaded: &Loaded) -> Result<String> {
    let client = weir::db::open_client(&loaded.url).await?;
    let sql = "SELECT update_row FROM updates u WHERE approvable AND NOT expired AND NOT EXISTS
            (SELECT FROM declined_updates d WHERE d.update_id = u.update_id)
        ORDER BY created, update_row OFFSET 50 LIMIT 1";
    let row = client.query_opt(sql, &[]).await?.context("more than one page")?;
    Ok(format!("/updates?after=0.{}", row.get::<_, i32>(0)))
}

/// The goals, over the sizes; the largest is the last.
pub fn outcomes(lists: &[Lists]) -> Vec<Outcome> {
    let Some(largest) = lists.last() else { return Vec::new() };
    let p99 = percentile(largest.together.iter().copied(), 99);
    let most = largest.together.iter().copied().fold(0.0, f64::max);
    let slow: Vec<_> = largest.alone.iter().filter(|(time, _)| *time > SLOW_MS).collect();
    let growth = |time: fn(&Lists) -> f64| {
        exponent(&lists.iter().map(|one| (one.size as f64, time(one))).collect::<Vec<_>>())
    };
    let (page, search) = (growth(|one| one.first), growth(|one| one.search));
    let deep = largest.deepest / largest.first;
    let alone: Vec<_> =
        largest.alone.iter().map(|(time, filter)| json!({ "ms": time, "filter": filter })).collect();
    let each: Vec<_> =
        lists.iter().map(|one| json!([one.size, one.first, one.search, one.deepest])).collect();
    let outcomes = vec![
        Outcome::new(
            "E1",
            format!("updates page at {}, 42 filters, {SESSIONS} sessions", largest.size),
            ("p99 at most 50 ms", Limit::AtMost(50.0)),
            (
                p99,
                format!(
                    "p99 {p99:.0} ms; {} filters over 50 ms alone; CPU {:.1} ms a page",
                    slow.len(),
                    largest.cpu
                ),
            ),
            json!({ "alone": alone, "together_ms": largest.together, "pause_ms": LOOKS.as_millis() }),
        ),
        Outcome::new(
            "E1 worst",
            "the slowest of them",
            ("none over 100 ms", Limit::AtMost(100.0)),
            (most, format!("{most:.0} ms; alone {:.0} ms", largest.alone[0].0)),
            json!(null),
        ),
        Outcome::new(
            "E2",
            "growth of the page",
            ("exponent at most 0.15", Limit::AtMost(0.15)),
            (page, format!("exponent {page:.2} (to {:.1} ms)", largest.first)),
            json!(each),
        ),
        Outcome::new(
            "E2 find",
            "growth of the search",
            ("exponent at most 0.50", Limit::AtMost(0.5)),
            (search, format!("exponent {search:.2} (to {:.1} ms)", largest.search)),
            json!(null),
        ),
        Outcome::new(
            "E2 deep",
            "the last page to the first",
            ("at most 1.5 x", Limit::AtMost(1.5)),
            (deep, format!("{deep:.2} x ({:.1} ms)", largest.deepest)),
            json!(null),
        ),
    ];
    outcomes.into_iter().map(told).collect()
}
