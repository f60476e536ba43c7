//! Bundles in the histories: with parts of their own and of others, groups of which one is enough, and parts that come
//! a day later or never.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::IndexedRandom;
use uuid::Uuid;
use weir::protocol::ids::RevisionKey;

use super::{Catalogue, History};
use crate::support::documents::Doc;

impl History {
    /// A bundle with those of its parts that come with it, in any order; and those that come later.
    pub(super) fn new_bundle(&mut self) -> (Vec<Doc>, Vec<Doc>) {
        let (mut now, mut late, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.random.random_range(1..=3) {
            let mut group = Vec::new();
            for _ in 0..self.random.random_range(1..=3) {
                let known = self.parts.choose(&mut self.random).copied();
                if let Some(key) = known.filter(|_| self.random.random_bool(0.2)) {
                    // A part of another bundle, perhaps one that only the other source has.
                    if !group.contains(&key) {
                        group.push(key);
                    }
                    continue;
                }
                self.next += 1;
                let part = Doc::part(self.next, 100);
                group.push(part.key);
                self.parts.push(part.key);
                if self.random.random_bool(0.3) { late.push(part) } else { now.push(part) }
            }
            self.bundled[2] += usize::from(group.len() > 1);
            groups.push(group);
        }
        self.bundled[0] += 1;
        let bundle = self.new_document().bundling(groups);
        let place = self.random.random_range(0..=now.len());
        now.insert(place, bundle);
        (now, late)
    }

    /// With this probability each, the parts that are due come.
    pub(super) fn publish_late_parts(&mut self, probability: f64) {
        for (source, part) in std::mem::take(&mut self.late) {
            if self.random.random_bool(probability) {
                self.bundled[1] += 1;
                self.sources[source].publish(vec![part]);
            } else {
                self.late.push((source, part));
            }
        }
    }

    /// Some parts of a bundle in their next revision, which the bundle names from now on.
    pub(super) fn revise_parts(&mut self, source: usize, bundle: &mut Doc) -> Vec<Doc> {
        let mut parts = Vec::new();
        for key in bundle.bundles.iter_mut().flatten() {
            let known = self.sources[source].documents.iter().find(|one| one.key == *key).cloned();
            let Some(mut part) = known.filter(|_| self.random.random_bool(0.4)) else { continue };
            let revised = parts.iter().find(|one: &&Doc| one.key.update_id == key.update_id);
            part.key = revised.map_or_else(|| self.next_key(part.key), |one| one.key);
            *key = part.key;
            if !parts.iter().any(|one| one.key == part.key) {
                parts.push(part);
            }
        }
        parts
    }

    /// Every visible bundle has exactly its groups, whichever of their parts are here.
    pub(super) async fn bundles_are_whole(&self, catalogue: &Catalogue, told: &str) {
        type Groups = BTreeSet<BTreeSet<RevisionKey>>;
        let sql = "SELECT i.update_id, r.revision_number, l.group_number, t.update_id, l.target_revision
                   FROM relations l JOIN revisions r ON r.id = l.revision_row
                   JOIN update_ids i ON i.id = r.update_row JOIN update_ids t ON t.id = l.target_row
                   WHERE l.kind = 3 AND NOT EXISTS (SELECT FROM unpublished_revisions w WHERE w.revision_row = r.id)";
        let mut groups: BTreeMap<RevisionKey, BTreeMap<i16, BTreeSet<RevisionKey>>> = BTreeMap::new();
        for row in self.bench.db.client().await.query(sql, &[]).await.unwrap() {
            let key =
                |update, revision| RevisionKey { update_id: row.get(update), revision: row.get(revision) };
            groups.entry(key(0, 1)).or_default().entry(row.get(2)).or_default().insert(key(3, 4));
        }
        let stored: BTreeMap<RevisionKey, Groups> =
            groups.into_iter().map(|(key, groups)| (key, groups.into_values().collect())).collect();
        let all = self.sources.iter().flat_map(|source| &source.documents);
        let bundles = all.filter(|one| !one.bundles.is_empty() && catalogue.contains_key(&one.key));
        let groups_of =
            |one: &Doc| one.bundles.iter().map(|group| group.iter().copied().collect()).collect::<Groups>();
        let wanted: BTreeMap<_, _> = bundles.map(|one| (one.key, groups_of(one))).collect();
        assert_eq!(stored, wanted, "{told}");
    }

    /// Updates belong to the categories they name, parts to those of the bundles around them.
    pub(super) async fn memberships_are_right(&self, catalogue: &Catalogue, told: &str) {
        let sql = "SELECT u.update_id, c.update_id FROM update_categories m
                   JOIN updates u ON u.update_row = m.update_row AND u.kind = 0
                   JOIN update_ids c ON c.id = m.category_row";
        let rows = self.bench.db.client().await.query(sql, &[]).await.unwrap();
        let stored: BTreeSet<(Uuid, Uuid)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let all = self.sources.iter().flat_map(|source| &source.documents);
        let by_key: BTreeMap<RevisionKey, &Doc> = all.map(|one| (one.key, one)).collect();
        let current: BTreeMap<Uuid, &Doc> =
            catalogue.keys().filter_map(|key| Some((key.update_id, *by_key.get(key)?))).collect(); // keys rise
        let mut wanted = BTreeSet::new();
        let mut belongs = |id: Uuid, to: &Doc| {
            let named = to.products.iter().chain(&to.classifications).filter(|id| current.contains_key(*id));
            wanted.extend(named.map(|category| (id, *category)));
        };
        for one in current.values().filter(|one| !one.is_category()) {
            belongs(one.key.update_id, one);
            for part in one.bundles.iter().flatten().filter(|part| current.contains_key(&part.update_id)) {
                belongs(part.update_id, one);
            }
        }
        let differ: Vec<_> = stored.symmetric_difference(&wanted).take(5).collect();
        assert!(differ.is_empty(), "{told}: stored or wanted only: {differ:?}");
    }
}
