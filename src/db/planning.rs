//! How the statements of a transaction are planned.

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

/// For questions about few rows beside what the tables will hold: they are looked up by index. While tables are not large
/// yet, the planner would read them whole, each time again. Nothing is compiled: forbidden ways look dear to it.
pub const BY_INDEX: &str = "SET LOCAL enable_seqscan = off; SET LOCAL jit = off";

/// For the first rows of many, in the order of an index: rows are read one after the other until there are enough. Where
/// statistics tell nothing yet, the planner would read all and sort them.
pub const IN_ORDER: &str =
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off";

/// For statements over a whole catalogue: room to sort and hash in, for one of them at a time. Nothing is compiled, which
/// takes longer than most of them read.
pub const ROOMY: &str = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off";

/// For few rows beside many: each row is looked up by its index. The planner takes recursions for ten times as many at
/// each step, and would read whole tables of the catalogue to join them with a hundred rows. Tables are joined in the
/// order in which they are written. Until the transaction ends, or [`any_way`].
///
/// # Errors
/// The database's.
pub async fn step_by_step(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
         SET LOCAL random_page_cost = 1.1; SET LOCAL join_collapse_limit = 1",
    )
    .await
}

/// For many rows, in tables of which the statistics tell nothing yet: tables are read whole and joined by hashing. A loop
/// that looks through a table for each row of another one takes the square of the time. Until the transaction ends, or
/// [`any_way`].
///
/// # Errors
/// The database's.
pub async fn by_whole_tables(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute("SET LOCAL enable_nestloop = off").await
}

/// As the database thinks best.
///
/// # Errors
/// The database's.
pub async fn any_way(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(
        "SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT;
         SET LOCAL enable_nestloop TO DEFAULT;
         SET LOCAL random_page_cost TO DEFAULT; SET LOCAL join_collapse_limit TO DEFAULT",
    )
    .await
}
