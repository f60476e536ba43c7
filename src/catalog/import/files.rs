//! The files of a batch: each stored once, and those that are known learn what newer revisions tell in addition.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::copy::Copy;
use super::{Fresh, numbers};
use crate::catalog::CatalogError;
use crate::catalog::revision::ImportFile;

/// What is stored of a file.
struct Known {
    row: i32,
    has_sha256: bool,
    mu_url: String,
}

/// Stores the files and which revision has which.
pub(super) async fn store(tx: &Transaction<'_>, fresh: &[Fresh<'_>]) -> Result<(), CatalogError> {
    let mut named: Vec<&ImportFile> = Vec::new();
    let mut seen = HashSet::new();
    for file in fresh.iter().flat_map(|one| &one.revision.files) {
        if seen.insert(file.sha1) {
            named.push(file);
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    let mut known = known(tx, &named).await?;
    learn(tx, &named, &known).await?;
    let new: Vec<&ImportFile> = named.into_iter().filter(|file| !known.contains_key(&file.sha1)).collect();
    for (row, file) in numbers::draw(tx, "files_id_seq", new.len()).await?.into_iter().zip(&new) {
        let (has_sha256, mu_url) = (file.sha256.is_some(), String::new());
        known.insert(file.sha1, Known { row, has_sha256, mu_url });
    }
    insert(tx, &new, &known).await?;
    link(tx, fresh, &known).await
}

async fn known(
    tx: &Transaction<'_>,
    named: &[&ImportFile],
) -> Result<HashMap<[u8; 20], Known>, CatalogError> {
    let digests: Vec<&[u8]> = named.iter().map(|file| file.sha1.as_slice()).collect();
    let sql = "SELECT sha1, id, sha256 IS NOT NULL, mu_url FROM files WHERE sha1 = ANY($1)";
    let mut known = HashMap::with_capacity(named.len());
    for row in tx.query(sql, &[&digests]).await? {
        let sha1: &[u8] = row.try_get(0)?;
        let (number, has_sha256, mu_url) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        if let Ok(sha1) = sha1.try_into() {
            known.insert(sha1, Known { row: number, has_sha256, mu_url });
        }
    }
    Ok(known)
}

/// Another address, the second digest.
async fn learn(
    tx: &Transaction<'_>,
    named: &[&ImportFile],
    known: &HashMap<[u8; 20], Known>,
) -> Result<(), CatalogError> {
    let (mut rows, mut addresses, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for file in named {
        let Some(known) = known.get(&file.sha1) else { continue };
        let moved = !file.mu_url.is_empty() && file.mu_url != known.mu_url;
        if moved || (!known.has_sha256 && file.sha256.is_some()) {
            rows.push(known.row);
            addresses.push(file.mu_url.as_str());
            digests.push(file.sha256.as_ref().map(<[u8; 32]>::as_slice));
        }
    }
    if !rows.is_empty() {
        tx.execute(
            "UPDATE files f SET mu_url = CASE WHEN n.mu_url <> '' THEN n.mu_url ELSE f.mu_url END,
                 sha256 = coalesce(f.sha256, n.sha256)
             FROM unnest($1::int4[], $2::text[], $3::bytea[]) n (id, mu_url, sha256) WHERE f.id = n.id",
            &[&rows, &addresses, &digests],
        )
        .await?;
    }
    Ok(())
}

async fn insert(
    tx: &Transaction<'_>,
    new: &[&ImportFile],
    known: &HashMap<[u8; 20], Known>,
) -> Result<(), CatalogError> {
    if new.is_empty() {
        return Ok(());
    }
    let table = "files (id, sha1, sha256, size, name, patching, mu_url)";
    let types = [Type::INT4, Type::BYTEA, Type::BYTEA, Type::INT8, Type::TEXT, Type::TEXT, Type::TEXT];
    let mut copy = Copy::into(tx, table, &types).await?;
    for file in new {
        let sha256 = file.sha256.as_ref().map(<[u8; 32]>::as_slice);
        let (row, sha1) = (known[&file.sha1].row, file.sha1.as_slice());
        copy.row(&[&row, &sha1, &sha256, &file.size, &file.name, &file.patching, &file.mu_url]).await?;
    }
    copy.end().await
}

async fn link(
    tx: &Transaction<'_>,
    fresh: &[Fresh<'_>],
    known: &HashMap<[u8; 20], Known>,
) -> Result<(), CatalogError> {
    let table = "revision_files (revision_row, file_row)";
    let mut copy = Copy::into(tx, table, &[Type::INT4, Type::INT4]).await?;
    let mut seen = HashSet::new();
    for Fresh { row, revision } in fresh {
        seen.clear();
        for file in revision.files.iter().filter(|file| seen.insert(file.sha1)) {
            copy.row(&[row, &known[&file.sha1].row]).await?;
        }
    }
    copy.end().await
}
