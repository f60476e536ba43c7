//! A whole server for one test: its own database, folder and ports.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use weir::accounts::Role;
use weir::app::{App, AppConfig, Edge, RunningApp};
use weir::config::{MicrosoftUpdate, Roles};
use weir::secret::SecretKey;

use super::{Page, TestDatabase, Visitor};

/// The password of every account that [`TestApp::account`] makes.
pub const PASSWORD: &str = "three small boats at sea";

/// A running server. Stops with [`TestApp::stop`], or with the test's runtime.
pub struct TestApp {
    running: RunningApp,
    pub db: Arc<TestDatabase>,
    secret: Arc<SecretKey>,
    data: tempfile::TempDir,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with changes to the configuration.
    pub async fn start_with(change: impl FnOnce(&mut AppConfig)) -> Self {
        let db = Arc::new(TestDatabase::create().await);
        Self::start_on(db, Arc::new(SecretKey::generate().unwrap()), change).await
    }

    /// Starts on a database that a test has prepared.
    pub async fn start_on_database(db: Arc<TestDatabase>) -> Self {
        Self::start_on_database_with(db, |_| {}).await
    }

    /// The same with changes to the configuration.
    pub async fn start_on_database_with(db: Arc<TestDatabase>, change: impl FnOnce(&mut AppConfig)) -> Self {
        Self::start_on(db, Arc::new(SecretKey::generate().unwrap()), change).await
    }

    /// One more server on the same database, with the same key.
    pub async fn start_beside(&self) -> Self {
        self.start_beside_with(|_| {}).await
    }

    /// The same with changes to the configuration.
    pub async fn start_beside_with(&self, change: impl FnOnce(&mut AppConfig)) -> Self {
        Self::start_on(Arc::clone(&self.db), Arc::clone(&self.secret), change).await
    }

    async fn start_on(
        db: Arc<TestDatabase>,
        secret: Arc<SecretKey>,
        change: impl FnOnce(&mut AppConfig),
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = AppConfig {
            roles: Roles::ALL,
            console: anywhere,
            services: anywhere,
            edge: Edge::default(),
            database: db.url().clone(),
            content_dir: data.path().join("content"),
            content_bucket: None,
            secret: Arc::clone(&secret),
            content_hosts: Vec::new(),
            microsoft_update: MicrosoftUpdate { url: "http://127.0.0.1:9/".parse().unwrap(), ca_file: None },
        };
        change(&mut config);
        let running = App::start(config).await.unwrap();
        Self { running, db, secret, data }
    }

    /// `path` on the console.
    pub fn console_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.console_address().unwrap())
    }

    /// `path` on the services listener.
    pub fn services_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.services_address().unwrap())
    }

    pub fn services_port(&self) -> u16 {
        self.running.services_address().unwrap().port()
    }

    pub fn services_tls_port(&self) -> u16 {
        self.running.services_tls_address().unwrap().port()
    }

    /// `path` on the console, over TLS.
    pub fn secure_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.running.console_address().unwrap())
    }

    pub fn data_dir(&self) -> &std::path::Path {
        self.data.path()
    }

    /// A proxy password as it is stored.
    pub fn seal_proxy_password(&self, password: &str) -> Vec<u8> {
        self.secret.seal(weir::settings::Proxy::PASSWORD_PURPOSE, password.as_bytes())
    }

    /// Someone at the console who is not signed in.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(&self.console_url(""))
    }

    /// The same from another address of this machine: 127.0.0.`last`.
    pub fn visitor_from(&self, last: u8) -> Visitor {
        Visitor::from_address(&self.console_url(""), Some(Ipv4Addr::new(127, 0, 0, last).into()))
    }

    /// Makes an account and signs it in.
    pub async fn sign_in_as(&self, name: &str, role: Role) -> Visitor {
        self.account(name, role).await;
        let visitor = self.visitor();
        let answer = visitor.sign_in(name, PASSWORD).await;
        assert_eq!(answer.status(), 303, "signing in as {name}: {}", answer.body);
        visitor
    }

    /// An administrator called `admin`, signed in.
    pub async fn sign_in_admin(&self) -> Visitor {
        self.sign_in_as("admin", Role::Administrator).await
    }

    /// Makes an account with the password [`PASSWORD`].
    pub async fn account(&self, name: &str, role: Role) {
        let mut conn = self.db.conn().await;
        weir::accounts::create(&mut conn, name, role, PASSWORD).await.unwrap();
    }

    /// `GET` on the services listener.
    pub async fn ask_services(&self, path: &str) -> Page {
        Visitor::new(&self.services_url("")).get(path).await
    }

    /// Stops as on SIGTERM.
    pub async fn stop(self) -> Arc<TestDatabase> {
        assert!(self.running.stop(Duration::from_secs(30)).await, "the server did not end in time");
        self.db
    }
}
