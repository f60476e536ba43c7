//! Finds updates that can be approved: by text, product and classification, newest first.
//!
//! Pages are cut by key (release time and row), never by offset, so the deepest page costs what the
//! first one does.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, not};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{CatalogError, Kind, categories};
use crate::db::schema::{approvals, declined_updates, update_categories, updates};

/// Most words of a search text that count; the others are ignored.
const WORDS_MAX: usize = 8;
/// Longest search text that counts, in characters.
pub const TEXT_LEN_MAX: usize = 200;
/// Most updates on one page.
pub const PAGE_MAX: i64 = 200;
/// Counting stops here; see [`Count`].
pub const COUNT_MAX: i64 = 10_000;

/// Which decisions an update may have to be listed. "Own" and "mirrored" as in [`UpdateFilter::mirrored`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApprovalFilter {
    /// All but declined ones.
    #[default]
    NotDeclined,
    /// All.
    Any,
    /// Neither declined nor approved for any group.
    NotApproved,
    /// Approved with this action (the protocol's number) for at least one group.
    Action(i16),
    Declined,
}

/// `approvals.action` where something is to be done: install, remove, detect.
const DONE: [i16; 3] = [0, 1, 2];

/// What to look for. The default finds every update that is not expired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateFilter {
    /// Words that title, KB number, bulletin, description or update id must all contain.
    pub text: String,
    /// A product, family or company; what is below it counts too.
    pub product: Option<Uuid>,
    /// A classification.
    pub classification: Option<Uuid>,
    /// Also updates whose current revision was withdrawn.
    pub include_expired: bool,
    /// Leave out updates that another one replaces.
    pub hide_superseded: bool,
    /// What was decided.
    pub approval: ApprovalFilter,
    /// The decisions that count are those of the upstream server of a replica.
    pub mirrored: bool,
    /// Only what first arrived at this moment or later.
    pub arrived_from: Option<DateTime<Utc>>,
    /// Only what first arrived before this moment.
    pub arrived_before: Option<DateTime<Utc>>,
    /// Only what this run brought or changed.
    pub run: Option<i64>,
}

/// Where an update stands in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey {
    /// Its release time.
    pub created: DateTime<Utc>,
    /// Its row.
    pub update_row: i32,
}

/// Which part of the list is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cut {
    /// The newest.
    #[default]
    First,
    /// What follows this update.
    After(PageKey),
    /// What stands before this update.
    Before(PageKey),
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateLine {
    /// Where it stands.
    pub key: PageKey,
    /// The update.
    pub update_id: Uuid,
    /// Title in the default language.
    pub title: String,
    /// Titles of its classifications; one, in practice.
    pub classifications: Vec<String>,
    /// 0 unspecified, 1 low, 2 moderate, 3 important, 4 critical.
    pub severity: i16,
    /// Article numbers, digits only.
    pub kb: Vec<String>,
    /// Whether its current revision was withdrawn.
    pub expired: bool,
    /// Whether another update replaces it.
    pub superseded: bool,
}

/// A page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdatePage {
    /// The updates, newest first.
    pub lines: Vec<UpdateLine>,
    /// Whether newer ones exist.
    pub has_before: bool,
    /// Whether older ones exist.
    pub has_after: bool,
}

/// How many updates match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The number, at most [`COUNT_MAX`].
    pub at_least: i64,
    /// Whether there are more than that.
    pub more: bool,
}

diesel::define_sql_function! {
    /// Lower case by the rules of the database, as in `updates.search`.
    fn lower(text: Text) -> Text;
}

type Boxed<'a> = updates::BoxedQuery<'a, Pg>;

#[derive(Queryable, Selectable)]
#[diesel(table_name = updates)]
struct Row {
    update_row: i32,
    update_id: Uuid,
    title: String,
    severity: i16,
    kb: String,
    created: DateTime<Utc>,
    expired: bool,
    superseded: bool,
}

/// One page of the updates that match, newest first; `limit` is held between 1 and [`PAGE_MAX`].
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    filter: &UpdateFilter,
    cut: Cut,
    limit: i64,
) -> Result<UpdatePage, CatalogError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let matching = matching(conn, filter).await?;
    let backwards = matches!(cut, Cut::Before(_));
    let query = match cut {
        Cut::First => matching,
        Cut::After(key) => matching.filter(
            updates::created
                .lt(key.created)
                .or(updates::created.eq(key.created).and(updates::update_row.lt(key.update_row))),
        ),
        Cut::Before(key) => matching.filter(
            updates::created
                .gt(key.created)
                .or(updates::created.eq(key.created).and(updates::update_row.gt(key.update_row))),
        ),
    };
    let query = if backwards {
        query.order((updates::created.asc(), updates::update_row.asc()))
    } else {
        query.order((updates::created.desc(), updates::update_row.desc()))
    };
    let mut rows: Vec<Row> = query.limit(limit + 1).select(Row::as_select()).load(conn).await?;
    let more = rows.len() as i64 > limit;
    if more {
        rows.pop();
    }
    if backwards {
        rows.reverse();
    }
    let lines = with_classifications(conn, rows).await?;
    Ok(UpdatePage {
        lines,
        has_before: if backwards { more } else { cut != Cut::First },
        has_after: if backwards { true } else { more },
    })
}

/// How many updates match, counted up to [`COUNT_MAX`].
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn count(conn: &mut AsyncPgConnection, filter: &UpdateFilter) -> Result<Count, CatalogError> {
    let rows: Vec<i32> =
        matching(conn, filter).await?.select(updates::update_row).limit(COUNT_MAX + 1).load(conn).await?;
    let found = rows.len() as i64;
    Ok(Count { at_least: found.min(COUNT_MAX), more: found > COUNT_MAX })
}

/// Whether anything was ever published that can be approved.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn any(conn: &mut AsyncPgConnection) -> Result<bool, CatalogError> {
    Ok(diesel::select(exists(updates::table.filter(updates::approvable))).get_result(conn).await?)
}

async fn matching<'a>(
    conn: &mut AsyncPgConnection,
    filter: &UpdateFilter,
) -> Result<Boxed<'a>, CatalogError> {
    let mut query = updates::table.into_boxed().filter(updates::approvable);
    if !filter.include_expired {
        query = query.filter(not(updates::expired));
    }
    if filter.hide_superseded {
        query = query.filter(not(updates::superseded));
    }
    if let Some(from) = filter.arrived_from {
        query = query.filter(updates::arrived_at.ge(from));
    }
    if let Some(before) = filter.arrived_before {
        query = query.filter(updates::arrived_at.lt(before));
    }
    if let Some(run) = filter.run {
        query = query.filter(updates::first_run_id.eq(run).or(updates::last_run_id.eq(run)));
    }
    query = decided(query, filter);
    for pattern in patterns(&filter.text) {
        query = query.filter(updates::search.like(lower(pattern)));
    }
    for id in [filter.classification, filter.product].into_iter().flatten() {
        let rows = categories::rows_with_descendants(conn, &[id]).await?;
        let member = update_categories::table
            .filter(update_categories::update_row.eq(updates::update_row))
            .filter(update_categories::category_row.eq_any(rows));
        query = query.filter(exists(member));
    }
    Ok(query)
}

/// Narrows a query to what was decided. No row means "not approved".
fn decided<'a>(query: Boxed<'a>, filter: &UpdateFilter) -> Boxed<'a> {
    let declined = declined_updates::table
        .filter(declined_updates::update_id.eq(updates::update_id))
        .filter(declined_updates::mirrored.eq(filter.mirrored));
    let approved = |actions: Vec<i16>| {
        approvals::table
            .filter(approvals::update_id.eq(updates::update_id))
            .filter(approvals::mirrored.eq(filter.mirrored))
            .filter(approvals::action.eq_any(actions))
    };
    match filter.approval {
        ApprovalFilter::Any => query,
        ApprovalFilter::Declined => query.filter(exists(declined)),
        ApprovalFilter::NotDeclined => query.filter(not(exists(declined))),
        ApprovalFilter::NotApproved => {
            query.filter(not(exists(declined))).filter(not(exists(approved(DONE.to_vec()))))
        }
        ApprovalFilter::Action(action) => {
            query.filter(not(exists(declined))).filter(exists(approved(vec![action])))
        }
    }
}

/// One LIKE pattern for each word, with the signs that mean something to LIKE made plain.
fn patterns(text: &str) -> Vec<String> {
    let text: String = text.chars().filter(|sign| *sign != '\0').take(TEXT_LEN_MAX).collect();
    text.split_whitespace()
        .take(WORDS_MAX)
        .map(|word| {
            let plain = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            format!("%{plain}%")
        })
        .collect()
}

async fn with_classifications(
    conn: &mut AsyncPgConnection,
    rows: Vec<Row>,
) -> Result<Vec<UpdateLine>, CatalogError> {
    let found: Vec<(i32, String)> = update_categories::table
        .inner_join(updates::table.on(updates::update_row.eq(update_categories::category_row)))
        .filter(update_categories::update_row.eq_any(rows.iter().map(|row| row.update_row)))
        .filter(updates::kind.eq(Kind::Classification.code()))
        .order(updates::title)
        .select((update_categories::update_row, updates::title))
        .load(conn)
        .await?;
    let mut titles: HashMap<i32, Vec<String>> = HashMap::new();
    for (row, title) in found {
        titles.entry(row).or_default().push(title);
    }
    Ok(rows
        .into_iter()
        .map(|row| UpdateLine {
            key: PageKey { created: row.created, update_row: row.update_row },
            update_id: row.update_id,
            title: row.title,
            classifications: titles.remove(&row.update_row).unwrap_or_default(),
            severity: row.severity,
            kb: row.kb.split_whitespace().map(str::to_owned).collect(),
            expired: row.expired,
            superseded: row.superseded,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{TEXT_LEN_MAX, WORDS_MAX, patterns};

    #[test]
    fn each_word_is_looked_for_and_signs_of_like_are_plain() {
        assert_eq!(patterns(" KB500  100%_a\\b "), ["%KB500%", "%100\\%\\_a\\\\b%"]);
        assert!(patterns(" \t ").is_empty());
    }

    #[test]
    fn r023_nul_and_endless_texts_are_cut() {
        assert_eq!(patterns("a\0b"), ["%ab%"]);
        assert_eq!(patterns(&"x ".repeat(500)).len(), WORDS_MAX);
        assert_eq!(patterns(&"y".repeat(5_000))[0].len(), TEXT_LEN_MAX + 2);
    }
}
