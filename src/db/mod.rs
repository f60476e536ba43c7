//! The database: its address, the pool, migrations, the generated schema and the private cluster.
//!
//! Nothing here knows what is stored; queries live in the module that owns the table.

mod cluster;
mod error;
mod key;
mod migrate;
mod pool;
pub mod schema;
mod url;

pub use cluster::{Cluster, ClusterError, FileLock, keep_cluster};
pub use error::{DbError, is_disk_full};
pub use key::{KeyClaim, claim_key};
pub use migrate::migrate;
pub use pool::{POOL_SIZE, Pool, PoolError, PooledConnection, connect, open_client};
pub use url::DatabaseUrl;
