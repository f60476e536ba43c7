//! A page cut out of what matches, by key.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::filter::Resolved;
use super::matching::Few;
use super::order::{self, Cut, PageKey, Sort};
use super::{PAGE_MAX, UpdatePage};
use crate::catalog::CatalogError;
use crate::db::Keep;
use crate::db::schema::updates;

/// What stands on a page, before its lines are read.
#[derive(Default)]
pub(super) struct Part {
    keys: Vec<PageKey>,
    has_before: bool,
    has_after: bool,
}

impl Part {
    /// With plans that serve every page: [`PLANNING`](super::PLANNING) would make new ones each time, which takes longer
    /// than the reading.
    pub async fn read(self, conn: &mut AsyncPgConnection) -> Result<UpdatePage, CatalogError> {
        let Self { keys, has_before, has_after } = self;
        Ok(UpdatePage { lines: super::lines(conn, keys).await?, has_before, has_after })
    }
}

/// The part of a page; `few` is all that matches, where that is known.
pub(super) async fn cut_out(
    conn: &mut AsyncPgConnection,
    filter: &Resolved<'_>,
    few: Option<Few>,
    sort: Sort,
    cut: Cut,
    limit: i64,
) -> Result<Part, CatalogError> {
    if few.as_ref().is_some_and(|few| few.rows.is_empty()) {
        return Ok(Part::default());
    }
    let limit = usize::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1);
    if let Some(part) = few.as_ref().and_then(|few| few.cut(sort, cut, limit)) {
        return Ok(part);
    }
    let classes = order::classes(conn, sort).await?;
    let place = match cut.key() {
        Some(key) if usize::from(key.class) < classes.len() => order::place(conn, key).await?,
        _ => None,
    };
    let (cut, start) = match (&place, cut.key()) {
        (Some(_), Some(key)) => (cut, usize::from(key.class)),
        _ => (Cut::First, 0),
    };
    let back = matches!(cut, Cut::Before(_));
    let wanted: Vec<usize> =
        if back { (0..=start).rev().collect() } else { (start..classes.len()).collect() };
    // Rows first, which the indexes alone tell; what stands on their lines is read for those that are shown.
    let mut keys: Vec<PageKey> = Vec::with_capacity(limit + 1);
    for class in wanted {
        let query = match &few {
            Some(few) => updates::table.into_boxed().filter(updates::update_row.eq_any(&few.rows)),
            None => filter.walked(),
        };
        let query = classes[class].narrow(query, filter);
        let query = order::sorted(query, sort, back, place.clone().filter(|_| class == start));
        let missing = limit + 1 - keys.len();
        let query = query.limit(missing as i64).select(updates::update_row);
        let found: Vec<i32> = query.kept().load(conn).await?;
        let class = u16::try_from(class).unwrap_or(u16::MAX);
        keys.extend(found.into_iter().map(|update_row| PageKey { class, update_row }));
        if keys.len() > limit {
            break;
        }
    }
    let more = keys.len() > limit;
    keys.truncate(limit);
    if back {
        keys.reverse();
    }
    Ok(Part {
        keys,
        has_before: if back { more } else { cut != Cut::First },
        has_after: if back { true } else { more },
    })
}

impl Few {
    /// The part of a page, where these are sorted and the cut is at one of them.
    fn cut(&self, sort: Sort, cut: Cut, limit: usize) -> Option<Part> {
        if !self.is_sorted {
            return None;
        }
        let mut rows = self.rows.clone();
        if !sort.descending {
            rows.reverse();
        }
        let place = match cut.key() {
            Some(key) => Some(rows.iter().position(|row| key.class == 0 && *row == key.update_row)?),
            None => None,
        };
        let (from, to) = match (cut, place) {
            (Cut::After(_), Some(place)) => (place + 1, (place + 1 + limit).min(rows.len())),
            (Cut::Before(_), Some(place)) => (place.saturating_sub(limit), place),
            _ => (0, limit.min(rows.len())),
        };
        let keys = rows[from..to].iter().map(|row| PageKey { class: 0, update_row: *row }).collect();
        Some(Part { keys, has_before: from > 0, has_after: to < rows.len() })
    }
}
