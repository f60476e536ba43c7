//! Names with many addresses. The program runs with a list of names of its own, in a mount namespace.

use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use weir::sync::runs;

use crate::support::documents::{self, PRODUCT};
use crate::support::options::{change_options, use_upstream};
use crate::support::upstream::Upstream;
use crate::support::{TestDatabase, process};

/// Puts the list of names in place, then becomes what follows.
const WITH_NAMES: &str = r#"mount --bind "$1" /etc/hosts || exit 99; shift; exec "$@""#;

/// `weir` with `many.example` at these addresses. `None` where this account may not make namespaces.
async fn weir_knowing(addresses: &[Ipv4Addr], db: &TestDatabase, args: &[&str]) -> Option<Output> {
    let data = tempfile::tempdir().unwrap();
    let names = data.path().join("hosts");
    let lines: Vec<String> = addresses.iter().map(|address| format!("{address} many.example\n")).collect();
    std::fs::write(&names, lines.concat()).unwrap();
    let plain = process::weir(db, data.path(), args);
    let mut command = Command::new("unshare");
    command.args(if nix::unistd::geteuid().is_root() { &["-m"][..] } else { &["-rm"] });
    command.args(["sh", "-c", WITH_NAMES, "sh"]).arg(&names).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = process::output(command).await;
    let refused = output.status.code() == Some(99) || output.stderr.starts_with(b"unshare:");
    assert_eq!(output.status.signal(), None);
    if refused {
        println!("no namespaces here: {}", String::from_utf8_lossy(&output.stderr));
    }
    (!refused).then_some(output)
}

/// The addresses 127.0.1.1 to 127.0.1.`count`.
fn others(count: u8) -> Vec<Ipv4Addr> {
    (1..=count).map(|last| Ipv4Addr::new(127, 0, 1, last)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r069_one_good_address_among_many_dead_ones_is_found() {
    let (db, upstream) = (TestDatabase::create().await, Upstream::start().await);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 5));
    change_options(&db, |options| {
        use_upstream(options, upstream.port());
        options.source.server = "many.example".to_owned();
    })
    .await;
    let all = [others(12), vec![Ipv4Addr::LOCALHOST]].concat();
    let Some(output) = weir_knowing(&all, &db, &["sync", "--wait"]).await else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let Some(output) = weir_knowing(&others(12), &db, &["sync", "--wait"]).await else { return };
    assert!(!output.status.success());
    let run = runs::last_finished(&mut *db.conn().await).await.unwrap().unwrap();
    let error = run.error().unwrap();
    assert_eq!((error.hop.as_str(), error.code.as_str()), ("TCP", "UssNotFound"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r069_many_silent_addresses_end_within_the_one_limit_for_connecting() {
    let db = TestDatabase::create().await;
    // Listeners whose queue is full answer nothing at all.
    let addresses = others(8);
    let (mut port, mut kept, mut queue) = (0, Vec::new(), Vec::new());
    for address in &addresses {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((*address, port).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let at = listener.local_addr().unwrap();
        port = at.port();
        queue.extend((0..8).map(|_| tokio::spawn(TcpStream::connect(at))));
        kept.push(listener);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    change_options(&db, |options| {
        use_upstream(options, port);
        options.source.server = "many.example".to_owned();
    })
    .await;
    let begun = Instant::now();
    let Some(output) = weir_knowing(&addresses, &db, &["doctor"]).await else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert!(text.contains("no answer within") || text.contains("did not answer"), "{text}");
    drop((kept, queue));
}
