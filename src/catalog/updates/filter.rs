//! What to look for, as a filter and as the query it stands for.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, not, sql};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::files::FileState;
use super::held::Held;
use super::members::Members;
use super::order::Column;
use super::words::Words;
use crate::catalog::CatalogError;
use crate::catalog::changes::ChangeKind;
use crate::db::schema::{approvals, declined_updates, update_changes, update_search, updates};

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

/// A filter with its words and categories looked up, so that it can be asked several times.
pub(super) struct Resolved<'f> {
    filter: &'f UpdateFilter,
    words: Words,
    members: Members,
    /// Of their files, where that matters.
    held: Held,
    /// The column that the list will be sorted by.
    order: Column,
}

impl<'f> Resolved<'f> {
    /// Looks up what there is to be looked up for a list in this order.
    ///
    /// # Errors
    /// [`CatalogError::Query`] when the database fails.
    pub async fn new(
        conn: &mut AsyncPgConnection,
        filter: &'f UpdateFilter,
        order: Column,
    ) -> Result<Self, CatalogError> {
        let held = match (order, filter.files) {
            (Column::Files, _) => Held::look(conn, None).await?,
            (_, Some(state)) => Held::look(conn, Some(state)).await?,
            (_, None) => Held::FewStored,
        };
        let words = Words::of(conn, &filter.text).await?;
        let members = Members::of(conn, filter, !words.looks_into_texts()).await?;
        Ok(Self { filter, words, members, held, order })
    }

    /// Whether it has words or categories, and so may leave little.
    pub fn is_narrow(&self) -> bool {
        !self.members.is_empty() || !self.words.is_empty()
    }

    /// Whether finding what matches costs more than sorting it.
    pub fn is_dear(&self) -> bool {
        self.words.are_rare() || self.filter.run.is_some()
    }

    /// The column that the list will be sorted by.
    pub fn order(&self) -> Column {
        self.order
    }

    /// What is known of files.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Whose decisions count.
    pub fn mirrored(&self) -> bool {
        self.filter.mirrored
    }

    /// Everything that matches.
    pub fn query<'a>(&self) -> Boxed<'a> {
        self.found(self.plain(), false)
    }

    /// The same for a walk through the list in its order, which ends soon.
    pub fn walked<'a>(&self) -> Boxed<'a> {
        self.found(self.plain(), true)
    }

    /// Without words and categories.
    fn plain<'a>(&self) -> Boxed<'a> {
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
            query = self.held.narrow(query, state);
        }
        decided(query, filter.approval, filter.mirrored)
    }

    /// Narrows a query by words and categories. One index answers them together.
    fn found<'a>(&self, mut query: Boxed<'a>, is_walk: bool) -> Boxed<'a> {
        for id in &self.words.ids {
            query = query.filter(updates::update_id.eq(*id));
        }
        if !self.words.looks_into_texts() {
            return self.members.narrow(query, is_walk);
        }
        if self.members.is_empty() && !self.words.are_rare() {
            return query.filter(self.words.in_texts());
        }
        let found = self.words.narrow(update_search::table.select(update_search::update_row).into_boxed());
        query.filter(updates::update_row.eq_any(self.members.narrow_search(found)))
    }
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
