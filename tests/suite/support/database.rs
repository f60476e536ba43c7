//! A database of its own for each test.

use super::cluster::Cluster;
use super::server;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_postgres::error::SqlState;
use weir::db::{DatabaseUrl, Pool};

/// A freshly migrated database, dropped with this value.
pub struct TestDatabase {
    url: DatabaseUrl,
    pool: Pool,
    name: String,
    /// Another database of the same server.
    admin: DatabaseUrl,
}

impl TestDatabase {
    pub async fn create() -> Self {
        super::watchdog::watch();
        let name = next_name();
        let admin = weir::db::open_client(&server::url("postgres")).await.unwrap();
        let template = server::TEMPLATE;
        let mut tries = 0;
        while let Err(error) =
            admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await
        {
            // A connection that was closed a moment ago may still count.
            assert_eq!(error.code(), Some(&SqlState::OBJECT_IN_USE), "{error}");
            tries += 1;
            assert!(tries < 100, "the template stays in use");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let url = server::url(&name);
        let pool = weir::db::connect(&url).await.unwrap();
        Self { url, pool, name, admin: server::url("postgres") }
    }

    /// A database without any schema, for tests of the migrations themselves.
    pub async fn create_empty() -> Self {
        super::watchdog::watch();
        let name = next_name();
        let admin = weir::db::open_client(&server::url("postgres")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let url = server::url(&name);
        let pool = weir::db::connect(&url).await.unwrap();
        Self { url, pool, name, admin: server::url("postgres") }
    }

    /// A migrated database on a server of the test's own, in its small room if it has one.
    pub async fn create_on(cluster: &Cluster) -> Self {
        super::watchdog::watch();
        let (admin, name) = (cluster.url("postgres"), next_name());
        let client = weir::db::open_client(&admin).await.unwrap();
        for statement in cluster.create_database(&name) {
            client.batch_execute(&statement).await.unwrap();
        }
        let url = cluster.url(&name);
        weir::db::migrate(&url).await.unwrap();
        keep_free(&weir::db::open_client(&url).await.unwrap(), FREE_IN_TESTS).await;
        let pool = weir::db::connect(&url).await.unwrap();
        Self { url, pool, name, admin }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// A connection for the test itself.
    pub async fn conn(&self) -> weir::db::PooledConnection<'_> {
        self.pool.get().await.unwrap()
    }

    /// Cuts every connection to this database and lets nobody in, as an outage would.
    pub async fn refuse_connections(&self) {
        let admin = weir::db::open_client(&self.admin).await.unwrap();
        let name = &self.name;
        // One after the other: together they are one transaction, and until its end new connections come in.
        for statement in [
            format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"),
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        ] {
            admin.batch_execute(&statement).await.unwrap();
        }
    }

    /// Ends [`TestDatabase::refuse_connections`].
    pub async fn accept_connections(&self) {
        let admin = weir::db::open_client(&self.admin).await.unwrap();
        let open = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", self.name);
        admin.batch_execute(&open).await.unwrap();
    }

    /// A raw connection, for bulk import and plain SQL.
    pub async fn client(&self) -> tokio_postgres::Client {
        weir::db::open_client(&self.url).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let admin = self.admin.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok(admin) = weir::db::open_client(&admin).await {
                    let _ = admin.batch_execute(&statement).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

/// Has so many bytes of the disk kept free.
pub async fn keep_free(client: &tokio_postgres::Client, bytes: i64) {
    client.execute("UPDATE content_limits SET reserve_bytes = $1", &[&bytes]).await.unwrap();
}

/// Bytes kept free in tests: what is usual would have them fail on a disk that is nearly full.
pub const FREE_IN_TESTS: i64 = 10_000_000;

fn next_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
