//! The catalogue of the scripted update server, each document encoded once.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, anyhow};
use uuid::Uuid;
use weir::protocol::cabinet;
use weir::protocol::document::UpdateDocument;
use weir::protocol::ids::RevisionKey;
use weir::protocol::server_sync::{
    GetUpdateDataReply, IdAndDelta, Reply, RevisionFilter, UpdateBlob, UpdateData,
};
use weir::protocol::soap::SoapVersion;
use weir::sample::SampleRevision;

use super::widen::{has_rules, widen};
use super::{State, lzx};

/// UTF-16 bytes above which a document travels in a cabinet. Source: what real servers were seen to do.
const PLAIN_BYTES_MAX: usize = 5_120;
/// One cabinet in this many is MSZIP; the others are LZX.
const MSZIP_EVERY: u128 = 100;
/// The one very large document comes after so many others.
const LARGE_AT: usize = 500;
/// Documents that are made together.
const BATCH: usize = 512;
const OPEN: &[u8] = b"<updates>";
const CLOSE: &[u8] = b"</updates>";

/// One revision, ready to be sent.
struct Entry {
    key: RevisionKey,
    changed: u64,
    is_category: bool,
    /// What its prerequisites with the mark of a category name.
    categories: Vec<Uuid>,
    /// Revisions that travel with it.
    parts: Vec<RevisionKey>,
    /// Its element in an answer.
    element: Vec<u8>,
}

/// An entry that is not on the shelf yet.
struct Made {
    entry: Entry,
    is_cabinet: bool,
    /// Of the document in UTF-16.
    unpacked_bytes: u64,
}

/// Everything there is, in the order of its publication.
#[derive(Default)]
pub struct Shelf {
    entries: Vec<Entry>,
    /// The one very large document is among them.
    has_large: bool,
    places: HashMap<RevisionKey, usize>,
    /// Counts publications; the anchors.
    pub clock: u64,
    pub state: State,
}

impl Shelf {
    /// Adds what was published together. Documents are made on two threads.
    pub fn publish(&mut self, revisions: impl Iterator<Item = SampleRevision>) -> Result<()> {
        self.clock += 1;
        let mut revisions = revisions.peekable();
        while revisions.peek().is_some() {
            let mut batch: Vec<(SampleRevision, bool)> = Vec::with_capacity(BATCH);
            for revision in revisions.by_ref().take(BATCH) {
                let place = self.entries.len() + batch.len();
                let large = place >= LARGE_AT && !self.has_large && has_rules(&revision);
                self.has_large |= large;
                batch.push((revision, large));
            }
            let (first, second) = batch.split_at(batch.len() / 2);
            let (first, second) = std::thread::scope(|scope| {
                let first = scope.spawn(|| first.iter().map(make).collect::<Result<Vec<Made>>>());
                let second = second.iter().map(make).collect::<Result<Vec<Made>>>();
                (first.join(), second)
            });
            let first = first.map_err(|_| anyhow!("making a document panicked"))??;
            first.into_iter().chain(second?).for_each(|made| self.add(made));
        }
        Ok(())
    }

    fn add(&mut self, made: Made) {
        self.state.revisions += 1;
        self.state.cabinets += u64::from(made.is_cabinet);
        self.state.unpacked_bytes += made.unpacked_bytes;
        self.state.wire_bytes += made.entry.element.len() as u64;
        self.places.insert(made.entry.key, self.entries.len());
        self.entries.push(Entry { changed: self.clock, ..made.entry });
    }

    /// What a filter lists, with everything that belongs to it.
    pub fn list(&self, filter: &RevisionFilter) -> Vec<RevisionKey> {
        let since = filter.anchor.as_ref().and_then(|anchor| anchor.as_str().parse().ok()).unwrap_or(0);
        // Anchors rise, so what is newer stands at the end; without the mark, older ones are asked for too.
        let recent = |list: &[IdAndDelta]| list.iter().all(|item| item.delta);
        let only_recent = recent(&filter.categories) && recent(&filter.classifications);
        let from = match only_recent {
            true => self.entries.partition_point(|entry| entry.changed <= since),
            false => 0,
        };
        let entries = &self.entries[from..];
        if filter.get_config {
            return entries.iter().filter(|entry| entry.is_category).map(|entry| entry.key).collect();
        }
        let set = |list: &[IdAndDelta]| list.iter().map(|item| item.id).collect::<HashSet<Uuid>>();
        let (products, classifications) = (set(&filter.categories), set(&filter.classifications));
        let named = |entry: &Entry, ids: &HashSet<Uuid>| entry.categories.iter().any(|id| ids.contains(id));
        let chosen = entries
            .iter()
            .filter(|entry| !entry.is_category && named(entry, &products) && named(entry, &classifications));
        let mut listed = HashSet::new();
        let mut waiting: Vec<&Entry> = chosen.collect();
        while let Some(entry) = waiting.pop() {
            if listed.insert(entry.key) {
                waiting.extend(entry.parts.iter().filter_map(|key| self.find(key)));
            }
        }
        listed.into_iter().collect()
    }

    /// The elements of these revisions, one after the other; `None` when one of them is unknown.
    pub fn elements(&self, keys: &[RevisionKey]) -> Option<Vec<&[u8]>> {
        keys.iter().map(|key| self.find(key).map(|entry| entry.element.as_slice())).collect()
    }

    fn find(&self, key: &RevisionKey) -> Option<&Entry> {
        self.places.get(key).map(|place| &self.entries[*place])
    }
}

/// Makes a document as real servers send it, and its element.
fn make((revision, large): &(SampleRevision, bool)) -> Result<Made> {
    let text = widen(revision, *large);
    let document = UpdateDocument::parse(&text)?;
    let marked = document.prerequisites.iter().filter(|group| group.is_category);
    let unpacked_bytes = text.encode_utf16().count() * 2;
    let is_cabinet = unpacked_bytes > PLAIN_BYTES_MAX;
    let blob = match (is_cabinet, revision.key.update_id.as_u128() % MSZIP_EVERY) {
        (false, _) => UpdateBlob::Text(text),
        (true, 0) => UpdateBlob::Compressed(cabinet::encode_mszip(&text)?),
        (true, _) => UpdateBlob::Compressed(lzx::cabinet(&text, lzx::REAL_WINDOW)),
    };
    let entry = Entry {
        key: revision.key,
        changed: 0,
        is_category: revision.kind.is_configuration(),
        categories: marked.flat_map(|group| group.any_of.iter().copied()).collect(),
        parts: document.bundles.concat(),
        element: element(revision.key, blob)?,
    };
    Ok(Made { entry, is_cabinet, unpacked_bytes: unpacked_bytes as u64 })
}

/// What stands before and after the elements of an answer.
pub fn frame() -> Result<(Vec<u8>, Vec<u8>)> {
    let update = UpdateData {
        key: RevisionKey { update_id: Uuid::from_u128(1), revision: 1 },
        blob: UpdateBlob::Text("x".to_owned()),
        file_digests: Vec::new(),
    };
    let whole = answer(update);
    let (start, end) = inside(&whole)?;
    Ok((whole[..start].to_vec(), whole[end..].to_vec()))
}

fn element(key: RevisionKey, blob: UpdateBlob) -> Result<Vec<u8>> {
    let whole = answer(UpdateData { key, blob, file_digests: Vec::new() });
    let (start, end) = inside(&whole)?;
    Ok(whole[start..end].to_vec())
}

fn answer(update: UpdateData) -> Vec<u8> {
    GetUpdateDataReply { updates: vec![update], file_urls: Vec::new() }.to_bytes(SoapVersion::V11)
}

/// Where the list of an answer begins and ends. What is escaped inside holds no tag.
fn inside(whole: &[u8]) -> Result<(usize, usize)> {
    let find = |tag: &[u8]| whole.windows(tag.len()).position(|window| window == tag);
    let start = find(OPEN).context("an answer has a list")? + OPEN.len();
    Ok((start, find(CLOSE).context("a list has an end")?))
}
