//! How much of the machine's memory the private server keeps pages of the database in.

/// In megabytes. Less is not worth a server; more helps nobody with a catalogue of this kind.
const SHARED_MB: (u64, u64) = (64, 512);
/// One part in so many of the machine's memory.
const PART: u64 = 16;

/// The setting for PostgreSQL. Pages are taken as they are used, so a small catalogue takes little.
pub(super) fn shared_buffers() -> String {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    format!("shared_buffers={}MB", shared_mb(&meminfo))
}

fn shared_mb(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total_kb: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    (total_kb / 1_024 / PART).clamp(SHARED_MB.0, SHARED_MB.1)
}

#[cfg(test)]
mod tests {
    use super::shared_mb;

    #[test]
    fn a_sixteenth_of_the_memory_within_limits() {
        let machine = |kb: u64| format!("MemTotal:       {kb} kB\nMemFree:  1 kB\n");
        assert_eq!(shared_mb(&machine(512 << 10)), 64);
        assert_eq!(shared_mb(&machine(4 << 20)), 256);
        assert_eq!(shared_mb(&machine(64 << 20)), 512);
        assert_eq!(shared_mb("nothing of the kind"), 64);
    }
}
