//! The generator holds what it promises.

use std::collections::{HashMap, HashSet};

use sha1::{Digest, Sha1};
use uuid::uuid;

use super::*;
use crate::protocol::document::UpdateDocument;

const DAY: ChangeCounts = ChangeCounts { new: 25, revised: 10, expired: 5 };

#[test]
fn every_document_reads_as_what_it_was_made_as() {
    for revision in Catalogue::generate(400, 7).revisions() {
        let document = UpdateDocument::parse(&revision.document).unwrap();
        assert_eq!(document.key, revision.key);
        assert_eq!(document.kind, revision.kind);
        assert_eq!((document.approvable, document.expired), (revision.approvable, revision.expired));
        let made: Vec<_> = revision
            .files
            .iter()
            .map(|file| (Some(file.sha1), Some(file.sha256), file.size as i64))
            .collect();
        let read: Vec<_> = document.files.iter().map(|file| (file.sha1, file.sha256, file.size)).collect();
        assert_eq!(made, read);
        assert!(!document.title().is_empty());
    }
}

#[test]
fn the_same_seed_gives_the_same_and_another_seed_others() {
    let documents =
        |seed| Catalogue::generate(50, seed).revisions().map(|one| one.document).collect::<Vec<_>>();
    assert_eq!(documents(3), documents(3));
    let keys = |seed| {
        Catalogue::generate(50, seed)
            .revisions()
            .filter(|one| one.approvable)
            .map(|one| one.key)
            .collect::<HashSet<_>>()
    };
    assert!(keys(3).is_disjoint(&keys(4)));
}

#[test]
fn revisions_are_distinct_and_updates_are_counted_as_asked() {
    let mut keys = HashSet::new();
    let mut approvable = HashSet::new();
    for revision in Catalogue::generate(1_000, 1).revisions() {
        assert!(keys.insert(revision.key), "{} twice", revision.key);
        if revision.approvable {
            approvable.insert(revision.key.update_id);
        }
    }
    assert_eq!(approvable.len(), 1_000);
    assert!(keys.len() > 1_500, "{}", keys.len());
}

#[test]
fn a_day_brings_exactly_what_was_asked_and_nothing_twice() {
    let catalogue = Catalogue::generate(1_000, 1);
    let mut current: HashMap<_, _> = HashMap::new();
    for revision in catalogue.revisions().filter(|one| one.approvable) {
        current.insert(revision.key.update_id, revision.expired);
    }
    for day in 1..=3 {
        let (mut new, mut revised, mut expired) = (0, 0, 0);
        for change in catalogue.changes(day, DAY).filter(|one| one.approvable) {
            match (current.insert(change.key.update_id, change.expired), change.expired) {
                (Some(false), true) => expired += 1,
                (Some(false), false) => revised += 1,
                (None, false) => new += 1,
                other => panic!("unexpected {other:?}"),
            }
        }
        assert_eq!((new, revised, expired), (25, 10, 5), "day {day}");
    }
}

#[test]
fn bundles_name_children_that_came_before_them() {
    let mut known = HashSet::new();
    let mut depth_two = 0;
    let mut middles = HashSet::new();
    for revision in Catalogue::generate(300, 1).revisions() {
        let document = UpdateDocument::parse(&revision.document).unwrap();
        for child in document.bundles.iter().flatten() {
            assert!(known.contains(child), "{child}");
            depth_two += usize::from(revision.approvable && middles.contains(child));
        }
        if !document.bundles.is_empty() {
            assert!(revision.files.is_empty());
            if !revision.approvable {
                middles.insert(revision.key);
            }
        }
        known.insert(revision.key);
    }
    assert!(depth_two > 0);
}

#[test]
fn the_default_selection_finds_plenty() {
    let windows = uuid!("6964aab4-c5b5-43bd-a17d-ffb4346a8e1d");
    let mut below: HashSet<_> = [windows].into();
    let mut found = 0;
    for revision in Catalogue::generate(2_000, 1).revisions() {
        let document = UpdateDocument::parse(&revision.document).unwrap();
        let groups: Vec<_> = document
            .prerequisites
            .iter()
            .filter(|group| group.is_category)
            .flat_map(|group| &group.any_of)
            .collect();
        if document.category_type.as_deref() == Some("Product") && groups.iter().any(|id| below.contains(*id))
        {
            below.insert(document.key.update_id);
        }
        let wanted = groups.iter().any(|id| **id == categories::SECURITY || **id == categories::CRITICAL);
        found += usize::from(revision.approvable && wanted && groups.iter().any(|id| below.contains(*id)));
    }
    assert!(found > 400, "{found}");
}

#[test]
fn content_has_the_digest_and_place_it_is_said_to_have() {
    let files: Vec<_> = Catalogue::generate(30, 1).revisions().flat_map(|revision| revision.files).collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = file.content();
        assert_eq!(bytes.len(), file.size);
        assert_eq!(<[u8; 20]>::from(Sha1::digest(&bytes)), file.sha1.0);
        let path = file.relative_path();
        let (folder, name) = path.split_once('/').unwrap();
        assert!(name.starts_with(&file.sha1.to_hex_upper()) && name[..40].ends_with(folder));
    }
}
