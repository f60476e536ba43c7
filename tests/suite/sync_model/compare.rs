//! The model's side: what a run must have brought, and what it may have.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use weir::protocol::ids::RevisionKey;
use weir::sync::runs::{Run, RunState};

use super::disturb::Disturbance;
use super::{Catalogue, History};
use crate::support::documents::Doc;

impl History {
    /// What the present source offers of the present choice, categories included; and what a run before left
    /// unfinished, perhaps from the other source, which becomes visible with the next good one.
    pub(super) fn offered(&self) -> Catalogue {
        let source = &self.sources[self.choice.source];
        // A family stands for the products known after the category step, whichever source told of them.
        let known = |id: &Uuid| {
            let told = source.documents.iter().any(|one| one.is_category() && one.key.update_id == *id);
            told || self.catalogue.keys().chain(&self.left_over).any(|key| key.update_id == *id)
        };
        let of_itself = |document: &Doc| {
            let product = document
                .products
                .iter()
                .any(|id| self.choice.products.contains(id) || self.choice.family && known(id));
            product && document.classifications.iter().any(|id| self.choice.classifications.contains(id))
        };
        let chosen = |document: &Doc| of_itself(document) || source.bundles_of(document).any(of_itself);
        let wanted = source.documents.iter().filter(|document| document.is_category() || chosen(document));
        let left_over = self.left_over.iter().map(|key| (*key, false));
        wanted.map(|document| (document.key, document.is_expired())).chain(left_over).collect()
    }

    /// Compares the database with the model, and lets the model know what the run was allowed to decide.
    pub(super) async fn compare(
        &mut self,
        run: &Run,
        disturbance: Disturbance,
        at_least: &Catalogue,
        at_most: &Catalogue,
    ) {
        let told = || {
            format!("seed {} run {} {disturbance:?} {:?} {:?}", self.seed, run.id, run.state(), run.error())
        };
        let source = self.choice.source;
        let (visible, owed) = (self.bench.stored().await, self.owed_now(source).await);
        let (before, owed_before) = (&self.catalogue, &self.owed[source]);
        let expired_of = |key: &RevisionKey| {
            let all = self.sources.iter().flat_map(|source| &source.documents);
            all.clone().find(|one| one.key == *key).is_some_and(Doc::is_expired)
        };
        let lost: Vec<_> = before.keys().filter(|key| !visible.contains(key)).collect();
        assert!(lost.is_empty(), "{}: gone: {lost:?}", told());
        let allowed = |key: &RevisionKey| {
            before.contains_key(key) || at_most.contains_key(key) || owed_before.contains(key)
        };
        let strange: Vec<_> = visible.iter().chain(&owed).filter(|key| !allowed(key)).collect();
        let few: Vec<_> = strange.iter().take(5).collect();
        assert!(
            strange.is_empty(),
            "{}: nobody asked for {} of them: {few:?} {:?}",
            told(),
            strange.len(),
            self.choice
        );
        let ended_well = [RunState::Succeeded, RunState::SucceededWithProblems].contains(&run.state());
        if ended_well {
            // A product that is owed itself is not in its family yet; with it come its updates, in the next run.
            let waits = |key: &RevisionKey| {
                let document = self.sources[source].documents.iter().find(|one| one.key == *key);
                let owed = |id: &Uuid| owed.iter().any(|key| key.update_id == *id);
                let is_named = |id: &Uuid| self.choice.products.contains(id);
                let waits = |one: &Doc| one.products.iter().all(|id| !is_named(id) && owed(id));
                document.is_some_and(|document| match document.is_part() {
                    true => {
                        let due = |bundle: &Doc| {
                            bundle.products.iter().any(is_named)
                                && bundle
                                    .classifications
                                    .iter()
                                    .any(|id| self.choice.classifications.contains(id))
                        };
                        let bundles = || self.sources[source].bundles_of(document);
                        bundles().any(waits) && !bundles().any(due)
                    }
                    false => !document.is_category() && waits(document),
                })
            };
            let due = at_least.keys().chain(owed_before).filter(|key| !waits(key));
            let missing: Vec<_> = due.filter(|key| !visible.contains(key) && !owed.contains(key)).collect();
            assert!(missing.is_empty(), "{}: neither stored nor owed: {missing:?}", told());
            assert_eq!(run.state() == RunState::Succeeded, owed.is_empty(), "{}: owed {owed:?}", told());
        }
        if disturbance == Disturbance::Nothing {
            assert!(ended_well, "{}", told());
            let hopeless: BTreeSet<_> = at_least
                .keys()
                .chain(owed_before)
                .filter(|key| self.sources[source].lost.contains(key) && !before.contains_key(key))
                .copied()
                .collect();
            assert_eq!(owed, hopeless, "{}", told());
        }
        let catalogue: Catalogue = visible.iter().map(|key| (*key, expired_of(key))).collect();
        self.current_is_highest(&catalogue, &told()).await;
        self.bundles_are_whole(&catalogue, &told()).await;
        self.memberships_are_right(&catalogue, &told()).await;
        if !ended_well {
            // Readers see the catalogue before or after a commit point, and updates have one at the very end only.
            let all = self.sources.iter().flat_map(|source| &source.documents);
            let categories: BTreeSet<_> = all.filter(|one| one.is_category()).map(|one| one.key).collect();
            let updates =
                |keys: &BTreeSet<RevisionKey>| keys.difference(&categories).copied().collect::<BTreeSet<_>>();
            let before: BTreeSet<_> = before.keys().copied().collect();
            assert_eq!(updates(&visible), updates(&before), "{}: half a run is visible", told());
        }
        self.catalogue = catalogue;
        self.owed[source] = owed;
    }

    /// Pages show each update once, in its highest revision.
    pub(super) async fn current_is_highest(&self, catalogue: &Catalogue, told: &str) {
        let mut highest: BTreeMap<Uuid, (i32, bool)> = BTreeMap::new();
        for (key, expired) in catalogue {
            highest.insert(key.update_id, (key.revision, *expired)); // keys rise
        }
        let sql = "SELECT update_id, revision_number, expired FROM updates";
        let rows = self.bench.db.client().await.query(sql, &[]).await.unwrap();
        let shown: BTreeMap<Uuid, (i32, bool)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        assert_eq!(shown, highest, "{told}");
    }
}
