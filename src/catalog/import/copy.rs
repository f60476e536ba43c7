//! Rows on their way into their tables, by binary COPY.

use std::collections::HashSet;
use std::pin::Pin;

use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, ToSql, Type};

use super::Fresh;
use super::numbers::Updates;
use crate::catalog::CatalogError;
use crate::catalog::publish::PublicationId;

/// One COPY. Without [`Copy::end`] nothing of it is kept.
pub(super) struct Copy(Pin<Box<BinaryCopyInWriter>>);

impl Copy {
    /// `table`: its name and its columns; `types` are those of the columns.
    pub async fn into(tx: &Transaction<'_>, table: &str, types: &[Type]) -> Result<Self, CatalogError> {
        let sink = tx.copy_in(&format!("COPY {table} FROM STDIN BINARY")).await?;
        Ok(Self(Box::pin(BinaryCopyInWriter::new(sink, types))))
    }

    pub async fn row(&mut self, values: &[&(dyn ToSql + Sync)]) -> Result<(), CatalogError> {
        Ok(self.0.as_mut().write(values).await?)
    }

    pub async fn end(mut self) -> Result<(), CatalogError> {
        self.0.as_mut().finish().await?;
        Ok(())
    }
}

/// The rows of `revisions`, and the mark that they are not visible yet.
pub(super) async fn revisions(
    tx: &Transaction<'_>,
    publication: PublicationId,
    numbers: &Updates,
    fresh: &[Fresh<'_>],
) -> Result<(), CatalogError> {
    let table =
        "revisions (id, update_row, revision_number, publication_id, kind, approvable, expired, severity,
        category_type, title, description, kb, bulletin, created, details)";
    let types = [
        Type::INT4,
        Type::INT4,
        Type::INT4,
        Type::INT8,
        Type::INT2,
        Type::BOOL,
        Type::BOOL,
        Type::INT2,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::JSONB,
    ];
    let mut copy = Copy::into(tx, table, &types).await?;
    for Fresh { row, revision } in fresh {
        copy.row(&[
            row,
            &numbers[&revision.key.update_id],
            &revision.key.revision,
            &publication.0,
            &revision.kind.code(),
            &revision.approvable,
            &revision.expired,
            &revision.severity,
            &revision.category_type,
            &revision.title,
            &revision.description,
            &revision.kb.join(" "),
            &revision.bulletins.join(" "),
            &revision.created,
            &Json(&revision.details),
        ])
        .await?;
    }
    copy.end().await?;
    let table = "unpublished_revisions (revision_row, kind)";
    let mut copy = Copy::into(tx, table, &[Type::INT4, Type::INT2]).await?;
    for Fresh { row, revision } in fresh {
        copy.row(&[row, &revision.kind.code()]).await?;
    }
    copy.end().await
}

/// The documents as they came.
pub(super) async fn documents(tx: &Transaction<'_>, fresh: &[Fresh<'_>]) -> Result<(), CatalogError> {
    let table = "documents (revision_row, encoding, body)";
    let mut copy = Copy::into(tx, table, &[Type::INT4, Type::INT2, Type::BYTEA]).await?;
    for Fresh { row, revision } in fresh {
        let body: &[u8] = &revision.stored.body;
        copy.row(&[row, &revision.stored.encoding.code(), &body]).await?;
    }
    copy.end().await
}

/// Links to other updates. Documents repeat themselves; a link counts once.
pub(super) async fn relations(
    tx: &Transaction<'_>,
    numbers: &Updates,
    fresh: &[Fresh<'_>],
) -> Result<(), CatalogError> {
    let table = "relations (revision_row, kind, group_number, target_row, target_revision)";
    let types = [Type::INT4, Type::INT2, Type::INT2, Type::INT4, Type::INT4];
    let mut copy = Copy::into(tx, table, &types).await?;
    let mut seen = HashSet::new();
    for Fresh { row, revision } in fresh {
        seen.clear();
        for relation in revision.relations.iter().filter(|relation| seen.insert(**relation)) {
            let target = numbers[&relation.target];
            copy.row(&[row, &relation.kind.code(), &relation.group, &target, &relation.target_revision])
                .await?;
        }
    }
    copy.end().await
}
