//! One row for each update source ever used, and the list of what is owed by it.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::context::SourceIdentity;
use super::plan::{Known, Selection};
use crate::db::schema::{owed_revisions, sources};
use crate::protocol::ids::{ConfigAnchor, DeploymentAnchor, RevisionKey, SyncAnchor};
use crate::protocol::server_sync::GetDeploymentsReply;

/// A source as stored.
#[derive(Debug, Clone)]
pub(super) struct SourceRow {
    pub id: i64,
    config_anchor: Option<String>,
    category_anchor: Option<String>,
    update_anchor: Option<String>,
    deployment_anchor: Option<String>,
    products: Vec<Uuid>,
    classifications: Vec<Uuid>,
    languages: Vec<i32>,
    pub facts: serde_json::Value,
    /// Some revisions of it are owed.
    pub is_owing: bool,
    /// Revisions, of whatever source, are stored and not visible: an interrupted run left them.
    pub has_leftovers: bool,
}

impl SourceRow {
    /// The anchor of the configuration; the facts belong to it.
    pub fn config_anchor(&self) -> Option<ConfigAnchor> {
        self.config_anchor.clone().and_then(|text| ConfigAnchor::parse(text).ok())
    }

    pub fn category_anchor(&self) -> Option<SyncAnchor> {
        self.category_anchor.clone().and_then(|text| SyncAnchor::parse(text).ok())
    }

    /// How far its approvals were taken over.
    pub fn deployment_anchor(&self) -> Option<DeploymentAnchor> {
        self.deployment_anchor.clone().and_then(|text| DeploymentAnchor::parse(text).ok())
    }

    /// What the update anchor was obtained with.
    pub fn known(&self) -> Option<Known> {
        let anchor = SyncAnchor::parse(self.update_anchor.clone()?).ok()?;
        let selection = Selection {
            products: self.products.iter().copied().collect(),
            classifications: self.classifications.iter().copied().collect(),
            languages: self.languages.iter().copied().collect(),
        };
        Some(Known { selection, anchor })
    }

    /// Forgets what belongs to a server that was replaced.
    pub fn forget_anchors(&mut self) {
        self.config_anchor = None;
        self.category_anchor = None;
        self.update_anchor = None;
        self.deployment_anchor = None;
    }
}

/// The anchors of a source as stored: configuration, categories, updates, approvals.
type StoredAnchors = (Option<String>, Option<String>, Option<String>, Option<String>);

/// The row of a source, made when it is new; and the stable id of this server.
pub(super) async fn open(
    conn: &mut AsyncPgConnection,
    identity: &SourceIdentity,
) -> QueryResult<(SourceRow, Uuid)> {
    use sources::dsl;
    let is_owing = sql::<Bool>("EXISTS (SELECT FROM owed_revisions o WHERE o.source_id = sources.id)");
    let has_leftovers = sql::<Bool>("EXISTS (SELECT FROM unpublished_revisions)");
    let server_id = sql::<SqlUuid>("(SELECT server_id FROM server_identity)");
    let anchors = (dsl::config_anchor, dsl::category_anchor, dsl::update_anchor, dsl::deployment_anchor);
    let row: (i64, StoredAnchors, _, (bool, bool), Uuid) = diesel::insert_into(sources::table)
        .values((
            dsl::kind.eq(identity.kind),
            dsl::host.eq(&identity.host),
            dsl::port.eq(identity.port),
            dsl::ssl.eq(identity.ssl),
        ))
        .on_conflict((dsl::kind, dsl::host, dsl::port, dsl::ssl))
        .do_update()
        .set(dsl::kind.eq(identity.kind))
        .returning((
            dsl::id,
            anchors,
            (dsl::products, dsl::classifications, dsl::languages, dsl::facts),
            (is_owing, has_leftovers),
            server_id,
        ))
        .get_result(conn)
        .await?;
    let (
        id,
        (config_anchor, category_anchor, update_anchor, deployment_anchor),
        obtained_with,
        (is_owing, has_leftovers),
        server_id,
    ) = row;
    let (products, classifications, languages, facts) = obtained_with;
    let source = SourceRow {
        id,
        config_anchor,
        category_anchor,
        update_anchor,
        deployment_anchor,
        products,
        classifications,
        languages,
        facts,
        is_owing,
        has_leftovers,
    };
    Ok((source, server_id))
}

/// What the category phase was obtained with; kept when all of it is stored.
#[derive(Debug, Clone)]
pub(super) struct CategoryPart {
    pub anchor: SyncAnchor,
    pub config_anchor: ConfigAnchor,
    pub facts: serde_json::Value,
}

/// What the update phase was obtained with; kept when all of it is stored.
#[derive(Debug, Clone)]
pub(super) struct UpdatePart {
    pub anchor: SyncAnchor,
    pub selection: Selection,
    /// Of a replica: what its upstream server decided.
    pub approvals: Option<ApprovalPart>,
}

/// The approvals of an upstream server, to be taken over in the same commit point.
#[derive(Debug, Clone)]
pub(super) struct ApprovalPart {
    pub answer: GetDeploymentsReply,
    /// No anchor was named, so the answer holds everything.
    pub first: bool,
}

#[derive(Default, AsChangeset)]
#[diesel(table_name = sources)]
struct Changed {
    config_anchor: Option<String>,
    category_anchor: Option<String>,
    update_anchor: Option<String>,
    deployment_anchor: Option<String>,
    products: Option<Vec<Uuid>>,
    classifications: Option<Vec<Uuid>>,
    languages: Option<Vec<i32>>,
    facts: Option<serde_json::Value>,
}

/// Moves the anchors on, in one statement; a part that is not given stays.
pub(super) async fn save_anchors(
    conn: &mut AsyncPgConnection,
    source_id: i64,
    categories: Option<&CategoryPart>,
    updates: Option<&UpdatePart>,
) -> QueryResult<()> {
    let mut changed = Changed::default();
    if let Some(part) = categories {
        changed.config_anchor = Some(part.config_anchor.as_str().to_owned());
        changed.category_anchor = Some(part.anchor.as_str().to_owned());
        changed.facts = Some(part.facts.clone());
    }
    if let Some(part) = updates {
        let selection = &part.selection;
        changed.update_anchor = Some(part.anchor.as_str().to_owned());
        changed.products = Some(selection.products.iter().copied().collect());
        changed.classifications = Some(selection.classifications.iter().copied().collect());
        changed.languages = Some(selection.languages.iter().copied().collect());
        changed.deployment_anchor =
            part.approvals.as_ref().map(|approvals| approvals.answer.anchor.as_str().to_owned());
    }
    diesel::update(sources::table.find(source_id)).set(changed).execute(conn).await?;
    Ok(())
}

/// Mirrored approvals are those of one source: the others have to send everything again.
pub(super) async fn forget_other_approvals(conn: &mut AsyncPgConnection, source_id: i64) -> QueryResult<()> {
    diesel::update(sources::table.filter(sources::id.ne(source_id)))
        .set(sources::deployment_anchor.eq(None::<String>))
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets the anchors of a source that was replaced; what is stored stays.
pub(super) async fn reset_anchors(conn: &mut AsyncPgConnection, source_id: i64) -> QueryResult<()> {
    use sources::dsl;
    let none = None::<String>;
    diesel::update(sources::table.find(source_id))
        .set((
            dsl::config_anchor.eq(&none),
            dsl::category_anchor.eq(&none),
            dsl::update_anchor.eq(&none),
            dsl::deployment_anchor.eq(&none),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// What this source listed and we could not store, oldest first; at most `limit`.
pub(super) async fn owed(
    conn: &mut AsyncPgConnection,
    source_id: i64,
    limit: i64,
) -> QueryResult<Vec<RevisionKey>> {
    let rows: Vec<(Uuid, i32)> = owed_revisions::table
        .filter(owed_revisions::source_id.eq(source_id))
        .order((owed_revisions::since, owed_revisions::update_id, owed_revisions::revision_number))
        .limit(limit)
        .select((owed_revisions::update_id, owed_revisions::revision_number))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(update_id, revision)| RevisionKey { update_id, revision }).collect())
}

/// Writes down what is owed with its reasons, and strikes out what has arrived.
pub(super) async fn save_owed(
    conn: &mut AsyncPgConnection,
    source_id: i64,
    owed: &BTreeMap<RevisionKey, String>,
    arrived: &[RevisionKey],
) -> QueryResult<()> {
    if !owed.is_empty() {
        let ids: Vec<Uuid> = owed.keys().map(|key| key.update_id).collect();
        let numbers: Vec<i32> = owed.keys().map(|key| key.revision).collect();
        let reasons: Vec<&str> = owed.values().map(String::as_str).collect();
        diesel::sql_query(
            "INSERT INTO owed_revisions (source_id, update_id, revision_number, reason)
             SELECT $1, o.* FROM unnest($2, $3, $4) o
             ON CONFLICT (source_id, update_id, revision_number)
             DO UPDATE SET reason = excluded.reason, attempts = owed_revisions.attempts + 1",
        )
        .bind::<BigInt, _>(source_id)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Integer>, _>(numbers)
        .bind::<Array<Text>, _>(reasons)
        .execute(conn)
        .await?;
    }
    if !arrived.is_empty() {
        let ids: Vec<Uuid> = arrived.iter().map(|key| key.update_id).collect();
        let numbers: Vec<i32> = arrived.iter().map(|key| key.revision).collect();
        diesel::sql_query(
            "DELETE FROM owed_revisions o USING unnest($2, $3) a (update_id, revision_number)
             WHERE o.source_id = $1 AND o.update_id = a.update_id AND o.revision_number = a.revision_number",
        )
        .bind::<BigInt, _>(source_id)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Integer>, _>(numbers)
        .execute(conn)
        .await?;
    }
    Ok(())
}
