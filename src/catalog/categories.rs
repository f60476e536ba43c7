//! The tree of products and the list of classifications.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{CatalogError, Kind, kind};
use crate::db::Keep;
use crate::db::schema::{update_categories, updates};

/// A company, family, product, untyped category or classification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its update id.
    pub id: Uuid,
    /// [`Kind::Category`] or [`Kind::Classification`].
    pub kind: Kind,
    /// `CategoryType` as received; `None` for an untyped one.
    pub category_type: Option<String>,
    /// Title in the default language.
    pub title: String,
    /// What it hangs below, as far as known here; several are possible, and a circle too.
    pub parents: Vec<Uuid>,
    /// Updates that can be approved, are not expired and name it themselves.
    pub updates: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = updates)]
struct Row {
    update_row: i32,
    update_id: Uuid,
    kind: i16,
    category_type: Option<String>,
    title: String,
}

/// Every category and classification that is visible, by title.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<Category>, CatalogError> {
    let kinds = [Kind::Category.code(), Kind::Classification.code()];
    let rows: Vec<Row> = updates::table
        .filter(updates::kind.eq_any(kinds))
        .order((updates::title, updates::update_row))
        .select(Row::as_select())
        .load(conn)
        .await?;
    let links: Vec<(i32, i32)> = update_categories::table
        .inner_join(updates::table.on(updates::update_row.eq(update_categories::update_row)))
        .filter(updates::kind.eq_any(kinds))
        .select((update_categories::update_row, update_categories::category_row))
        .load(conn)
        .await?;
    let counts: HashMap<i32, i64> = update_categories::table
        .inner_join(updates::table.on(updates::update_row.eq(update_categories::update_row)))
        .filter(updates::approvable.and(diesel::dsl::not(updates::expired)))
        .group_by(update_categories::category_row)
        .select((update_categories::category_row, diesel::dsl::count_star()))
        .load(conn)
        .await?
        .into_iter()
        .collect();
    let ids: HashMap<i32, Uuid> = rows.iter().map(|row| (row.update_row, row.update_id)).collect();
    let mut parents: HashMap<i32, Vec<Uuid>> = HashMap::new();
    for (child, parent) in links {
        parents.entry(child).or_default().extend(ids.get(&parent));
    }
    rows.into_iter()
        .map(|row| {
            Ok(Category {
                id: row.update_id,
                kind: kind::from_code(row.kind)?,
                category_type: row.category_type,
                title: row.title,
                parents: parents.remove(&row.update_row).unwrap_or_default(),
                updates: counts.get(&row.update_row).copied().unwrap_or(0),
            })
        })
        .collect()
}

/// A category as a filter offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its update id.
    pub id: Uuid,
    /// Title in the default language.
    pub title: String,
}

/// The classifications, by title.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn classifications(conn: &mut AsyncPgConnection) -> Result<Vec<Choice>, CatalogError> {
    choices(conn, Kind::Classification).await
}

/// Companies, families and products, by title.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn products(conn: &mut AsyncPgConnection) -> Result<Vec<Choice>, CatalogError> {
    choices(conn, Kind::Category).await
}

async fn choices(conn: &mut AsyncPgConnection, kind: Kind) -> Result<Vec<Choice>, CatalogError> {
    let found: Vec<(Uuid, String)> = updates::table
        .filter(updates::kind.eq(kind.code()))
        .order((updates::title, updates::update_row))
        .select((updates::update_id, updates::title))
        .load(conn)
        .await?;
    Ok(found.into_iter().map(|(id, title)| Choice { id, title }).collect())
}

#[derive(QueryableByName)]
struct Below {
    #[diesel(sql_type = Integer)]
    update_row: i32,
}

/// Row numbers of these categories and of everything below them. Ends in a circle too.
pub(super) async fn rows_with_descendants(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
) -> Result<Vec<i32>, CatalogError> {
    let rows: Vec<Below> = diesel::sql_query(
        "WITH RECURSIVE below (update_row) AS (
             SELECT update_row FROM updates WHERE update_id = ANY($1) AND kind IN (2, 3)
             UNION
             SELECT m.update_row FROM below b
             JOIN update_categories m ON m.category_row = b.update_row
             JOIN updates u ON u.update_row = m.update_row AND u.kind IN (2, 3)
         )
         SELECT update_row FROM below",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .kept()
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.update_row).collect())
}
