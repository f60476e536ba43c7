//! A catalogue of a size, put into the tables at once, with the sessions of visitors.

use std::path::PathBuf;

use anyhow::Result;
use weir::db::DatabaseUrl;

use crate::bench::{Bench, say};
use crate::server;

/// The rows that the tests of the list load, too.
const LOAD: &str = include_str!("../../../tests/suite/catalog/scale.sql");
/// Sessions there are.
pub const SESSIONS: usize = 100;

/// A database with so many updates.
pub struct Loaded {
    pub size: usize,
    pub url: DatabaseUrl,
    /// The folder of its servers.
    pub data_dir: PathBuf,
    pub sessions: Vec<String>,
}

/// The largest is the one that Weir's own cluster would use, so that a server can be started on it alone.
pub fn name(bench: &Bench, size: usize) -> String {
    if size == bench.options.sizes[2] { "weir".to_owned() } else { format!("pages_{size}") }
}

/// Makes it. Indexes are built after the rows, which takes a tenth of the time.
pub async fn load(bench: &Bench, size: usize) -> Result<Loaded> {
    say(format!("loading {size} updates"));
    let url = bench.databases.migrated(&name(bench, size)).await?;
    let client = weir::db::open_client(&url).await?;
    let sql = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('updates', 'update_search')
        AND indexdef NOT LIKE '%UNIQUE%'";
    let indexes = client.query(sql, &[]).await?;
    for row in &indexes {
        client.batch_execute(&format!("DROP INDEX {}", row.get::<_, &str>(0))).await?;
    }
    client.batch_execute(&LOAD.replace("$N", &size.to_string())).await?;
    for row in &indexes {
        client.batch_execute(row.get(1)).await?;
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    let sessions = server::sessions(&url, SESSIONS).await?;
    let data_dir = match size == bench.options.sizes[2] {
        true => bench.databases.data_dir().to_owned(),
        false => bench.folder.path().join(format!("serve-{size}")),
    };
    Ok(Loaded { size, url, data_dir, sessions })
}
