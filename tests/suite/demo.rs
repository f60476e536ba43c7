//! `weir demo`, the whole of it, as somebody sees it who tries Weir out.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

const START_WAIT: Duration = Duration::from_secs(240);
const STOP_WAIT: Duration = Duration::from_secs(60);

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn demo(console: u16, services: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .args(["demo", "--updates", "40"])
        .env("WEIR_CONSOLE_PORT", console.to_string())
        .env("WEIR_SERVICES_PORT", services.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[tokio::test]
async fn i2_the_demo_tells_how_to_sign_in_and_leaves_nothing_behind() {
    let (console, services) = (free_port(), free_port());
    let mut child = demo(console, services).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut address, mut password, mut folder) = (String::new(), String::new(), String::new());
    timeout(START_WAIT, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [.., "at", url] if url.starts_with("http") => address = (*url).to_owned(),
                ["Password", secret] => password = (*secret).to_owned(),
                [path, "and", "removed", ..] => folder = path.trim_matches(['(', ')']).to_owned(),
                ["Press", ..] => return,
                _ => {}
            }
        }
        panic!("the demo ended early");
    })
    .await
    .unwrap();
    assert_eq!(address, format!("http://127.0.0.1:{console}/"));
    assert!(password.len() > 15, "{password}");
    assert!(std::path::Path::new(&folder).is_dir(), "{folder}");
    let page = reqwest::get(&address).await.unwrap();
    assert!(page.url().path().contains("login"), "{}", page.url());

    kill(Pid::from_raw(child.id().unwrap() as i32), Signal::SIGTERM).unwrap();
    let status = timeout(STOP_WAIT, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
    assert!(!std::path::Path::new(&folder).exists(), "{folder}");
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, console)).is_ok());
}

#[tokio::test]
async fn a_port_in_use_is_named_before_anything_starts() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = timeout(START_WAIT, demo(port, free_port()).output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&port.to_string()) && told.contains("WEIR_CONSOLE_PORT"), "{told}");
}
