//! A `weir serve` that is visited.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use weir::accounts::{self, Role};
use weir::db::DatabaseUrl;

use crate::http::Visitor;
use crate::{procfs, product};

const START_WAIT: Duration = Duration::from_secs(60);
const PASSWORD: &str = "three small boats at sea";

/// The process. Killed with this value.
pub struct Server {
    child: Child,
    began: Instant,
    pub port: u16,
}

impl Server {
    /// Starts it; `database`: none for the private cluster of the data folder.
    pub fn start(database: Option<&DatabaseUrl>, data_dir: &Path) -> Result<Self> {
        let (port, services) = (free_port()?, free_port()?);
        let mut command = Command::new(product::PROGRAM);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(database.map(|url| ("DATABASE_URL", url.as_str().to_owned())))
            .env("WEIR_DATA_DIR", data_dir)
            .env("WEIR_LOG", "error")
            .env("WEIR_CONSOLE_PORT", port.to_string())
            .env("WEIR_SERVICES_PORT", services.to_string())
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let began = Instant::now();
        Ok(Self { child: command.spawn()?, began, port })
    }

    /// Waits until it listens.
    pub async fn ready(&mut self) -> Result<()> {
        self.visitor(None).await.map(drop)
    }

    /// Opens a page as soon as there is somebody to ask; answers with the seconds since the start.
    pub async fn first_page(&mut self, session: &str, path: &str) -> Result<f64> {
        let (status, _) = self.visitor(Some(session)).await?.get(path).await?;
        ensure!(status == 200, "the first page answered {status}");
        Ok(self.began.elapsed().as_secs_f64())
    }

    async fn visitor(&mut self, session: Option<&str>) -> Result<Visitor> {
        loop {
            if let Ok(visitor) = Visitor::open(self.port, session).await {
                return Ok(visitor);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("weir serve ended with {status}");
            }
            ensure!(self.began.elapsed() < START_WAIT, "weir serve does not answer");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Time it computed so far.
    pub fn cpu(&self) -> Duration {
        procfs::stat(self.child.id()).map(|stat| stat.own).unwrap_or_default()
    }

    /// Highest memory so far, in bytes.
    pub fn peak_bytes(&self) -> Result<u64> {
        procfs::peak_bytes(self.child.id()).context("weir serve runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes an administrator and so many sessions of theirs; answers with the values of their cookies.
pub async fn sessions(database: &DatabaseUrl, count: usize) -> Result<Vec<String>> {
    let pool = weir::db::connect(database).await?;
    let account = accounts::create(&mut *pool.get().await?, "bench", Role::Administrator, PASSWORD).await?;
    let client = weir::db::open_client(database).await?;
    let tokens: Vec<String> = (0..count).map(|number| format!("{number:064x}")).collect();
    for token in &tokens {
        let sql = "INSERT INTO sessions (token_hash, account_id, csrf_secret) VALUES ($1, $2, $1)";
        client.execute(sql, &[&Sha256::digest(token.as_bytes()).to_vec(), &account.id]).await?;
    }
    Ok(tokens)
}

/// A port that nobody uses at this moment.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
