//! The database: private cluster, pool, migrations, generated schema. No queries of other modules.

pub mod schema;
