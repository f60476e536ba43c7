//! A synthetic catalogue: invented updates in the shapes real ones have, the same for the same seed.
//!
//! Ids of classifications, companies, families and products are the real ones; every update, text and file is made
//! up here. Revisions are made one at a time, so a large catalogue needs no memory.

mod categories;
mod file;
mod fill;
mod random;
#[cfg(test)]
mod tests;
mod updates;
mod words;
mod xml;

pub use file::SampleFile;
pub use fill::{FillError, FillReport, Target, fill, store};

use crate::protocol::document::UpdateKind;
use crate::protocol::ids::RevisionKey;

/// One made-up revision.
#[derive(Debug, Clone)]
pub struct SampleRevision {
    pub key: RevisionKey,
    pub kind: UpdateKind,
    pub approvable: bool,
    pub expired: bool,
    /// The update document.
    pub document: String,
    pub files: Vec<SampleFile>,
}

/// How much happens on one day. Only updates that can be approved are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeCounts {
    pub new: usize,
    pub revised: usize,
    pub expired: usize,
}

/// A catalogue of `updates` updates that can be approved, and all that belongs to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catalogue {
    updates: usize,
    seed: u64,
}

impl Catalogue {
    /// The catalogue of this size and seed.
    pub fn generate(updates: usize, seed: u64) -> Self {
        Self { updates, seed }
    }

    /// Every revision: categories and detectoids first, children before the bundles that name them.
    pub fn revisions(self) -> impl Iterator<Item = SampleRevision> {
        categories::all().chain((0..self.updates).flat_map(move |index| updates::first(self.seed, index)))
    }

    /// What one day brings; `day` counts from 1 and every day has the same counts.
    ///
    /// New updates come after all earlier ones. Revised and expired ones are taken in turn from those of the start
    /// that were not expired, each at most once; when none is left, fewer are returned.
    pub fn changes(self, day: u32, counts: ChangeCounts) -> impl Iterator<Item = SampleRevision> {
        let days_before = day.saturating_sub(1) as usize;
        let first_new = self.updates + days_before * counts.new;
        let turn = counts.revised + counts.expired;
        let new = (first_new..first_new + counts.new).flat_map(move |index| updates::added(self.seed, index));
        let changed = (0..self.updates)
            .filter(move |index| !updates::starts_expired(*index))
            .skip(days_before * turn)
            .take(turn)
            .enumerate()
            .map(move |(place, index)| updates::changed(self.seed, index, day, place >= counts.revised));
        new.chain(changed)
    }
}
