//! When an account last looked through the products, so that those the source added since are marked.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::schema::product_visits;

/// The dialog was opened. Opened again within half an hour it is the same visit.
///
/// # Errors
/// The database's.
pub async fn record(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO product_visits AS v (account_id) VALUES ($1)
         ON CONFLICT (account_id) DO UPDATE SET last_at = now(),
             before_at = CASE WHEN v.last_at < now() - interval '30 minutes' THEN v.last_at ELSE v.before_at END",
    )
    .bind::<BigInt, _>(account_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// The visit before this one; `None`: there was none, so nothing is new.
///
/// # Errors
/// The database's.
pub async fn before(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<Option<DateTime<Utc>>> {
    let found = product_visits::table.find(account_id).select(product_visits::before_at);
    Ok(found.first::<Option<DateTime<Utc>>>(conn).await.optional()?.flatten())
}
