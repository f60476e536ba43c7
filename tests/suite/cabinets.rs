//! LZX cabinets as real update servers send them, read back by the product's reader: short texts and long ones, every
//! window, texts that repeat near and far, and texts that do not repeat at all.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use weir::protocol::cabinet::decode;

use crate::support::lzx::{REAL_WINDOW, cabinet};
use crate::support::{is_torture, process};

const LIMIT: usize = 64 << 20;
/// Characters of two bytes that fill one block of a cabinet.
const BLOCK: usize = 16 * 1_024;

#[test]
fn p26_lzx_of_every_length_around_a_block_is_read() {
    for length in [0, 1, 2, 3, 255, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 7] {
        for text in ["a".repeat(length), random_text(&mut StdRng::seed_from_u64(length as u64), length)] {
            assert!(decode(&cabinet(&text, REAL_WINDOW), LIMIT).unwrap() == text, "{length} characters");
        }
    }
}

#[test]
fn p26_lzx_of_some_megabytes_is_read_with_every_window() {
    let rules: String = (0..40_000)
        .map(|number| format!("<bar:FileVersion Path=\"part{:04}.dll\"/>日本 ", number * 7 % 9_973))
        .collect();
    for window in 15..=REAL_WINDOW {
        let packed = cabinet(&rules, window);
        assert!(packed.len() < rules.len() / 3, "{} bytes", packed.len());
        assert!(decode(&packed, LIMIT).unwrap() == rules, "window of 2^{window}");
    }
}

#[test]
fn p26_lzx_of_any_text_is_read() {
    for seed in 0..if is_torture() { 3_000 } else { 60 } {
        let random = &mut StdRng::seed_from_u64(seed);
        let (length, window) = (random.random_range(0..4 * BLOCK), random.random_range(15..=REAL_WINDOW));
        let text = if random.random_bool(0.2) {
            random_text(random, length)
        } else {
            repeating_text(random, length)
        };
        assert!(decode(&cabinet(&text, window), LIMIT).unwrap() == text, "seed {seed}");
    }
}

/// The allocator writes a word that it does not know to the standard error, and goes on without it.
#[tokio::test]
async fn the_program_gives_the_windows_of_cabinets_back_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut version = process::alone(folder.path(), &["--version"]);
    version.env("_RJEM_MALLOC_CONF", "confirm_conf:true");
    let said = process::succeed(version).await.stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("Set conf value: oversize_threshold:1048576"), "{said}");
}

/// Characters of one and two words, none like the one before.
fn random_text(random: &mut StdRng, length: usize) -> String {
    (0..length).map(|_| random.random::<char>()).collect()
}

/// Pieces of itself from near and far, runs of one character, and something new.
fn repeating_text(random: &mut StdRng, length: usize) -> String {
    let mut text: Vec<char> = Vec::new();
    while text.len() < length {
        let many = random.random_range(1..600);
        match random.random_range(0..10) {
            0 => text.extend(std::iter::repeat_n(random.random::<char>(), many * 40)),
            1..3 => text.extend((0..many).map(|_| random.random_range('a'..='z'))),
            _ if text.is_empty() => text.push('<'),
            _ => {
                let back = random.random_range(1..=text.len());
                (0..many).for_each(|_| text.push(text[text.len() - back]));
            }
        }
    }
    text.into_iter().take(length).collect()
}
