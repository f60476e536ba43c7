//! No test may hang: one that runs far longer than any should ends the whole program, and its name is the last word.
//!
//! The test runner has no time limit of its own, and a test that waits for ever would take its name with it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use super::is_torture;

/// The longest test, the gallery of every page, takes about five minutes beside another test on two cores.
const LONGEST: Duration = Duration::from_secs(15 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(5);

static RUNNING: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// Watches the test that calls it, until its thread ends. Calling it again changes nothing.
pub fn watch() {
    static STARTED: Once = Once::new();
    thread_local!(static WATCHED: OnceCell<Watched> = const { OnceCell::new() });

    STARTED.call_once(|| {
        if !is_torture() {
            std::thread::spawn(look_on);
        }
    });
    let thread = std::thread::current();
    // The runner names the thread of a test after the test.
    if let Some(name) = thread.name().filter(|name| name.contains("::")) {
        WATCHED.with(|watched| {
            watched.get_or_init(|| Watched::begin(name));
        });
    }
}

struct Watched(String);

impl Watched {
    fn begin(name: &str) -> Self {
        RUNNING.lock().unwrap().insert(name.to_owned(), Instant::now());
        Self(name.to_owned())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        RUNNING.lock().unwrap().remove(&self.0);
    }
}

fn look_on() {
    loop {
        std::thread::sleep(LOOK_EVERY);
        let overdue: Vec<String> = RUNNING
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, begun)| begun.elapsed() > LONGEST)
            .map(|(name, _)| name.clone())
            .collect();
        if !overdue.is_empty() {
            eprintln!("still running after {} s: {}\n{}", LONGEST.as_secs(), overdue.join(", "), children());
            std::process::exit(1);
        }
    }
}

/// What the program has started and what has not ended, for whoever looks for the cause.
fn children() -> String {
    let own = format!("{}", std::process::id());
    let listed =
        std::process::Command::new("ps").args(["-o", "pid,ppid,etimes,stat,args", "--ppid", &own]).output();
    listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
