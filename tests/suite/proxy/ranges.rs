//! Files through proxy servers that break off and that take the ranges out of requests.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use weir::accounts::Role;

use super::go_through;
use crate::files::{count, until};
use crate::support::TestApp;

#[derive(Clone, Copy, PartialEq)]
enum Parts {
    Passes,
    /// Takes the header Range out.
    Strips,
    /// Answers with this status.
    Refuses(u16),
}

/// What the proxy server does to files.
#[derive(Clone, Copy)]
struct Manner {
    /// What it does to requests for a part.
    parts: Parts,
    /// Resets the connection after so many bytes of an answer.
    resets_after: usize,
    /// Each file once, and no more.
    resets_once: bool,
}

/// Starts a proxy server for plain requests. The answer is its port, and the Range of each request for a file.
async fn proxy(manner: Manner) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let ranges = Arc::<Mutex<Vec<String>>>::default();
    let (notes, seen) = (ranges.clone(), Arc::<Mutex<HashSet<String>>>::default());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, manner, notes.clone(), seen.clone()));
        }
    });
    (port, ranges)
}

/// One request and its answer.
async fn pass(
    stream: TcpStream,
    manner: Manner,
    ranges: Arc<Mutex<Vec<String>>>,
    seen: Arc<Mutex<HashSet<String>>>,
) -> Option<()> {
    let mut client = BufReader::new(stream);
    let (mut head, mut path, mut server, mut length, mut range) =
        (String::new(), String::new(), String::new(), 0, String::new());
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if path.is_empty() {
            let (method, rest) = line.split_once(" http://")?;
            let (host, rest) = rest.split_once('/')?;
            server = host.to_owned();
            path = rest.split(' ').next()?.to_owned();
            head.push_str(&format!("{method} /{rest}"));
            continue;
        }
        if line == "\r\n" {
            head.push_str("Connection: close\r\n\r\n");
            break;
        }
        let name = line.split(':').next()?.to_ascii_lowercase();
        let value = line[name.len() + 1..].trim().to_owned();
        match name.as_str() {
            "connection" | "proxy-connection" => continue,
            "content-length" => length = value.parse().ok()?,
            "range" => {
                range = value;
                if manner.parts == Parts::Strips {
                    continue;
                }
            }
            _ => {}
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.ok()?;
    let is_file = path.starts_with("Content/");
    let breaks = is_file && (!manner.resets_once || seen.lock().unwrap().insert(path));
    if let (Parts::Refuses(status), false) = (manner.parts, range.is_empty()) {
        ranges.lock().unwrap().push(range);
        let answer = format!("HTTP/1.1 {status} No parts\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        client.write_all(answer.as_bytes()).await.ok()?;
        return client.shutdown().await.ok();
    }
    if is_file {
        ranges.lock().unwrap().push(range);
    }
    let mut server = TcpStream::connect(server).await.ok()?;
    server.write_all(head.as_bytes()).await.ok()?;
    server.write_all(&body).await.ok()?;
    let (mut sent, mut buffer) = (0, [0; 4096]);
    loop {
        let count = server.read(&mut buffer).await.ok()?;
        if count == 0 {
            client.shutdown().await.ok()?;
            return Some(());
        }
        let allowed = if breaks { manner.resets_after.saturating_sub(sent).min(count) } else { count };
        client.write_all(&buffer[..allowed]).await.ok()?;
        sent += count;
        if allowed < count {
            // What was written is to arrive before the connection is reset.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            client.get_ref().set_zero_linger().ok()?;
            return None;
        }
    }
}

/// A server whose files come through this proxy server, after its first synchronization.
async fn fetched_through(port: u16) -> (TestApp, i64) {
    let (above, app) = (TestApp::with_sample(120, 3).await, TestApp::start().await);
    app.follow(&above, |options| {
        options.files.deferred = false;
        go_through(options, port);
    })
    .await;
    app.synchronize().await;
    until("all files are here", async || count(&app, "wanted").await == 0).await;
    assert_eq!(count(&app, "failed").await, 0);
    let largest = "SELECT max(f.size) FROM content_files c JOIN files f ON f.id = c.file_row";
    let largest: i64 = app.db.client().await.query_one(largest, &[]).await.unwrap().get(0);
    (app, largest)
}

#[tokio::test(flavor = "multi_thread")]
async fn r129_a_proxy_that_resets_again_and_again_costs_only_more_requests() {
    let manner = Manner { parts: Parts::Passes, resets_after: 900, resets_once: false };
    let (port, ranges) = proxy(manner).await;
    let (app, largest) = fetched_through(port).await;
    assert!(largest > 2 * 900, "the files are too small to be interrupted twice");
    let resumed = ranges.lock().unwrap().iter().filter(|range| !range.is_empty()).count();
    assert!(resumed > 2, "parts were asked for: {resumed}");
    let tried = "SELECT count(*) FROM content_files WHERE attempts > 0 OR restarted_at IS NOT NULL";
    let tried: i64 = app.db.client().await.query_one(tried, &[]).await.unwrap().get(0);
    assert_eq!(tried, 0, "no file counted a failed try or began again");
}

#[tokio::test(flavor = "multi_thread")]
async fn r128_a_proxy_that_serves_no_parts_makes_files_begin_again_and_is_told_of() {
    for parts in [Parts::Strips, Parts::Refuses(416), Parts::Refuses(403)] {
        let (port, ranges) = proxy(Manner { parts, resets_after: 900, resets_once: true }).await;
        let (app, _) = fetched_through(port).await;
        assert!(ranges.lock().unwrap().iter().any(|range| !range.is_empty()), "a part was asked for");
        let reader = app.sign_in_as("rita", Role::Reporter).await;
        let page = reader.get("/content-store").await;
        assert!(page.text("#figures").contains("Interrupted files begin again"), "{}", page.text("#figures"));
    }
}
