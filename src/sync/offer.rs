//! What the update source of the settings has told about itself, for the pages.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::SyncError;
use crate::db::schema::sources;
use crate::settings::{Source, SourceKind, enabled_languages};

/// What is kept of a source that was asked before.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Short names of the languages it gives out, in lower case; empty: it has not told.
    pub languages: BTreeSet<String>,
    /// Products and classifications whose updates were fetched.
    pub fetched: BTreeSet<Uuid>,
}

/// What is known of this source; `None`: it was never asked.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn of(conn: &mut AsyncPgConnection, source: &Source) -> Result<Option<Offer>, SyncError> {
    let mut query = sources::table
        .filter(sources::kind.eq(source.kind.as_str()))
        .filter(sources::update_anchor.is_not_null().or(sources::config_anchor.is_not_null()))
        .order(sources::id.desc())
        .select((sources::facts, sources::products, sources::classifications))
        .into_boxed();
    // Microsoft Update is one source wherever it is reached.
    if source.kind == SourceKind::Upstream {
        query = query
            .filter(sources::host.eq(source.server.to_ascii_lowercase()))
            .filter(sources::port.eq(i32::from(source.port)))
            .filter(sources::ssl.eq(source.ssl));
    }
    let row: Option<(Value, Vec<Uuid>, Vec<Uuid>)> = query.first(conn).await.optional()?;
    Ok(row.map(|(facts, products, classifications)| Offer {
        languages: enabled_languages(&facts),
        fetched: products.into_iter().chain(classifications).collect(),
    }))
}
