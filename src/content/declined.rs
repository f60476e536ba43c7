//! Files that only declined updates need, by themselves or by what they consist of. What the catalogue does not show yet,
//! and what is neither approvable nor part of something, counts as needed.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::protocol::ids::Sha1Digest;

/// All of them.
pub(super) async fn all(conn: &mut AsyncPgConnection) -> QueryResult<HashSet<Sha1Digest>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Binary)]
        sha1: Vec<u8>,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "WITH RECURSIVE needed (update_row) AS (
             SELECT u.update_row FROM updates u CROSS JOIN files_in_force o
             WHERE NOT EXISTS (SELECT FROM declined_updates d
                               WHERE d.update_id = u.update_id AND d.mirrored = o.replica)
               AND (u.approvable OR NOT EXISTS (SELECT FROM relations r
                                                WHERE r.kind = 3 AND r.target_row = u.update_row))
             UNION
             SELECT r.target_row FROM needed n
             JOIN revisions v ON v.update_row = n.update_row
             JOIN relations r ON r.revision_row = v.id AND r.kind = 3
         )
         SELECT f.sha1 FROM files f
         WHERE EXISTS (SELECT FROM revision_files rf WHERE rf.file_row = f.id)
           AND NOT EXISTS (SELECT FROM revision_files rf JOIN revisions v ON v.id = rf.revision_row
                           WHERE rf.file_row = f.id
                             AND (v.update_row IN (SELECT update_row FROM needed)
                                  OR NOT EXISTS (SELECT FROM updates u WHERE u.update_row = v.update_row)))",
    )
    .load(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Sha1Digest::from_slice(&row.sha1).ok()).collect())
}

/// Whether this file is one of them. A file that no update names is not.
///
/// # Errors
/// The database's.
pub async fn is_declined(conn: &mut AsyncPgConnection, file: &Sha1Digest) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        is_declined: bool,
    }
    let row: Row = diesel::sql_query(
        "WITH RECURSIVE needing (update_row) AS (
             SELECT v.update_row FROM files f
             JOIN revision_files rf ON rf.file_row = f.id
             JOIN revisions v ON v.id = rf.revision_row
             WHERE f.sha1 = $1
             UNION
             SELECT v.update_row FROM needing n
             JOIN relations r ON r.target_row = n.update_row AND r.kind = 3
             JOIN revisions v ON v.id = r.revision_row
         )
         SELECT EXISTS (SELECT FROM needing) AND NOT EXISTS (
             SELECT FROM needing n LEFT JOIN updates u ON u.update_row = n.update_row
             CROSS JOIN files_in_force o
             WHERE u.update_row IS NULL OR (
                 NOT EXISTS (SELECT FROM declined_updates d
                             WHERE d.update_id = u.update_id AND d.mirrored = o.replica)
                 AND (u.approvable OR NOT EXISTS (SELECT FROM relations r
                                                  WHERE r.kind = 3 AND r.target_row = u.update_row)))
         ) AS is_declined",
    )
    .bind::<Binary, _>(file.0.as_slice())
    .get_result(conn)
    .await?;
    Ok(row.is_declined)
}
