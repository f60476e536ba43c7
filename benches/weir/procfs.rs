//! What Linux tells of processes: time they computed, memory they took, the load of the machine.

use std::fs;
use std::time::Duration;

/// `USER_HZ`: the unit of the times in /proc, 100 a second on every architecture we run on.
const TICKS_PER_SECOND: u64 = 100;

/// A line of `/proc/PID/stat`, the parts that are used here.
pub struct Stat {
    pub state: char,
    parent: u32,
    /// User and system time of the process.
    pub own: Duration,
    /// The same of the children it has waited for.
    waited: Duration,
}

/// `None` when there is no such process.
pub fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    let number = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok());
    let ticks = |place: usize| Some(Duration::from_millis(number(place)? * 1_000 / TICKS_PER_SECOND));
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: number(1)? as u32,
        own: ticks(11)? + ticks(12)?,
        waited: ticks(13)? + ticks(14)?,
    })
}

/// Highest memory the process had at once, in bytes; `None` when it is gone.
pub fn peak_bytes(pid: u32) -> Option<u64> {
    memory(pid, "VmHWM:")
}

/// Memory the process has now, in bytes.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    memory(pid, "VmRSS:")
}

/// From now on, [`peak_bytes`] tells of what comes.
pub fn forget_peak(pid: u32) -> std::io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

/// Bytes the process read from files so far; what comes over connections is not among them.
pub fn read_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("rchar: "))?.parse().ok()
}

fn memory(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb * 1_024)
}

/// Time that a process and its children computed, those that have ended and those that have not.
pub fn family_cpu(pid: u32) -> Duration {
    let Some(head) = stat(pid) else { return Duration::ZERO };
    let children = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = children.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat);
    let living: Duration = children.filter(|child| child.parent == pid).map(|child| child.own).sum();
    head.own + head.waited + living
}

/// Programs that want to run, on average over the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// Processors of this machine and its memory in bytes.
pub fn machine() -> (usize, u64) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kb: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    (std::thread::available_parallelism().map_or(1, Into::into), kb * 1_024)
}
