//! One update with everything its page shows.

use chrono::{DateTime, Utc};
use diesel::dsl::not;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::revision::{RelationKind, RevisionDetails};
use super::texts::{self, TitleIn};
use super::{CatalogError, Kind, circle, kind, publish};
use crate::db::schema::{
    files, relations, revision_files, revisions, update_categories, update_ids, updates,
};

pub use super::circle::LEVELS_MAX;

/// Most entries of each list on the page; a cumulative update can name thousands.
pub const LIST_MAX: usize = 500;

/// An update as its own page shows it: facts of the current revision.
#[derive(Debug, Clone)]
pub struct UpdateDetail {
    /// The update.
    pub update_id: Uuid,
    /// Number of the current revision.
    pub revision_number: i32,
    /// What it is.
    pub kind: Kind,
    /// Whether it can be approved; if not, it is a part of others or describes others.
    pub approvable: bool,
    /// Whether the current revision was withdrawn.
    pub expired: bool,
    /// Whether another update replaces it.
    pub superseded: bool,
    /// 0 unspecified, 1 low, 2 moderate, 3 important, 4 critical.
    pub severity: i16,
    /// Title in the default language.
    pub title: String,
    /// Description in the default language.
    pub description: String,
    /// Article numbers, digits only.
    pub kb: Vec<String>,
    /// Security bulletin ids.
    pub bulletins: Vec<String>,
    /// When the current revision was released.
    pub created: DateTime<Utc>,
    /// When the update became visible here.
    pub arrived_at: DateTime<Utc>,
    /// Title and description by language.
    pub titles: Vec<TitleIn>,
    /// The rest of the facts.
    pub details: RevisionDetails,
    /// Its products.
    pub products: Vec<Named>,
    /// Its classifications.
    pub classifications: Vec<Named>,
    /// Every revision that is visible, newest first.
    pub revisions: Vec<RevisionLine>,
    /// Its files.
    pub files: Vec<FileLine>,
    /// What must be there first: one group after the other, any one of a group is enough.
    pub prerequisites: Vec<Vec<Named>>,
    /// What it replaces.
    pub supersedes: Vec<Named>,
    /// What replaces it.
    pub superseded_by: Vec<Named>,
    /// What it consists of.
    pub bundles: Vec<Named>,
    /// What it is part of.
    pub bundled_by: Vec<Named>,
    /// What is wrong with what it names.
    pub odd: Oddities,
}

/// Relations that no careful publisher makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oddities {
    /// It has to be there before itself, directly or through others.
    pub needs_itself: bool,
    /// It is a part of itself, directly or through others.
    pub contains_itself: bool,
    /// Its parts are nested deeper than [`LEVELS_MAX`].
    pub nested_too_deep: bool,
}

/// Another update by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The update.
    pub update_id: Uuid,
    /// Its title; `None`: it was never synchronized.
    pub title: Option<String>,
}

/// One revision of the update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionLine {
    /// Its number.
    pub number: i32,
    /// When it was released.
    pub created: DateTime<Utc>,
    /// Whether it was withdrawn.
    pub expired: bool,
}

/// One file of the current revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    /// Name as received.
    pub name: String,
    /// Length in bytes.
    pub size: i64,
    /// The digest that names it.
    pub sha1: Vec<u8>,
    /// The second digest.
    pub sha256: Option<Vec<u8>>,
    /// `PatchingType` as received.
    pub patching: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = updates)]
struct Current {
    update_row: i32,
    revision_row: i32,
    revision_number: i32,
    kind: i16,
    approvable: bool,
    expired: bool,
    superseded: bool,
    severity: i16,
    title: String,
    kb: String,
    bulletin: String,
    created: DateTime<Utc>,
    arrived_at: DateTime<Utc>,
}

/// The update with this id; `None` when nothing of it is visible.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    update_id: Uuid,
) -> Result<Option<UpdateDetail>, CatalogError> {
    let current: Option<Current> = updates::table
        .filter(updates::update_id.eq(update_id))
        .select(Current::as_select())
        .first(conn)
        .await
        .optional()?;
    let Some(current) = current else { return Ok(None) };
    let (description, details): (String, serde_json::Value) = revisions::table
        .find(current.revision_row)
        .select((revisions::description, revisions::details))
        .first(conn)
        .await?;
    let links = links(conn, current.revision_row).await?;
    Ok(Some(UpdateDetail {
        update_id,
        revision_number: current.revision_number,
        kind: kind::from_code(current.kind)?,
        approvable: current.approvable,
        expired: current.expired,
        superseded: current.superseded,
        severity: current.severity,
        description,
        kb: current.kb.split_whitespace().map(str::to_owned).collect(),
        bulletins: current.bulletin.split_whitespace().map(str::to_owned).collect(),
        created: current.created,
        arrived_at: current.arrived_at,
        titles: texts::of(conn, current.revision_row).await?,
        details: serde_json::from_value(details).unwrap_or_default(),
        products: members_of(conn, current.update_row, Kind::Category).await?,
        classifications: members_of(conn, current.update_row, Kind::Classification).await?,
        revisions: revisions_of(conn, current.update_row).await?,
        files: files_of(conn, current.revision_row).await?,
        prerequisites: groups(&links),
        supersedes: of_kind(&links, RelationKind::Supersedes),
        superseded_by: named_by(conn, current.update_row, RelationKind::Supersedes).await?,
        bundles: of_kind(&links, RelationKind::Bundles),
        bundled_by: named_by(conn, current.update_row, RelationKind::Bundles).await?,
        odd: Oddities {
            needs_itself: circle::is_in_circle(conn, current.update_row, RelationKind::Prerequisite).await?,
            contains_itself: circle::is_in_circle(conn, current.update_row, RelationKind::Bundles).await?,
            nested_too_deep: circle::is_nested_too_deep(conn, current.update_row).await?,
        },
        title: current.title,
    }))
}

/// Kind, group, and the update at the other end.
type Link = (i16, i16, Named);

async fn links(conn: &mut AsyncPgConnection, revision_row: i32) -> Result<Vec<Link>, CatalogError> {
    let found: Vec<(i16, i16, Uuid, Option<String>)> = relations::table
        .inner_join(update_ids::table.on(update_ids::id.eq(relations::target_row)))
        .left_join(updates::table.on(updates::update_row.eq(relations::target_row)))
        .filter(relations::revision_row.eq(revision_row))
        .order((relations::kind, relations::group_number, updates::title))
        .select((relations::kind, relations::group_number, update_ids::update_id, updates::title.nullable()))
        .load(conn)
        .await?;
    Ok(found
        .into_iter()
        .map(|(kind, group, update_id, title)| (kind, group, Named { update_id, title }))
        .collect())
}

fn of_kind(links: &[Link], kind: RelationKind) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for (_, _, named) in links.iter().filter(|link| link.0 == kind.code()).take(LIST_MAX) {
        if found.last() != Some(named) {
            found.push(named.clone());
        }
    }
    found
}

/// Prerequisites that are no membership, by group.
fn groups(links: &[Link]) -> Vec<Vec<Named>> {
    let plain: Vec<&Link> =
        links.iter().filter(|link| link.0 == RelationKind::Prerequisite.code()).take(LIST_MAX).collect();
    plain
        .chunk_by(|left, right| left.1 == right.1)
        .map(|group| group.iter().map(|link| link.2.clone()).collect())
        .collect()
}

/// Current revisions of other updates that name this one.
async fn named_by(
    conn: &mut AsyncPgConnection,
    update_row: i32,
    kind: RelationKind,
) -> Result<Vec<Named>, CatalogError> {
    let found: Vec<(Uuid, String)> = relations::table
        .inner_join(updates::table.on(updates::revision_row.eq(relations::revision_row)))
        .filter(relations::target_row.eq(update_row))
        .filter(relations::kind.eq(kind.code()))
        .filter(updates::update_row.ne(update_row))
        .filter(not(updates::expired))
        .order(updates::title)
        .select((updates::update_id, updates::title))
        .distinct()
        .limit(LIST_MAX as i64)
        .load(conn)
        .await?;
    Ok(found.into_iter().map(|(update_id, title)| Named { update_id, title: Some(title) }).collect())
}

async fn members_of(
    conn: &mut AsyncPgConnection,
    update_row: i32,
    kind: Kind,
) -> Result<Vec<Named>, CatalogError> {
    let found: Vec<(Uuid, String)> = update_categories::table
        .inner_join(updates::table.on(updates::update_row.eq(update_categories::category_row)))
        .filter(update_categories::update_row.eq(update_row))
        .filter(updates::kind.eq(kind.code()))
        .order(updates::title)
        .select((updates::update_id, updates::title))
        .load(conn)
        .await?;
    Ok(found.into_iter().map(|(update_id, title)| Named { update_id, title: Some(title) }).collect())
}

async fn revisions_of(
    conn: &mut AsyncPgConnection,
    update_row: i32,
) -> Result<Vec<RevisionLine>, CatalogError> {
    let found: Vec<(i32, DateTime<Utc>, bool)> = revisions::table
        .filter(revisions::update_row.eq(update_row))
        .filter(publish::is_visible())
        .order(revisions::revision_number.desc())
        .select((revisions::revision_number, revisions::created, revisions::expired))
        .limit(LIST_MAX as i64)
        .load(conn)
        .await?;
    Ok(found
        .into_iter()
        .map(|(number, created, expired)| RevisionLine { number, created, expired })
        .collect())
}

async fn files_of(conn: &mut AsyncPgConnection, revision_row: i32) -> Result<Vec<FileLine>, CatalogError> {
    type Row = (String, i64, Vec<u8>, Option<Vec<u8>>, String);
    let found: Vec<Row> = revision_files::table
        .inner_join(files::table.on(files::id.eq(revision_files::file_row)))
        .filter(revision_files::revision_row.eq(revision_row))
        .order(files::name)
        .select((files::name, files::size, files::sha1, files::sha256, files::patching))
        .limit(LIST_MAX as i64)
        .load(conn)
        .await?;
    Ok(found
        .into_iter()
        .map(|(name, size, sha1, sha256, patching)| FileLine { name, size, sha1, sha256, patching })
        .collect())
}
