//! Faults of load: too many connections, requests and servers at once, little memory. Short here; in their full
//! length with `make torture`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use uuid::Uuid;
use weir::accounts::Role;
use weir::protocol::server_sync::{
    GetAuthorizationCookie, GetCookie, GetRevisionIdList, GetUpdateData, Reply, Request, RevisionFilter,
};
use weir::protocol::soap::SoapVersion;

use crate::support::options::{change_options, use_upstream};
use crate::support::process::{Process, succeed, weir};
use crate::support::{PASSWORD, TestApp, TestDatabase, Visitor, is_torture};

/// A number here, another under torture.
fn many(usual: usize, torture: usize) -> usize {
    if is_torture() { torture } else { usual }
}

fn port(url: &str) -> u16 {
    reqwest::Url::parse(url).unwrap().port().unwrap()
}

/// A connection from one of many addresses of this machine.
async fn connect(nth: usize, port: u16) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    let last = u8::try_from(2 + nth % 200).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 1, last), 0))).unwrap();
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn r245_idle_slow_and_silent_connections_keep_nobody_waiting() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    let person = app.sign_in_as("anna", Role::Reporter).await;
    let doors = [port(&app.console_url("/")), app.services_port()];
    let mut held = Vec::new();
    for nth in 0..many(1_200, 10_000) {
        let Some(mut stream) = connect(nth, doors[nth % 2]).await else { continue };
        let beginning: &[u8] = match nth / 2 % 3 {
            0 => b"",
            1 => b"GET / HTTP/1.1\r\nHost: weir.test\r\nX-Slow: ",
            _ => b"POST /login HTTP/1.1\r\nHost: weir.test\r\nContent-Length: 50000\r\n\r\nx",
        };
        if stream.write_all(beginning).await.is_ok() {
            held.push(stream);
        }
    }
    let begun = Instant::now();
    assert_eq!(person.get("/").await.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "a page took {:?}", begun.elapsed());
    let services = app.ask_services("/healthz").await;
    assert_eq!(services.status(), 200);
    println!("{} connections held, a page after {:?}", held.len(), begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn r246_a_flood_is_answered_or_refused_at_once_and_leaves_nothing() {
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    weir::accounts::create(&mut *db.conn().await, "anna", Role::Reporter, PASSWORD).await.unwrap();
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    let person = server.visitor();
    assert_eq!(person.sign_in("anna", PASSWORD).await.status(), 303);
    person.get("/updates").await;
    let (before, memory) = (descriptors_of(server.id()), kilobytes(server.id(), "VmRSS"));
    let origin = format!("http://127.0.0.1:{}", server.console);
    let from = |last| Visitor::from_address(&origin, Some(Ipv4Addr::new(127, 0, 0, last).into()));
    let attackers: Vec<Visitor> = (2..10).map(from).collect();
    let until = Instant::now() + Duration::from_secs(many(3, 60) as u64);
    let senders = (0..many(100, 400)).map(|nth| {
        let attacker = &attackers[nth % attackers.len()];
        async move {
            let (mut answered, mut refused, mut slowest) = (0_u64, 0_u64, Duration::ZERO);
            while Instant::now() < until {
                let begun = Instant::now();
                match attacker.request(Method::GET, "/login").send().await {
                    Ok(answer) if answer.status().is_success() => answered += 1,
                    Ok(answer) => {
                        assert!(matches!(answer.status().as_u16(), 429 | 503), "{}", answer.status());
                        refused += 1;
                    }
                    Err(_) => refused += 1, // a connection that made room for another
                }
                slowest = slowest.max(begun.elapsed());
            }
            (answered, refused, slowest)
        }
    });
    let results = futures_util::future::join_all(senders).await;
    let answered: u64 = results.iter().map(|one| one.0).sum();
    let refused: u64 = results.iter().map(|one| one.1).sum();
    let slowest = results.iter().map(|one| one.2).max().unwrap();
    println!("{answered} answered, {refused} refused, the slowest after {slowest:?}");
    assert!(answered > 0 && slowest < Duration::from_secs(20), "{slowest:?}");
    let begun = Instant::now();
    assert_eq!(person.get("/updates").await.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(10));
    drop(attackers);
    let until = Instant::now() + Duration::from_secs(10);
    while descriptors_of(server.id()) > before + 20 {
        assert!(Instant::now() < until, "{before} descriptors became {}", descriptors_of(server.id()));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let after = kilobytes(server.id(), "VmRSS");
    println!("{memory} kB became {after} kB");
    assert!(after < memory * 2 + 64 * 1024, "{memory} kB became {after} kB");
}

/// One server below, which asks for everything: lists, then every document.
struct Below {
    http: reqwest::Client,
    base: String,
    /// How often it was told to come again.
    busy: AtomicUsize,
}

impl Below {
    async fn call<R: Request>(&self, request: &R) -> R::Reply {
        let url = format!("{}{}", self.base, R::METHOD.service().path());
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let post = self.http.post(&url).header("Content-Type", SoapVersion::V11.content_type());
            let answer = post.body(request.to_bytes(SoapVersion::V11)).send().await.unwrap();
            let bytes = answer.bytes().await.unwrap();
            let error = match R::Reply::from_bytes(&bytes) {
                Ok(reply) => return reply,
                Err(_) => String::from_utf8_lossy(&bytes),
            };
            // the only fault there may be; it is gone soon
            assert!(error.contains("<ErrorCode>ServerBusy<") && Instant::now() < until, "{error}");
            self.busy.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn synchronize(&self) -> usize {
        let account = GetAuthorizationCookie {
            account_name: "below.example".into(),
            account_guid: Uuid::new_v4().to_string(),
        };
        let cookie = self.call(&account).await.cookie;
        let ask = GetCookie { auth_cookies: vec![cookie], old_cookie: None, protocol_version: "1.20".into() };
        let cookie = self.call(&ask).await.cookie;
        let mut all = Vec::new();
        for get_config in [true, false] {
            let filter = RevisionFilter { get_config, ..RevisionFilter::default() };
            let list = self.call(&GetRevisionIdList { cookie: Some(cookie.clone()), filter }).await;
            all.extend(list.new_revisions);
        }
        for some in all.chunks(50) {
            let ask = GetUpdateData { cookie: Some(cookie.clone()), update_ids: some.to_vec() };
            self.call(&ask).await;
        }
        all.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r250_many_servers_below_at_once_all_finish_and_pages_stay_quick() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    app.fill(many(60, 2_000), 5).await;
    let person = app.sign_in_as("anna", Role::Reporter).await;
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    person.get("/updates").await;
    let servers = (0..many(12, 50)).map(|_| {
        let (http, base) = (http.clone(), app.services_url(""));
        let below = Below { http, base, busy: AtomicUsize::new(0) };
        tokio::spawn(async move { (below.synchronize().await, below.busy.into_inner()) })
    });
    let servers: Vec<_> = servers.collect();
    let mut times = Vec::new();
    while !servers.iter().all(tokio::task::JoinHandle::is_finished) {
        let begun = Instant::now();
        assert_eq!(person.get("/updates").await.status(), 200);
        times.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = futures_util::future::join_all(servers).await;
    let (counts, busy): (Vec<usize>, Vec<usize>) = ended.into_iter().map(Result::unwrap).unzip();
    assert!(counts[0] > 60 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    times.sort_unstable();
    let p95 = times.get(times.len() * 95 / 100).copied().unwrap_or_default();
    println!("{} servers, {} revisions each, pages p95 {p95:?} of {}", counts.len(), counts[0], times.len());
    println!("told to come again: {} times", busy.iter().sum::<usize>());
    // one second is the promise of a release build
    assert!(p95 < Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 }), "{p95:?}");
}

/// A figure of `/proc/PID/status` in kilobytes.
fn kilobytes(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors_of(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Files that a run leaves behind beside its own.
fn leftovers(data: &Path) -> usize {
    std::fs::read_dir(data.join("content/.partial")).map_or(0, Iterator::count)
}

/// Makes a run fail half-way when `breaks`, and another one succeed.
async fn a_run(db: &TestDatabase, data: &Path, above: &TestApp, breaks: bool) {
    change_options(db, |options| {
        use_upstream(options, if breaks { 9 } else { above.services_port() });
        options.files.deferred = false;
    })
    .await;
    let run = weir(db, data, &["sync", "--wait"]);
    if breaks {
        let ended = crate::support::process::output(run).await;
        assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stderr));
    } else {
        succeed(run).await;
    }
}

/// A run that loses its database or is stopped at some moment; how it ends is its own affair, but it ends.
async fn a_disturbed_run(db: &TestDatabase, data: &Path, above: &TestApp, random: &mut StdRng) {
    change_options(db, |options| use_upstream(options, above.services_port())).await;
    let after = Duration::from_millis(random.random_range(0..1_500));
    let sql = if random.random_bool(0.5) {
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()"
    } else {
        "UPDATE sync_runs SET state = 'stopping' WHERE state = 'running'"
    };
    let disturb = async {
        tokio::time::sleep(after).await;
        db.client().await.query(sql, &[]).await.unwrap();
    };
    tokio::join!(crate::support::process::output(weir(db, data, &["sync", "--wait"])), disturb);
    let client = db.client().await;
    let until = Instant::now() + Duration::from_secs(120);
    let open = "SELECT count(*) FROM sync_runs WHERE finished_at IS NULL";
    while client.query_one(open, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(Instant::now() < until, "a disturbed run does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Connections that the servers of a database hold.
async fn connections_of(db: &TestDatabase) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn r248_r251_runs_good_and_bad_stay_within_their_memory_and_leave_nothing() {
    let above = TestApp::with_sample(many(150, 20_000), 11).await;
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    // what a machine with half a gigabyte leaves to it beside its database
    let limit = std::process::Command::new("prlimit")
        .args([&format!("--pid={}", server.id()), "--data=402653184"])
        .status()
        .unwrap();
    assert!(limit.success());
    let person = Visitor::new(&format!("http://127.0.0.1:{}", server.console));
    a_run(&db, data.path(), &above, false).await;
    let first = (kilobytes(server.id(), "VmRSS"), descriptors_of(server.id()));
    let connections = connections_of(&db).await;
    let mut random = StdRng::seed_from_u64(251);
    let until = Instant::now() + Duration::from_secs(many(0, 15 * 60) as u64);
    let (mut nth, mut disturbed) = (0, 0);
    while nth < 4 || Instant::now() < until {
        match nth % 4 {
            0 => a_run(&db, data.path(), &above, true).await,
            1 => a_run(&db, data.path(), &above, false).await,
            _ => {
                a_disturbed_run(&db, data.path(), &above, &mut random).await;
                disturbed += 1;
            }
        }
        nth += 1;
        assert_eq!(person.get("/login").await.status(), 303, "setup is still to be done");
    }
    a_run(&db, data.path(), &above, false).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (peak, last) = (kilobytes(server.id(), "VmHWM"), kilobytes(server.id(), "VmRSS"));
    println!(
        "{nth} runs, {disturbed} of them disturbed: peak {peak} kB; {} kB after the first run, {last} kB after the last",
        first.0
    );
    assert!(last < first.0 * 3 / 2 + 20_000, "{} kB became {last} kB", first.0);
    let open = descriptors_of(server.id());
    assert!(open <= first.1 + 10, "{} descriptors became {open}", first.1);
    assert_eq!(leftovers(data.path()), 0);
    let client = db.client().await;
    let open = "SELECT count(*) FROM sync_runs WHERE finished_at IS NULL";
    assert_eq!(client.query_one(open, &[]).await.unwrap().get::<_, i64>(0), 0);
    drop(client);
    let now = connections_of(&db).await;
    assert!(now <= connections + 6, "{connections} connections of the database became {now}");
}
