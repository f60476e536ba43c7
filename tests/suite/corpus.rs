//! The fuzzer's seeds, read again, and each with many small changes of a fixed series.
//!
//! A seed called `read-…` must be read and one called `refused-…` must not; of a changed one only the promises of
//! the target are asked: no panic, no hang.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use targets::{TARGETS, Target};

/// Changed copies of each seed.
const CHANGES: usize = 200;
/// What reading one input may take, in a build without optimization on a busy machine.
const SLOWEST: Duration = Duration::from_secs(5);

#[test]
fn seeds_are_read_or_refused_as_their_names_say() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for (path, seed) in seeds {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let wanted = match file.split_once('-') {
                Some(("read", _)) => true,
                Some(("refused", _)) => false,
                // Grown by a fuzz run on this machine.
                _ => continue,
            };
            assert_eq!(target(&seed), wanted, "{}", path.display());
        }
    }
}

#[test]
fn r115_changed_seeds_are_survived() {
    let mut random = StdRng::seed_from_u64(115);
    for (name, target) in TARGETS {
        for (path, seed) in seeds(name) {
            for _ in 0..CHANGES {
                survive(target, &changed(&seed, &mut random), &path);
            }
        }
    }
}

#[track_caller]
fn survive(target: Target, input: &[u8], path: &Path) {
    let start = Instant::now();
    target(input);
    assert!(start.elapsed() < SLOWEST, "{}: {:?}", path.display(), String::from_utf8_lossy(input));
}

/// One to four small changes: a bit flipped, bytes taken out, repeated, overwritten, or the end cut off.
fn changed(seed: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            bytes.push(random.random());
        }
        let from = random.random_range(0..bytes.len());
        let to = (from + random.random_range(1..=16)).min(bytes.len());
        match random.random_range(0..5) {
            0 => bytes[from] ^= 1 << random.random_range(0..8),
            1 => drop(bytes.drain(from..to)),
            2 => {
                let piece = bytes[from..to].to_vec();
                drop(bytes.splice(from..from, piece));
            }
            3 => bytes[from..to].fill_with(|| b"<>&\"'/=\0\xff09 "[random.random_range(0..12)]),
            _ => bytes.truncate(to),
        }
    }
    bytes
}

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}
