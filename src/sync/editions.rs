//! Whether anything changed of what the options page is made of.

use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::SyncError;
use super::runs::{ACTIVE, ENDED_LAST};
use crate::db::Keep;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    editions: String,
}

/// The editions of the options, the catalogue, the update sources, the active run and the one that ended last: of each row
/// the transaction that wrote it (`xmin`). Equal answers mean equal rows. The selected categories are written with the
/// row of the options only, and the catalogue's with a publication only. One statement.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn now(conn: &mut AsyncPgConnection) -> Result<String, SyncError> {
    let text = format!(
        "SELECT format('%s/%s/%s/%s', o.xmin, (SELECT max(stamp) FROM publications),
             (SELECT string_agg(s.id || ':' || s.xmin, ' ' ORDER BY s.id) FROM sources s),
             (SELECT string_agg(sync_runs.id || ':' || sync_runs.xmin, ' ' ORDER BY sync_runs.id) FROM sync_runs
              WHERE sync_runs.state = ANY($1) OR {ENDED_LAST})) AS editions
         FROM sync_options o"
    );
    let row: Row =
        diesel::sql_query(text).bind::<Array<Text>, _>(&ACTIVE[..]).kept().get_result(conn).await?;
    Ok(row.editions)
}
