//! What to look for, as a filter and as the query it stands for.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, not, sql};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::files::{self, FileState};
use crate::catalog::changes::ChangeKind;
use crate::catalog::{CatalogError, categories};
use crate::db::schema::{
    approvals, declined_updates, update_categories, update_changes, update_search, updates,
};

/// Most words of a search text that count; the others are ignored.
const WORDS_MAX: usize = 8;
/// Longest search text that counts, in characters.
pub const TEXT_LEN_MAX: usize = 200;

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
    /// Not approved for installation, and nobody accepted the license terms yet.
    WaitsForLicense,
    /// Approved with this action (the protocol's number) for at least one group.
    Action(i16),
    Declined,
}

/// Which editions are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// All but expired ones.
    #[default]
    NotExpired,
    /// Neither expired nor superseded.
    Current,
    /// Another update replaces it; not expired.
    Superseded,
    /// Its publisher withdrew it.
    Expired,
    /// All.
    Any,
}

/// `approvals.action` where something is to be done: install, remove, detect.
const DONE: [i16; 3] = [INSTALL, 1, 2];
const INSTALL: i16 = 0;

/// What to look for. The default finds every update that is neither expired nor declined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateFilter {
    /// Words that title, KB number, bulletin, description or update id must all contain.
    pub text: String,
    /// A product, family or company; what is below it counts too.
    pub product: Option<Uuid>,
    /// A classification.
    pub classification: Option<Uuid>,
    pub state: State,
    /// What was decided.
    pub approval: ApprovalFilter,
    /// The decisions that count are those of the upstream server of a replica.
    pub mirrored: bool,
    /// Where its files are.
    pub files: Option<FileState>,
    /// Only what first arrived at this moment or later.
    pub arrived_from: Option<DateTime<Utc>>,
    /// Only what first arrived before this moment.
    pub arrived_before: Option<DateTime<Utc>>,
    /// Only what this run brought or changed.
    pub run: Option<i64>,
    /// With `run`: only what it did this to.
    pub change: Option<ChangeKind>,
}

diesel::define_sql_function! {
    /// Lower case by the rules of the database, as in `update_search.search`.
    fn lower(text: Text) -> Text;
}

/// A query over `updates` that conditions can be added to.
pub(super) type Boxed<'a> = updates::BoxedQuery<'a, Pg>;

/// A filter with its categories looked up, so that it can be asked several times.
pub(super) struct Resolved<'f> {
    filter: &'f UpdateFilter,
    /// One of the rows of each entry must be named.
    members: Vec<Vec<i32>>,
    /// How many files are in a state, as far as it matters.
    stored: files::Amount,
}

impl<'f> Resolved<'f> {
    /// # Errors
    /// [`CatalogError::Query`] when the database fails.
    pub async fn new(conn: &mut AsyncPgConnection, filter: &'f UpdateFilter) -> Result<Self, CatalogError> {
        let mut members = Vec::new();
        for id in [filter.classification, filter.product].into_iter().flatten() {
            members.push(categories::rows_with_descendants(conn, &[id]).await?);
        }
        Ok(Self { filter, members, stored: files::stored(conn).await? })
    }

    /// Whether it has words or categories, and so may leave little.
    pub fn is_narrow(&self) -> bool {
        !self.members.is_empty() || !self.filter.text.trim().is_empty()
    }

    /// How many files are stored.
    pub fn stored(&self) -> files::Amount {
        self.stored
    }

    /// Whose decisions count.
    pub fn mirrored(&self) -> bool {
        self.filter.mirrored
    }

    /// Everything that matches.
    pub fn query<'a>(&self) -> Boxed<'a> {
        let filter = self.filter;
        let mut query = updates::table.into_boxed().filter(updates::approvable);
        query = match filter.state {
            State::Any => query,
            State::NotExpired => query.filter(not(updates::expired)),
            State::Current => query.filter(not(updates::expired)).filter(not(updates::superseded)),
            State::Superseded => query.filter(not(updates::expired)).filter(updates::superseded),
            State::Expired => query.filter(updates::expired),
        };
        if let Some(from) = filter.arrived_from {
            query = query.filter(updates::arrived_at.ge(from));
        }
        if let Some(before) = filter.arrived_before {
            query = query.filter(updates::arrived_at.lt(before));
        }
        if let Some(run) = filter.run {
            let change = update_changes::table
                .filter(update_changes::update_row.eq(updates::update_row))
                .filter(update_changes::run_id.eq(run));
            query = match filter.change {
                None => query.filter(exists(change)),
                Some(kind) => query.filter(exists(change.filter(update_changes::change.eq(kind.code())))),
            };
        }
        if let Some(state) = filter.files {
            query = query.filter(files::in_state(state, self.stored));
        }
        query = decided(query, filter.approval, filter.mirrored);
        self.found(query)
    }
}

impl Resolved<'_> {
    /// Narrows a query by words and categories, which one index answers together.
    fn found<'a>(&self, mut query: Boxed<'a>) -> Boxed<'a> {
        let mut found = update_search::table.select(update_search::update_row).into_boxed();
        let mut narrows = !self.members.is_empty();
        for word in words(&self.filter.text) {
            match id(&word) {
                Some(id) => query = query.filter(updates::update_id.eq(id)),
                None => {
                    found = found.filter(update_search::search.like(lower(pattern(&word))));
                    narrows = true;
                }
            }
        }
        if !narrows {
            return query;
        }
        for rows in &self.members {
            found = found.filter(update_search::categories.overlaps_with(rows.clone()));
        }
        query.filter(updates::update_row.eq_any(found))
    }
}

/// Narrows a query to members of any of these categories.
pub(super) fn member_of<'a>(query: Boxed<'a>, rows: Vec<i32>) -> Boxed<'a> {
    let member = update_categories::table
        .filter(update_categories::update_row.eq(updates::update_row))
        .filter(update_categories::category_row.eq_any(rows));
    query.filter(exists(member))
}

/// Narrows a query to what names none of these categories.
pub(super) fn no_member_of<'a>(query: Boxed<'a>, rows: Vec<i32>) -> Boxed<'a> {
    let member = update_categories::table
        .filter(update_categories::update_row.eq(updates::update_row))
        .filter(update_categories::category_row.eq_any(rows));
    query.filter(not(exists(member)))
}

/// Narrows a query to what was decided. No row means "not approved".
fn decided<'a>(query: Boxed<'a>, approval: ApprovalFilter, mirrored: bool) -> Boxed<'a> {
    let declined = declined_updates::table
        .filter(declined_updates::update_id.eq(updates::update_id))
        .filter(declined_updates::mirrored.eq(mirrored));
    match approval {
        ApprovalFilter::Any => query,
        ApprovalFilter::Declined => query.filter(exists(declined)),
        ApprovalFilter::NotDeclined => query.filter(not(exists(declined))),
        ApprovalFilter::NotApproved => without(query.filter(not(exists(declined))), &DONE, mirrored),
        ApprovalFilter::WaitsForLicense => {
            let waits = sql::<Bool>(
                // An array, because few have terms: the planner expects that of an array, and begins with them.
                "updates.revision_row = ANY (ARRAY(SELECT r.id FROM revisions r
                 WHERE (r.details->>'eula') IS NOT NULL AND NOT EXISTS (SELECT FROM accepted_licenses l
                       WHERE l.license_id::text = r.details->>'eula' AND l.mirrored = ",
            );
            let query = query.filter(not(exists(declined)));
            without(query.filter(waits.bind::<Bool, _>(mirrored).sql(")))")), &[INSTALL], mirrored)
        }
        ApprovalFilter::Action(action) => with(query.filter(not(exists(declined))), action, mirrored),
    }
}

/// Narrows a query to updates whose strongest action is this one; `None`: none is to be done.
pub(super) fn strongest<'a>(query: Boxed<'a>, action: Option<i16>, mirrored: bool) -> Boxed<'a> {
    let query = decided(query, ApprovalFilter::NotDeclined, mirrored);
    match action {
        None => without(query, &DONE, mirrored),
        Some(action) => {
            // The numbers of the actions rise as they get weaker.
            let stronger: Vec<i16> = DONE.into_iter().filter(|other| *other < action).collect();
            with(without(query, &stronger, mirrored), action, mirrored)
        }
    }
}

/// Narrows a query to declined updates.
pub(super) fn declined<'a>(query: Boxed<'a>, mirrored: bool) -> Boxed<'a> {
    decided(query, ApprovalFilter::Declined, mirrored)
}

fn with<'a>(query: Boxed<'a>, action: i16, mirrored: bool) -> Boxed<'a> {
    query.filter(exists(
        approvals::table
            .filter(approvals::update_id.eq(updates::update_id))
            .filter(approvals::mirrored.eq(mirrored))
            .filter(approvals::action.eq(action)),
    ))
}

fn without<'a>(query: Boxed<'a>, actions: &[i16], mirrored: bool) -> Boxed<'a> {
    if actions.is_empty() {
        return query;
    }
    query.filter(not(exists(
        approvals::table
            .filter(approvals::update_id.eq(updates::update_id))
            .filter(approvals::mirrored.eq(mirrored))
            .filter(approvals::action.eq_any(actions.to_vec())),
    )))
}

/// The words of a search text that count.
fn words(text: &str) -> Vec<String> {
    let text: String = text.chars().filter(|sign| *sign != '\0').take(TEXT_LEN_MAX).collect();
    text.split_whitespace().take(WORDS_MAX).map(str::to_owned).collect()
}

/// A word that is a whole update id: that update is meant, and no other that names it.
fn id(word: &str) -> Option<Uuid> {
    Uuid::parse_str(word).ok().filter(|_| word.len() == 36)
}

/// The LIKE pattern of a word, with the signs that mean something to LIKE made plain.
fn pattern(word: &str) -> String {
    let plain = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{plain}%")
}

#[cfg(test)]
mod tests {
    use super::{TEXT_LEN_MAX, WORDS_MAX, id, pattern, words};

    #[test]
    fn each_word_is_looked_for_and_signs_of_like_are_plain() {
        assert_eq!(words(" KB500  100%_a\\b "), ["KB500", "100%_a\\b"]);
        assert_eq!(pattern("100%_a\\b"), "%100\\%\\_a\\\\b%");
        assert!(words(" \t ").is_empty());
    }

    #[test]
    fn r023_nul_and_endless_texts_are_cut() {
        assert_eq!(words("a\0b"), ["ab"]);
        assert_eq!(words(&"x ".repeat(500)).len(), WORDS_MAX);
        assert_eq!(words(&"y".repeat(5_000))[0].len(), TEXT_LEN_MAX);
    }

    #[test]
    fn only_a_whole_id_is_an_id() {
        assert!(id("1B86B7D5-8b1e-4c06-9d51-6d3e0a1c9a01").is_some());
        assert_eq!(id("1b86b7d58b1e4c069d516d3e0a1c9a01"), None);
        assert_eq!(id("1b86b7d5-8b1e-4c06-9d51-6d3e0a1c9a0"), None);
    }
}
