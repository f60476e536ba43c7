//! C1 and C3: files from a real web server into a folder, beside curl, rclone and the least a program could do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::json;
use weir::content::limits;
use weir::db::DatabaseUrl;

use crate::bench::{Bench, say, told};
use crate::files::{CONTENT, Files, mixed_sizes};
use crate::measure::{Measured, Usage, median};
use crate::nginx::{Nginx, Serving};
use crate::opponents::{Lists, is_installed};
use crate::report::{Limit, Outcome};
use crate::server::Server;
use crate::{floor, procfs, product};

const DATABASE: &str = "files";
/// Files that everybody has under way at once.
const AT_ONCE: u8 = 16;
/// For a server to have done what it does at its start.
const SETTLED: Duration = Duration::from_secs(1);
/// Longest for all files to come.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const MEBIBYTE: f64 = (1 << 20) as f64;
const SMALL_BYTES: u64 = 20 << 10;
const OVER_IDLE_MAX_MIB: f64 = 64.0;

/// Everything that is wanted, at once. `$1` to `$4`: SHA-1, SHA-256, bytes, name.
const WANT: &str = "WITH f AS (INSERT INTO files (sha1, sha256, size, name)
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::text[]) RETURNING id)
    INSERT INTO content_files (file_row) SELECT id FROM f";
const TROUBLE: &str = "SELECT last_error FROM content_files WHERE last_error <> '' LIMIT 1";
/// By an index and the first row that it finds: who watches should take nothing from who is watched.
const IS_DONE: &str =
    "SELECT NOT EXISTS (SELECT FROM content_files WHERE state = 'wanted' ORDER BY next_try)";
/// From the moment a worker took the job to the last file under its final name, forced to the disk.
const SECONDS: &str = "SELECT extract(epoch FROM max(stored_at) -
        (SELECT min(started_at) FROM jobs WHERE kind = 'download'))::float8 FROM content_files";

/// What Weir took.
#[derive(Debug, Clone, Copy, Serialize)]
struct Fetched {
    seconds: f64,
    cpu: f64,
    database_cpu: f64,
    /// Highest memory over what the idle server had.
    over_idle_bytes: u64,
    /// Read from files: nothing has to be, to be hashed.
    read_bytes: u64,
}

/// A folder of files, who gives it out, and what everybody took for it.
struct Contest<'a> {
    bench: &'a Bench,
    files: Files,
    nginx: Serving,
    folder: PathBuf,
    /// What the others fetch has to be forced to the disk, too.
    durable: bool,
    weir: Vec<Fetched>,
    /// Where the time of Weir's database went in the last turn.
    slowest: Vec<(f64, i64, String)>,
    floor: Vec<Usage>,
    curl: Vec<Usage>,
    rclone: Vec<Usage>,
}

/// C1 and the memory of it.
pub async fn mixed(bench: &Bench) -> Result<Vec<Outcome>> {
    let (count, bytes) = if bench.options.quick { (100, 48 << 20) } else { (2_000, 2 << 30) };
    let mut contest = Contest::open(bench, "mixed", &mixed_sizes(count, bytes), true).await?;
    contest.turns().await?;
    let job = format!("{count} mixed files, {:.0} MiB, disk to disk", contest.files.bytes as f64 / MEBIBYTE);
    let goal = "at most 1.10 x the faster of curl and rclone";
    let peak = median(contest.weir.iter().map(|one| one.over_idle_bytes as f64)) / MEBIBYTE;
    let read = contest.weir.iter().map(|one| one.read_bytes).max().unwrap_or(0);
    let fastest = match contest.ratio(|turn| contest.opponents(turn).into_iter().reduce(f64::min)) {
        Some(ratio) => Outcome::new(
            "C1",
            job,
            (goal, Limit::AtMost(1.10)),
            (ratio, format!("{ratio:.2} x ({}); {read} bytes read again", contest.story())),
            contest.details(),
        ),
        None => Outcome::skipped("C1", job, goal, "neither curl nor rclone is installed"),
    };
    let memory = Outcome::new(
        "M files",
        format!("peak memory while {count} files come, {AT_ONCE} at once"),
        ("at most 64 MB over idle", Limit::AtMost(OVER_IDLE_MAX_MIB)),
        (peak, format!("{peak:.1} MB over idle")),
        json!(null),
    );
    Ok(vec![told(fastest), told(memory)])
}

/// C3: Weir forces each file to the disk, curl none.
pub async fn small(bench: &Bench) -> Result<Outcome> {
    let count = if bench.options.quick { 500 } else { 10_000 };
    let job = format!("{count} files of 20 KB, each forced to the disk");
    let goal = "at least 0.8 x curl --parallel, which forces none";
    if !is_installed("curl") {
        return Ok(told(Outcome::skipped("C3", job, goal, "curl is not installed")));
    }
    let mut contest = Contest::open(bench, "small", &vec![SMALL_BYTES; count], false).await?;
    contest.turns().await?;
    let ratio = contest.ratio(|turn| contest.curl.get(turn).map(|one| one.wall)).context("turns of curl")?;
    let ratio = 1.0 / ratio;
    Ok(told(Outcome::new(
        "C3",
        job,
        (goal, Limit::AtLeast(0.8)),
        (ratio, format!("{ratio:.2} x ({})", contest.story())),
        contest.details(),
    )))
}

impl<'a> Contest<'a> {
    async fn open(bench: &'a Bench, name: &str, sizes: &[u64], durable: bool) -> Result<Self> {
        say(format!("making {} files, {} MiB", sizes.len(), sizes.iter().sum::<u64>() >> 20));
        let nginx = Nginx::find().context("nginx is not installed")?;
        let folder = bench.folder.path().join(name);
        let files = Files::make(&folder.join("root"), sizes)?;
        let nginx = nginx.serve(&files.root, &folder.join("nginx")).await?;
        let (weir, floor, curl, rclone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let slowest = Vec::new();
        Ok(Self { bench, files, nginx, folder, durable, weir, slowest, floor, curl, rclone })
    }

    /// Everybody fetches everything, one after the other, as often as was asked for.
    async fn turns(&mut self) -> Result<()> {
        for turn in 1..=self.bench.options.runs {
            let weir = self.fetch_with_weir(turn).await?;
            self.weir.push(weir);
            let into = self.folder.join("into");
            let list = self.folder.join("list");
            let command = floor::files::What::command(&self.files, self.nginx.port, &list, &into, AT_ONCE)?;
            self.floor.push(self.fetch_with(command, "")?);
            let lists = Lists::write(&self.files, self.nginx.port, &self.folder, &into, AT_ONCE)?;
            if is_installed("curl") {
                self.curl.push(self.fetch_with(lists.curl(), CONTENT)?);
            }
            if is_installed("rclone") {
                self.rclone.push(self.fetch_with(lists.rclone(), CONTENT)?);
            }
            say(format!("{} files, turn {turn}: {}", self.files.facts.len(), self.story()));
        }
        Ok(())
    }

    /// A fresh server with nothing else to do.
    async fn fetch_with_weir(&mut self, turn: usize) -> Result<Fetched> {
        let databases = &self.bench.databases;
        let url = databases.migrated(DATABASE).await?;
        product::choose_everything(&url, self.nginx.port).await?;
        allow_at_once(&url).await?;
        let data_dir = self.folder.join(format!("data-{turn}"));
        let mut server = Server::start(Some(&url), &data_dir)?;
        server.ready().await?;
        tokio::time::sleep(SETTLED).await;
        self.settle()?;
        databases.settle()?;
        let idle = procfs::resident_bytes(server.pid()).context("the server runs")?;
        procfs::forget_peak(server.pid())?;
        let read = procfs::read_bytes(server.pid()).context("the server runs")?;
        let (cpu, database_cpu) = (server.cpu(), databases.cpu());
        let client = weir::db::open_client(&url).await?;
        self.want(&client).await?;
        fetch_now(&url).await?;
        databases.forget_statements().await?;
        let began = Instant::now();
        while !client.query_one(IS_DONE, &[]).await?.get::<_, bool>(0) {
            ensure!(began.elapsed() < PATIENCE, "not all files came");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.slowest = databases.slowest(DATABASE).await?;
        if let Some(row) = client.query_opt(TROUBLE, &[]).await? {
            bail!("a file did not come: {}", row.get::<_, &str>(0));
        }
        let fetched = Fetched {
            seconds: client.query_one(SECONDS, &[]).await?.get(0),
            cpu: (server.cpu() - cpu).as_secs_f64(),
            database_cpu: databases.cpu().saturating_sub(database_cpu).as_secs_f64(),
            over_idle_bytes: server.peak_bytes()?.saturating_sub(idle),
            read_bytes: procfs::read_bytes(server.pid()).context("the server runs")? - read,
        };
        drop(server);
        self.files.check(&data_dir.join("content"))?;
        self.put_away(&data_dir)?;
        Ok(fetched)
    }

    async fn want(&self, client: &tokio_postgres::Client) -> Result<()> {
        let facts = &self.files.facts;
        let sha1: Vec<Vec<u8>> = facts.iter().map(|one| one.sha1.0.to_vec()).collect();
        let sha256: Vec<Option<Vec<u8>>> =
            facts.iter().map(|one| one.sha256.map(|sum| sum.0.to_vec())).collect();
        let sizes: Vec<i64> = facts.iter().map(|one| one.size as i64).collect();
        let names: Vec<&str> = facts.iter().map(|one| one.name.as_str()).collect();
        client.execute(WANT, &[&sha1, &sha256, &sizes, &names]).await?;
        Ok(())
    }

    /// Another program, into an empty folder; its files end up `below` that.
    fn fetch_with(&self, command: Command, below: &str) -> Result<Usage> {
        let into = self.folder.join("into");
        std::fs::create_dir_all(&into)?;
        self.settle()?;
        let finished =
            tokio::task::block_in_place(|| Measured::start(command, &self.bench.databases)?.finish());
        let (mut usage, _) = finished?;
        if self.durable {
            let began = Instant::now();
            self.settle()?;
            usage.wall += began.elapsed().as_secs_f64();
        }
        self.files.check(&into.join(below))?;
        self.put_away(&into)?;
        Ok(usage)
    }

    /// Makes room for the next turn. Many files stay until the end: after they are removed, ext4 looks past each of
    /// their numbers for some minutes whenever a file is made, which took whoever came next three times as long.
    fn put_away(&self, fetched: &Path) -> Result<()> {
        if self.durable {
            return Ok(std::fs::remove_dir_all(fetched)?);
        }
        let away = tempfile::tempdir_in(&self.folder)?.keep();
        Ok(std::fs::rename(fetched, away.join("fetched"))?)
    }

    /// Forces everything to the disk.
    fn settle(&self) -> Result<()> {
        Ok(nix::unistd::syncfs(std::fs::File::open(&self.folder)?)?)
    }

    /// Seconds of the others in one turn.
    fn opponents(&self, turn: usize) -> Vec<f64> {
        [&self.curl, &self.rclone].into_iter().filter_map(|one| one.get(turn)).map(|one| one.wall).collect()
    }

    /// Weir's seconds to somebody else's, turn by turn.
    fn ratio(&self, other: impl Fn(usize) -> Option<f64>) -> Option<f64> {
        let ratios = self.weir.iter().enumerate().map(|(turn, one)| Some(one.seconds / other(turn)?));
        Some(median(ratios.collect::<Option<Vec<f64>>>()?))
    }

    /// Everybody's median seconds, and the computing of those that hash.
    fn story(&self) -> String {
        let mut story = format!(
            "{:.2} s, CPU {:.1} + {:.1} s",
            median(self.weir.iter().map(|one| one.seconds)),
            median(self.weir.iter().map(|one| one.cpu)),
            median(self.weir.iter().map(|one| one.database_cpu))
        );
        for (name, usages) in [("curl", &self.curl), ("rclone", &self.rclone), ("floor", &self.floor)] {
            if !usages.is_empty() {
                let (wall, cpu) =
                    (median(usages.iter().map(|one| one.wall)), median(usages.iter().map(|one| one.cpu)));
                story.push_str(&format!("; {name} {wall:.2} s, CPU {cpu:.1} s"));
            }
        }
        story
    }

    fn details(&self) -> serde_json::Value {
        json!({
            "files": self.files.facts.len(), "bytes": self.files.bytes, "weir": self.weir,
            "database_ms": self.slowest, "curl": self.curl, "rclone": self.rclone, "floor": self.floor,
        })
    }
}

/// As many files at once as the others have, all from one host.
async fn allow_at_once(database: &DatabaseUrl) -> Result<()> {
    let pool = weir::db::connect(database).await?;
    let mut conn = pool.get().await?;
    let mut limits = limits::load(&mut conn).await?;
    (limits.workers, limits.per_host) = (AT_ONCE, AT_ONCE);
    ensure!(limits::save(&mut conn, &limits).await?, "somebody else changed the limits");
    Ok(())
}

/// As the server itself would within some seconds.
async fn fetch_now(database: &DatabaseUrl) -> Result<()> {
    let pool = weir::db::connect(database).await?;
    weir::jobs::enqueue(&mut *pool.get().await?, "download", "download", json!({})).await?;
    Ok(())
}

impl Drop for Contest<'_> {
    /// What was given out takes room that the next job may need.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
