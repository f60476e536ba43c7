//! Numbers of rows: those there are, and new ones drawn before the rows are written.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::copy::Copy;
use crate::catalog::CatalogError;
use crate::catalog::revision::ImportRevision;

/// Rows of `update_ids`.
pub(super) type Updates = HashMap<Uuid, i32>;

/// Row numbers of every id the batch mentions, made where needed.
pub(super) async fn updates(
    tx: &Transaction<'_>,
    batch: &[&ImportRevision],
) -> Result<Updates, CatalogError> {
    let targets = batch.iter().flat_map(|revision| revision.relations.iter().map(|relation| relation.target));
    let mut missing: HashSet<Uuid> =
        batch.iter().map(|revision| revision.key.update_id).chain(targets).collect();
    let ids: Vec<Uuid> = missing.iter().copied().collect();
    let found = tx.query("SELECT update_id, id FROM update_ids WHERE update_id = ANY($1)", &[&ids]).await?;
    let mut numbers = HashMap::with_capacity(ids.len());
    for row in found {
        let id = row.try_get(0)?;
        missing.remove(&id);
        numbers.insert(id, row.try_get(1)?);
    }
    if missing.is_empty() {
        return Ok(numbers);
    }
    let drawn = draw(tx, "update_ids_id_seq", missing.len()).await?;
    let mut copy = Copy::into(tx, "update_ids (id, update_id)", &[Type::INT4, Type::UUID]).await?;
    for (number, id) in drawn.into_iter().zip(missing) {
        copy.row(&[&number, &id]).await?;
        numbers.insert(id, number);
    }
    copy.end().await?;
    Ok(numbers)
}

/// So many new numbers of a sequence, rising.
pub(super) async fn draw(
    tx: &Transaction<'_>,
    sequence: &str,
    count: usize,
) -> Result<Vec<i32>, CatalogError> {
    let sql = "SELECT nextval($1::text::regclass)::int4 FROM generate_series(1, $2::int8)";
    let rows = tx.query(sql, &[&sequence, &(count as i64)]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
