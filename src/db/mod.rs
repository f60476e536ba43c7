//! The database: its address, the pool, migrations, the generated schema and the private cluster.
//!
//! Nothing here knows what is stored; queries live in the module that owns the table.

mod cluster;
mod error;
mod kept;
mod key;
mod locks;
mod migrate;
pub mod planning;
mod pool;
mod remembered;
pub mod schema;
mod url;

pub use cluster::{Cluster, ClusterError, FileLock, keep_cluster};
pub use error::{DbError, is_away, is_disk_full};
pub use kept::{Keep, Kept};
pub use key::{KeyClaim, claim_key};
pub use locks::Lock;
pub use migrate::migrate;
pub use pool::{POOL_SIZE, Pool, PoolError, PooledConnection, Reading, connect, first_read, open_client};
pub use remembered::Remembered;
pub use url::DatabaseUrl;
