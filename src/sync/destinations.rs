//! Which hosts the last runs used: written once a run and once for many files, read for a firewall request.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::SyncError;
/// The hosts that Microsoft Update sends from, whether they were used or not.
pub use super::hosts::DELIVERY_HOSTS as PUBLISHED;
use crate::db::Pool;
use crate::upstream::{Destination, Traffic, Volume};

/// Runs that are looked back on.
const RUNS_MAX: i64 = 30;
/// Rows that are shown.
const ROWS_MAX: i64 = 200;

/// A host that the last runs used.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct UsedHost {
    #[diesel(sql_type = Text)]
    pub host: String,
    #[diesel(sql_type = Integer)]
    pub port: i32,
    #[diesel(sql_type = Bool)]
    pub tls: bool,
    /// Name and port of the proxy server; empty: directly.
    #[diesel(sql_type = Text)]
    pub proxy: String,
    #[diesel(sql_type = BigInt)]
    pub requests: i64,
    /// Received, unpacked.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    /// When the last run that used it was asked for.
    #[diesel(sql_type = Timestamptz)]
    pub last_used: DateTime<Utc>,
}

/// The hosts of the last thirty runs, those with most data first.
///
/// # Errors
/// The database's.
pub async fn used(conn: &mut AsyncPgConnection) -> QueryResult<Vec<UsedHost>> {
    diesel::sql_query(
        "SELECT h.host, h.port, h.tls, h.proxy, sum(h.requests)::bigint AS requests,
                sum(h.bytes)::bigint AS bytes, max(r.requested_at) AS last_used
         FROM run_hosts h
         JOIN (SELECT id, requested_at FROM sync_runs ORDER BY id DESC LIMIT $1) r ON r.id = h.run_id
         GROUP BY h.host, h.port, h.tls, h.proxy
         ORDER BY bytes DESC, h.host, h.port LIMIT $2",
    )
    .bind::<BigInt, _>(RUNS_MAX)
    .bind::<BigInt, _>(ROWS_MAX)
    .load(conn)
    .await
}

/// Adds what a run used to its rows. A failure is logged and changes nothing else.
pub(super) async fn write_down(pool: &Pool, run_id: i64, traffic: &Traffic) {
    let counts = traffic.take();
    if counts.is_empty() {
        return;
    }
    let written = async {
        let mut conn = pool.get().await?;
        add(&mut conn, run_id, &counts).await?;
        Ok::<(), SyncError>(())
    };
    if let Err(error) = written.await {
        tracing::warn!(run.id = run_id, %error, "the hosts that a run used could not be written down");
    }
}

async fn add(
    conn: &mut AsyncPgConnection,
    run_id: i64,
    counts: &BTreeMap<Destination, Volume>,
) -> QueryResult<usize> {
    let (destinations, volumes): (Vec<_>, Vec<_>) = counts.iter().unzip();
    let each = |number: fn(&Volume) -> i64| volumes.iter().copied().map(number).collect::<Vec<_>>();
    let hosts: Vec<&str> = destinations.iter().map(|one| one.host.as_str()).collect();
    let proxies: Vec<&str> = destinations.iter().map(|one| one.proxy.as_str()).collect();
    // A run that was cleaned away meanwhile has no rows any more.
    diesel::sql_query(
        "INSERT INTO run_hosts (run_id, host, port, tls, proxy, requests, bytes)
         SELECT r.id, n.* FROM sync_runs r, unnest($2, $3, $4, $5, $6, $7) n WHERE r.id = $1
         ON CONFLICT (run_id, host, port, tls, proxy) DO UPDATE
         SET requests = run_hosts.requests + excluded.requests, bytes = run_hosts.bytes + excluded.bytes",
    )
    .bind::<BigInt, _>(run_id)
    .bind::<Array<Text>, _>(hosts)
    .bind::<Array<Integer>, _>(destinations.iter().map(|one| i32::from(one.port)).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(destinations.iter().map(|one| one.tls).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(proxies)
    .bind::<Array<BigInt>, _>(each(|volume| volume.requests))
    .bind::<Array<BigInt>, _>(each(|volume| volume.bytes))
    .execute(conn)
    .await
}
