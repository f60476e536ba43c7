//! A source of files for one test: gives out bytes under content addresses, with faults, and remembers what was asked.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use weir::content::FileFacts;
use weir::protocol::ids::{Sha1Digest, Sha256Digest};

use super::TestDatabase;

/// Bytes that are sent at once.
const PIECE: usize = 16 * 1024;

/// What is wrong with the answers for one file.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// This status line and these header lines, and a page.
    Answer(&'static str),
    /// The connection ends after so many bytes of each answer.
    Cut(usize),
    /// Nothing more comes after so many bytes of each answer, and the connection stays.
    Silent(usize),
    /// One byte is another one.
    WrongByte,
    /// More bytes than the file has.
    TooLong,
    /// Fewer, and the answer says so.
    TooShort,
    /// Another part than was asked for.
    OtherPart,
}

/// A request for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub place: String,
    pub from: usize,
    /// Bytes that were sent.
    pub sent: usize,
}

#[derive(Default)]
struct State {
    files: Mutex<HashMap<String, Arc<Vec<u8>>>>,
    faults: Mutex<HashMap<String, Fault>>,
    asked: Mutex<Vec<Asked>>,
    /// Answers under way, and the most there were.
    now: AtomicUsize,
    most: AtomicUsize,
    /// Milliseconds before each piece.
    pause_ms: AtomicU64,
}

/// The server. It ends with the test's runtime.
pub struct FileServer {
    pub port: u16,
    state: Arc<State>,
}

impl FileServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { answer(stream, &state).await });
            }
        });
        Self { port, state }
    }

    /// Takes a file into what is given out; its bytes follow from the number.
    pub fn offer(&self, number: u64, len: usize) -> FileFacts {
        let mut bytes = vec![0; len];
        StdRng::seed_from_u64(number).fill_bytes(&mut bytes);
        let facts = FileFacts {
            sha1: Sha1Digest(Sha1::digest(&bytes).into()),
            sha256: Some(Sha256Digest(Sha256::digest(&bytes).into())),
            size: len as u64,
            name: format!("file-{number}.cab"),
        };
        self.state.files.lock().unwrap().insert(facts.place(), Arc::new(bytes));
        facts
    }

    pub fn bytes(&self, file: &FileFacts) -> Arc<Vec<u8>> {
        self.state.files.lock().unwrap()[&file.place()].clone()
    }

    /// Gives the bytes of one file out under the address of another.
    pub fn rename(&self, file: &FileFacts, to: &FileFacts) {
        let bytes = self.bytes(file);
        self.state.files.lock().unwrap().insert(to.place(), bytes);
    }

    pub fn break_file(&self, file: &FileFacts, fault: Fault) {
        self.state.faults.lock().unwrap().insert(file.place(), fault);
    }

    pub fn heal(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// Waits before each piece of 16 KiB.
    pub fn pause(&self, pause: Duration) {
        self.state.pause_ms.store(pause.as_millis() as u64, Ordering::SeqCst);
    }

    /// What was asked for, in its order.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// The most answers that were under way at once.
    pub fn most(&self) -> usize {
        self.state.most.load(Ordering::SeqCst)
    }
}

/// Puts files into a database as if an update had brought them and somebody wanted them.
pub async fn want(db: &TestDatabase, files: &[FileFacts]) {
    let client = db.client().await;
    for file in files {
        let sha256 = file.sha256.map(|digest| digest.0.to_vec());
        client
            .execute(
                "WITH f AS (INSERT INTO files (sha1, sha256, size, name) VALUES ($1, $2, $3, $4) RETURNING id)
                 INSERT INTO content_files (file_row) SELECT id FROM f",
                &[&file.sha1.0.as_slice(), &sha256, &(file.size as i64), &file.name],
            )
            .await
            .unwrap();
    }
}

/// Lets every wanted file be tried now.
pub async fn hurry(db: &TestDatabase) {
    let sql = "UPDATE content_files SET next_try = now() WHERE state = 'wanted' AND next_try > now()";
    db.client().await.execute(sql, &[]).await.unwrap();
}

async fn answer(stream: TcpStream, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut place, mut from) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("GET /Content/") {
            place = rest.split(' ').next().unwrap_or_default().to_owned();
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.trim().trim_end_matches('-').parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut sent = 0;
    let ended = give(&mut stream, state, &place, from, &mut sent).await;
    state.asked.lock().unwrap().push(Asked { place, from, sent });
    ended
}

/// An answer that is under way: until its last bytes are sent, because whoever has those may ask for the next file before
/// this side knows.
struct UnderWay<'a>(&'a State);

impl<'a> UnderWay<'a> {
    fn begin(state: &'a State) -> Self {
        let now = state.now.fetch_add(1, Ordering::SeqCst) + 1;
        state.most.fetch_max(now, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn give(
    stream: &mut BufReader<TcpStream>,
    state: &State,
    place: &str,
    from: usize,
    sent: &mut usize,
) -> io::Result<()> {
    let mut under_way = Some(UnderWay::begin(state));
    let file = state.files.lock().unwrap().get(place).cloned();
    let fault = state.faults.lock().unwrap().get(place).copied();
    let Some(file) = file else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    };
    if let Some(Fault::Answer(head)) = fault {
        let page = "<html><title>Sorry</title></html>";
        let head =
            format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}", page.len());
        return stream.write_all(head.as_bytes()).await;
    }
    let mut bytes = file[from.min(file.len())..].to_vec();
    match fault {
        Some(Fault::WrongByte) => bytes.last_mut().into_iter().for_each(|last| *last ^= 1),
        Some(Fault::TooLong) => bytes.extend_from_slice(&[0; 100]),
        Some(Fault::TooShort) => bytes.truncate(bytes.len() / 2),
        _ => {}
    }
    let shift = if matches!(fault, Some(Fault::OtherPart)) { 1 } else { 0 };
    let first = match from {
        0 => "HTTP/1.1 200 OK".to_owned(),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}",
            from - shift,
            file.len() - 1,
            file.len()
        ),
    };
    let head = format!(
        "{first}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let end = match fault {
        Some(Fault::Cut(end) | Fault::Silent(end)) => end.min(bytes.len()),
        _ => bytes.len(),
    };
    for piece in bytes[..end].chunks(PIECE) {
        let pause = state.pause_ms.load(Ordering::SeqCst);
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        if *sent + piece.len() == end {
            under_way = None;
        }
        stream.write_all(piece).await?;
        *sent += piece.len();
    }
    drop(under_way);
    stream.flush().await?;
    if matches!(fault, Some(Fault::Silent(_))) {
        // Until the other side has had enough.
        stream.read_u8().await?;
    }
    stream.get_mut().shutdown().await
}
