//! Files to be fetched: made from a seed, below a folder that a web server gives out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use weir::content::FileFacts;
use weir::protocol::ids::{Sha1Digest, Sha256Digest};

const SEED: u64 = 11;
/// Bytes that files are made of; each begins with its number.
const POOL_BYTES: usize = 8 << 20;
/// How far sizes lie apart: one in ten is ten times the one in the middle. Source: files of real catalogues.
const SPREAD: f64 = 1.78;
/// Below the folder, as on an update server.
pub const CONTENT: &str = "Content";
const THREADS: usize = 2;

/// A folder of files.
pub struct Files {
    pub root: PathBuf,
    pub facts: Vec<FileFacts>,
    pub bytes: u64,
}

/// Sizes as real files have them: most are small, a few are large, together about `bytes`.
pub fn mixed_sizes(count: usize, bytes: u64) -> Vec<u64> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut normal = || {
        let (one, other): (f64, f64) = (random.random_range(1e-9..1.0), random.random_range(0.0..1.0));
        (-2.0 * one.ln()).sqrt() * (other * std::f64::consts::TAU).cos()
    };
    let shares: Vec<f64> = (0..count).map(|_| (normal() * SPREAD).exp()).collect();
    let all: f64 = shares.iter().sum();
    shares.iter().map(|share| (bytes as f64 * share / all) as u64).collect()
}

impl Files {
    /// Writes files of these sizes; none is shorter than its number.
    pub fn make(root: &Path, sizes: &[u64]) -> Result<Self> {
        let mut pool = vec![0; POOL_BYTES];
        StdRng::seed_from_u64(SEED).fill_bytes(&mut pool);
        let mut facts = Vec::with_capacity(sizes.len());
        for (number, size) in sizes.iter().enumerate() {
            let mut content = number.to_le_bytes().to_vec();
            while (content.len() as u64) < *size {
                let rest = usize::try_from(*size)? - content.len();
                content.extend_from_slice(&pool[..rest.min(POOL_BYTES)]);
            }
            let one = FileFacts {
                sha1: Sha1Digest(Sha1::digest(&content).into()),
                sha256: Some(Sha256Digest(Sha256::digest(&content).into())),
                size: content.len() as u64,
                name: format!("file-{number}.cab"),
            };
            let path = root.join(CONTENT).join(one.place());
            fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            fs::write(path, content)?;
            facts.push(one);
        }
        let bytes = facts.iter().map(|one| one.size).sum();
        Ok(Self { root: root.to_owned(), facts, bytes })
    }

    /// Every file is below `folder`, with both digests.
    pub fn check(&self, folder: &Path) -> Result<()> {
        let share = self.facts.len().div_ceil(THREADS).max(1);
        std::thread::scope(|scope| {
            let checking: Vec<_> = self
                .facts
                .chunks(share)
                .map(|part| scope.spawn(|| part.iter().try_for_each(|one| check(folder, one))))
                .collect();
            checking
                .into_iter()
                .try_for_each(|one| one.join().unwrap_or_else(|_| anyhow::bail!("a check panicked")))
        })
    }
}

fn check(folder: &Path, file: &FileFacts) -> Result<()> {
    let place = file.place();
    let content = fs::read(folder.join(&place)).with_context(|| format!("{place} did not come"))?;
    ensure!(<[u8; 20]>::from(Sha1::digest(&content)) == file.sha1.0, "{place} has another SHA-1");
    let sha256 = file.sha256.context("every file has a SHA-256")?;
    ensure!(<[u8; 32]>::from(Sha256::digest(&content)) == sha256.0, "{place} has another SHA-256");
    Ok(())
}
