//! A batch turned by ninety degrees: one vector for each column.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::catalog::revision::ImportRevision;

/// The columns of `revisions`.
#[derive(Default)]
pub(super) struct RevisionColumns<'a> {
    pub update_row: Vec<i32>,
    pub number: Vec<i32>,
    pub kind: Vec<i16>,
    pub approvable: Vec<bool>,
    pub expired: Vec<bool>,
    pub severity: Vec<i16>,
    pub category_type: Vec<Option<&'a str>>,
    pub title: Vec<&'a str>,
    pub description: Vec<&'a str>,
    pub kb: Vec<String>,
    pub bulletin: Vec<String>,
    pub created: Vec<DateTime<Utc>>,
    pub details: Vec<Value>,
}

impl<'a> RevisionColumns<'a> {
    pub fn of(rows: &HashMap<Uuid, i32>, batch: &[&'a ImportRevision]) -> Self {
        let mut columns = Self::default();
        for revision in batch {
            columns.update_row.push(rows[&revision.key.update_id]);
            columns.number.push(revision.key.revision);
            columns.kind.push(revision.kind.code());
            columns.approvable.push(revision.approvable);
            columns.expired.push(revision.expired);
            columns.severity.push(revision.severity);
            columns.category_type.push(revision.category_type.as_deref());
            columns.title.push(&revision.title);
            columns.description.push(&revision.description);
            columns.kb.push(revision.kb.join(" "));
            columns.bulletin.push(revision.bulletins.join(" "));
            columns.created.push(revision.created);
            columns.details.push(details(revision));
        }
        columns
    }
}

/// The columns of `relations`.
#[derive(Default)]
pub(super) struct RelationColumns {
    pub revision_row: Vec<i32>,
    pub kind: Vec<i16>,
    pub group_number: Vec<i16>,
    pub target_row: Vec<i32>,
    pub target_revision: Vec<Option<i32>>,
}

impl RelationColumns {
    pub fn of(rows: &HashMap<Uuid, i32>, fresh: &[(i32, &ImportRevision)]) -> Self {
        let mut columns = Self::default();
        let mut seen = HashSet::new();
        for (row, revision) in fresh {
            seen.clear();
            // Documents repeat themselves; a link counts once.
            for relation in revision.relations.iter().filter(|relation| seen.insert(**relation)) {
                columns.revision_row.push(*row);
                columns.kind.push(relation.kind.code());
                columns.group_number.push(relation.group);
                columns.target_row.push(rows[&relation.target]);
                columns.target_revision.push(relation.target_revision);
            }
        }
        columns
    }
}

/// The columns of `files`, each file once, and those of `revision_files`.
#[derive(Default)]
pub(super) struct FileColumns<'a> {
    pub sha1: Vec<&'a [u8]>,
    pub sha256: Vec<Option<&'a [u8]>>,
    pub size: Vec<i64>,
    pub name: Vec<&'a str>,
    pub patching: Vec<&'a str>,
    pub mu_url: Vec<&'a str>,
    pub link_row: Vec<i32>,
    pub link_sha1: Vec<&'a [u8]>,
}

impl<'a> FileColumns<'a> {
    pub fn of(fresh: &[(i32, &'a ImportRevision)]) -> Self {
        let mut columns = Self::default();
        let mut seen = HashSet::new();
        for (row, revision) in fresh {
            for file in &revision.files {
                columns.link_row.push(*row);
                columns.link_sha1.push(&file.sha1);
                if seen.insert(file.sha1) {
                    columns.sha1.push(&file.sha1);
                    columns.sha256.push(file.sha256.as_ref().map(<[u8; 32]>::as_slice));
                    columns.size.push(file.size);
                    columns.name.push(&file.name);
                    columns.patching.push(&file.patching);
                    columns.mu_url.push(&file.mu_url);
                }
            }
        }
        columns
    }
}

/// Whether any text of the revision holds a NUL character, which PostgreSQL cannot store.
pub(super) fn holds_nul(revision: &ImportRevision) -> bool {
    let texts = [&revision.title, &revision.description].into_iter();
    let files = revision.files.iter().flat_map(|file| [&file.name, &file.patching, &file.mu_url]);
    texts
        .chain(&revision.kb)
        .chain(&revision.bulletins)
        .chain(&revision.category_type)
        .chain(files)
        .any(|text| text.contains('\0'))
        || value_holds_nul(&details(revision))
}

fn value_holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(value_holds_nul),
        Value::Object(fields) => fields.values().any(value_holds_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The details as JSON. A struct of strings, lists and flags always has a JSON form.
fn details(revision: &ImportRevision) -> Value {
    serde_json::to_value(&revision.details).unwrap_or_default()
}
