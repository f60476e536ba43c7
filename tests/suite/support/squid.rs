//! A real Squid on a loopback port, with its own configuration, log and helpers.
//!
//! Squid speaks to the servers beyond from 127.0.0.2, so that a server can tell what came around it. Its helpers are
//! a line of shell that joins them to this process, which decides who may pass and remembers every question.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::ntlm::{Exchange, Known};
use super::process::free_port;

/// The account that every Squid here knows.
pub const ACCOUNT: Known = Known { user: "svc-weir", domain: "CORP", password: "pa:ss wörd@1%" };
/// The address that Squid speaks from.
pub const OUTGOING: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

const BASH: &str = r#"#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/$1"
echo "$2" >&3
cat <&3 &
exec cat >&3
"#;

/// Squid's process. Killed with this value.
pub struct Squid {
    child: Option<Child>,
    folder: tempfile::TempDir,
    pub port: u16,
    /// Questions that its helpers were asked, each with the helper's name in front.
    asked: Arc<Mutex<Vec<String>>>,
}

/// One line of its log.
#[derive(Debug, Clone)]
pub struct Request {
    pub status: u16,
    pub method: String,
    pub target: String,
    /// As Squid knows them, or `-`.
    pub user: String,
    /// The first word of Proxy-Authorization, or `-`.
    pub scheme: String,
}

impl Squid {
    /// A Squid that offers `schemes` (`basic`, `digest`, `ntlm`, `negotiate`), or lets everybody pass for none.
    pub async fn start(schemes: &[&str]) -> Self {
        Self::start_with(schemes, "").await
    }

    /// The same with further lines, which come before the rules.
    pub async fn start_with(schemes: &[&str], lines: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let helpers = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let notes = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(help(stream, notes.clone()));
            }
        });
        let folder = tempfile::tempdir().unwrap();
        // Squid gives up root for an account of its own, which writes here.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let helper = folder.path().join("helper");
        std::fs::write(&helper, BASH).unwrap();
        std::fs::set_permissions(&helper, PermissionsExt::from_mode(0o755)).unwrap();
        let port = free_port();
        let text = configuration(folder.path(), port, helpers, schemes, lines);
        std::fs::write(folder.path().join("squid.conf"), text).unwrap();
        let mut squid = Self { child: None, folder, port, asked };
        squid.restart().await;
        squid
    }

    /// Starts it again on the same port.
    pub async fn restart(&mut self) {
        self.kill();
        let child = Command::new("/usr/sbin/squid")
            .args(["-N", "-n", &format!("weir{}", self.port), "-f"])
            .arg(self.folder.path().join("squid.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("squid is installed");
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let log = || std::fs::read_to_string(self.folder.path().join("cache.log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < until, "squid does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What it has written down, apart from connections on which nothing was asked.
    pub fn log(&self) -> Vec<Request> {
        let text = std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        let line = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let word = |place: usize| words.get(place).copied().unwrap_or("-").to_owned();
            Request {
                status: word(0).parse().unwrap_or_default(),
                method: word(1),
                target: word(2),
                user: word(3),
                scheme: word(4).split("%20").next().unwrap_or_default().to_owned(),
            }
        };
        text.lines()
            .map(line)
            .filter(|one| one.target.contains(':') && !one.target.starts_with("error:"))
            .collect()
    }

    /// Every scheme that somebody signed in with, from its log.
    pub fn schemes(&self) -> BTreeSet<String> {
        self.log().into_iter().map(|one| one.scheme).filter(|scheme| scheme != "-").collect()
    }

    /// Questions that its helpers were asked and that begin like this.
    pub fn asked(&self, beginning: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|question| question.starts_with(beginning)).count()
    }

    /// Everything that it has written, for searches.
    pub fn written(&self) -> String {
        ["access.log", "cache.log"]
            .map(|name| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .concat()
    }
}

impl Drop for Squid {
    fn drop(&mut self) {
        self.kill();
    }
}

fn configuration(folder: &Path, port: u16, helpers: u16, schemes: &[&str], lines: &str) -> String {
    let at = folder.display();
    let mut text = format!(
        "http_port 127.0.0.1:{port}\n\
         pid_filename none\n\
         cache deny all\n\
         cache_log {at}/cache.log\n\
         coredump_dir {at}\n\
         shutdown_lifetime 0 seconds\n\
         pinger_enable off\n\
         max_filedescriptors 1024\n\
         tcp_outgoing_address 127.0.0.2\n\
         logformat weir %>Hs %rm %ru %[un %#{{Proxy-Authorization}}>h\n\
         access_log stdio:{at}/access.log weir\n\
         logfile_rotate 0\n\
         netdb_filename none\n\
         visible_hostname squid.test\n\
         client_idle_pconn_timeout 30 seconds\n"
    );
    for scheme in schemes {
        text.push_str(&format!("auth_param {scheme} program {at}/helper {helpers} {scheme}\n"));
        text.push_str(&format!("auth_param {scheme} children 8 startup=1 idle=1\n"));
        match *scheme {
            "basic" => text.push_str("auth_param basic realm weir\nauth_param basic credentialsttl 1 hour\n"),
            // A nonce is good for seven requests, so that stale ones happen.
            "digest" => text.push_str("auth_param digest realm weir\nauth_param digest nonce_max_count 7\n"),
            _ => text.push_str(&format!("auth_param {scheme} keep_alive on\n")),
        }
    }
    text.push_str(lines);
    text.push_str(match schemes {
        [] => "\nhttp_access allow all\n",
        _ => "\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n",
    });
    text
}

/// One helper: answers Squid's questions, a line each.
async fn help(stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let Ok(Some(kind)) = lines.next_line().await else { return };
    let mut exchange = Exchange::default();
    while let Ok(Some(line)) = lines.next_line().await {
        asked.lock().unwrap().push(format!("{kind} {line}"));
        let answer = match kind.as_str() {
            "basic" => basic(&line).to_owned(),
            "digest" => digest(&line),
            _ => ntlm(&kind, &line, &mut exchange),
        };
        if writer.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn qualified() -> String {
    format!("{}\\{}", ACCOUNT.domain, ACCOUNT.user)
}

fn basic(line: &str) -> &'static str {
    let plain = |text: &str| {
        let form = format!("x={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(form.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let (user, password) = line.split_once(' ').unwrap_or_default();
    // Squid makes the letters of the name small.
    let is_known = plain(user).eq_ignore_ascii_case(&qualified()) && plain(password) == ACCOUNT.password;
    if is_known { "OK" } else { "ERR" }
}

/// `"user":"realm"`, and the hash of user, realm and password for an answer. Squid 5 loses the backslash of a name, in
/// its question and not in the hash.
fn digest(line: &str) -> String {
    let Some((user, realm)) = line.trim().split_once("\":\"") else { return "ERR".to_owned() };
    let (user, realm) = (user.trim_start_matches('"').replace('\\', ""), realm.trim_end_matches('"'));
    let account = qualified();
    if user != account.replace('\\', "") {
        return "ERR".to_owned();
    }
    let hash = hex::encode(Md5::digest(format!("{account}:{realm}:{}", ACCOUNT.password)));
    format!("OK ha1=\"{hash}\"")
}

fn ntlm(kind: &str, line: &str, exchange: &mut Exchange) -> String {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    let message = BASE64.decode(rest.split(' ').next().unwrap_or_default()).unwrap_or_default();
    match command {
        "YR" if message.is_empty() => "BH no first message".to_owned(),
        "YR" => format!("TT {}", BASE64.encode(exchange.challenge(message))),
        "KK" => match exchange.check(&message, &ACCOUNT) {
            Some(user) if kind == "negotiate" => format!("AF = {user}"),
            Some(user) => format!("AF {user}"),
            None if kind == "negotiate" => "NA = wrong account".to_owned(),
            None => "NA wrong account".to_owned(),
        },
        _ => "BH what".to_owned(),
    }
}

/// A port in front of a server that writes down where connections came from and what was sent.
pub struct Front {
    pub port: u16,
    peers: Arc<Mutex<Vec<IpAddr>>>,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Front {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let front = listener.local_addr().unwrap().port();
        let (peers, sent) = (Arc::<Mutex<Vec<IpAddr>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (seen, kept) = (peers.clone(), sent.clone());
        tokio::spawn(async move {
            while let Ok((client, peer)) = listener.accept().await {
                seen.lock().unwrap().push(peer.ip());
                tokio::spawn(carry(client, port, kept.clone()));
            }
        });
        Self { port: front, peers, sent }
    }

    /// Where its connections came from.
    pub fn peers(&self) -> Vec<IpAddr> {
        self.peers.lock().unwrap().clone()
    }

    /// Was this, in any case, in what clients sent?
    pub fn was_sent(&self, words: &str) -> bool {
        let sent = String::from_utf8_lossy(&self.sent.lock().unwrap()).to_ascii_lowercase();
        sent.contains(&words.to_ascii_lowercase())
    }
}

async fn carry(client: TcpStream, port: u16, kept: Arc<Mutex<Vec<u8>>>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upwards = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        let _ = to_server.shutdown().await;
    };
    let downwards = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(upwards, downwards);
}
