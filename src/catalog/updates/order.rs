//! The orders of the list.
//!
//! Title, KB number and release time are columns with an index. The others have few values: they are classes that
//! follow one another, each newest first, so no order needs an index of its own, and no page an offset.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::files::FileState;
use super::filter::{Boxed, Resolved, declined, strongest};
use super::members::{member_of, no_member_of};
use crate::catalog::{CatalogError, categories};
use crate::db::Keep;
use crate::db::schema::updates;

/// A column the list can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Column {
    #[default]
    Released,
    Title,
    Classification,
    Severity,
    Kb,
    Approval,
    Files,
}

impl Column {
    /// All, in the order of a list of choices.
    pub const ALL: [Self; 7] = [
        Self::Released,
        Self::Title,
        Self::Classification,
        Self::Severity,
        Self::Kb,
        Self::Approval,
        Self::Files,
    ];

    /// As in addresses.
    pub fn key(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Title => "title",
            Self::Classification => "classification",
            Self::Severity => "severity",
            Self::Kb => "kb",
            Self::Approval => "approval",
            Self::Files => "files",
        }
    }

    /// The way that is meant when a person has not said: newest and gravest first, names from A on.
    pub fn falls_at_first(self) -> bool {
        matches!(self, Self::Released | Self::Severity)
    }
}

/// A column and a way. The default is newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub column: Column,
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { column: Column::Released, descending: true }
    }
}

/// Where an update stands in the order of a list: the values it is sorted by are read again when they are needed, so
/// an address stays short and holds no title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey {
    /// Which class of the order, from 0.
    pub class: u16,
    /// Its row.
    pub update_row: i32,
}

/// Which part of the list is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cut {
    /// The beginning.
    #[default]
    First,
    /// What follows this update.
    After(PageKey),
    /// What stands before this update.
    Before(PageKey),
}

impl Cut {
    pub(super) fn key(self) -> Option<PageKey> {
        match self {
            Self::First => None,
            Self::After(key) | Self::Before(key) => Some(key),
        }
    }
}

/// A part of the list whose updates have the same value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// The whole list.
    All,
    Severity(i16),
    /// Named by an update that none of the classes before has.
    Classification {
        row: i32,
        before: Vec<i32>,
    },
    /// Of no classification.
    Unclassified {
        all: Vec<i32>,
    },
    /// The strongest action; `None`: nothing is to be done.
    Action(Option<i16>),
    Declined,
    Files(FileState),
}

impl Class {
    pub fn narrow<'a>(&self, query: Boxed<'a>, filter: &Resolved<'_>) -> Boxed<'a> {
        let mirrored = filter.mirrored();
        match self {
            Self::All => query,
            Self::Severity(code) => query.filter(updates::severity.eq(*code)),
            Self::Classification { row, before } => {
                no_member_of(member_of(query, vec![*row]), before.clone())
            }
            Self::Unclassified { all } => no_member_of(query, all.clone()),
            Self::Action(action) => strongest(query, *action, mirrored),
            Self::Declined => declined(query, mirrored),
            Self::Files(state) => filter.held().narrow(query, *state),
        }
    }
}

/// The classes of an order, in their order.
pub(super) async fn classes(conn: &mut AsyncPgConnection, sort: Sort) -> Result<Vec<Class>, CatalogError> {
    let mut classes = match sort.column {
        Column::Released | Column::Title | Column::Kb => return Ok(vec![Class::All]),
        Column::Severity => (0..=4).map(Class::Severity).collect(),
        Column::Approval => {
            let actions = [Some(0), Some(1), Some(2), None].map(Class::Action);
            actions.into_iter().chain([Class::Declined]).collect()
        }
        Column::Files => FileState::ALL.map(Class::Files).to_vec(),
        Column::Classification => {
            let ids: Vec<Uuid> =
                categories::classifications(conn).await?.into_iter().map(|choice| choice.id).collect();
            let rows = rows_of(conn, &ids).await?;
            let mut classes: Vec<Class> = (0..rows.len())
                .map(|place| Class::Classification { row: rows[place], before: rows[..place].to_vec() })
                .collect();
            if sort.descending {
                classes.reverse();
            }
            // Those of none come last both ways: whoever looks from the end does not wait until none are found.
            classes.push(Class::Unclassified { all: rows });
            return Ok(classes);
        }
    };
    if sort.descending {
        classes.reverse();
    }
    Ok(classes)
}

/// The rows of these updates, in the order of the ids.
async fn rows_of(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> QueryResult<Vec<i32>> {
    let known: Vec<(Uuid, i32)> = updates::table
        .filter(updates::update_id.eq_any(ids))
        .select((updates::update_id, updates::update_row))
        .load(conn)
        .await?;
    Ok(ids.iter().filter_map(|id| known.iter().find(|(one, _)| one == id).map(|(_, row)| *row)).collect())
}

/// The beginning of a title, which is what has an index: a title may be longer than an index takes.
fn title() -> SqlLiteral<Text> {
    sql("left(updates.title, 200)")
}

/// The same for article numbers.
fn kb() -> SqlLiteral<Text> {
    sql("left(updates.kb, 100)")
}

/// The values of an update that orders compare.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(super) struct Place {
    update_row: i32,
    title: String,
    kb: String,
    created: DateTime<Utc>,
}

/// The place of a key; `None` when the update is not here any more.
pub(super) async fn place(conn: &mut AsyncPgConnection, key: PageKey) -> QueryResult<Option<Place>> {
    updates::table
        .find(key.update_row)
        .select((updates::update_row, title(), kb(), updates::created))
        .kept()
        .get_result(conn)
        .await
        .optional()
}

/// Narrows a query to what stands beyond a place: later in the order, or earlier with `back`.
macro_rules! beyond {
    ($query:expr, $rises:expr, $column:expr, $value:expr, $row:expr) => {
        if $rises {
            $query.filter(Box::new(
                $column.ge($value.clone()).and($column.gt($value).or(updates::update_row.gt($row))),
            )
                as Box<dyn BoxableExpression<updates::table, diesel::pg::Pg, SqlType = Bool>>)
        } else {
            $query.filter(Box::new(
                $column.le($value.clone()).and($column.lt($value).or(updates::update_row.lt($row))),
            )
                as Box<dyn BoxableExpression<updates::table, diesel::pg::Pg, SqlType = Bool>>)
        }
    };
}

/// Sorts a query, from `place` on when there is one. `back`: towards the beginning.
pub(super) fn sorted<'a>(query: Boxed<'a>, sort: Sort, back: bool, place: Option<Place>) -> Boxed<'a> {
    // Within a class the newest is first, whatever the way of the classes.
    let falls = match sort.column {
        Column::Released | Column::Title | Column::Kb => sort.descending,
        _ => true,
    };
    let rises = falls == back;
    let query = match (place, sort.column) {
        (None, _) => query,
        (Some(place), Column::Title) => beyond!(query, rises, title(), place.title, place.update_row),
        (Some(place), Column::Kb) => beyond!(query, rises, kb(), place.kb, place.update_row),
        (Some(place), _) => beyond!(query, rises, updates::created, place.created, place.update_row),
    };
    match (sort.column, rises) {
        (Column::Title, true) => query.order((title().asc(), updates::update_row.asc())),
        (Column::Title, false) => query.order((title().desc(), updates::update_row.desc())),
        (Column::Kb, true) => query.order((kb().asc(), updates::update_row.asc())),
        (Column::Kb, false) => query.order((kb().desc(), updates::update_row.desc())),
        (_, true) => query.order((updates::created.asc(), updates::update_row.asc())),
        (_, false) => query.order((updates::created.desc(), updates::update_row.desc())),
    }
}
