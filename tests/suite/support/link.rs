//! The way to the database, for tests that count what goes over it or cut it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, UnixStream};
use weir::db::DatabaseUrl;

use super::TestDatabase;
use super::server;

#[derive(Default)]
struct State {
    statements: Vec<String>,
    /// Cut a connection when a statement that contains this comes, this many times.
    cut: Option<(&'static str, usize)>,
    /// Send the statement on before the cut.
    pass_on: bool,
}

/// A relay in front of a test's database.
#[derive(Clone)]
pub struct Link {
    url: DatabaseUrl,
    state: Arc<Mutex<State>>,
}

impl Link {
    pub async fn to(db: &TestDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = DatabaseUrl::parse(format!("host=127.0.0.1 port={port} user=weir dbname={}", db.name()));
        let link = Self { url: url.unwrap(), state: Arc::default() };
        let relay = link.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let relay = relay.clone();
                tokio::spawn(async move {
                    let database = server::socket_folder().join(".s.PGSQL.5432");
                    let Ok(database) = UnixStream::connect(database).await else { return };
                    let (from_client, mut to_client) = client.into_split();
                    let (mut from_database, to_database) = database.into_split();
                    tokio::select! {
                        _ = relay.forward(from_client, to_database) => {}
                        _ = tokio::io::copy(&mut from_database, &mut to_client) => {}
                    }
                });
            }
        });
        link
    }

    pub fn url(&self) -> DatabaseUrl {
        self.url.clone()
    }

    /// The statements executed since the last time this was asked.
    pub fn take_statements(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().statements)
    }

    /// The next `times` statements that contain `words` end their connection; when `pass_on`, the database
    /// still gets the statement, and only its answer is lost.
    pub fn cut(&self, words: &'static str, times: usize, pass_on: bool) {
        let mut state = self.state.lock().unwrap();
        state.cut = Some((words, times));
        state.pass_on = pass_on;
    }

    /// Passes messages on and reads the statements in them.
    async fn forward(
        &self,
        mut client: OwnedReadHalf,
        mut database: tokio::net::unix::OwnedWriteHalf,
    ) -> io::Result<()> {
        let mut length = [0; 4];
        client.read_exact(&mut length).await?;
        let mut start = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut start).await?;
        database.write_all(&[&length[..], &start].concat()).await?;
        let mut prepared: HashMap<Vec<u8>, String> = HashMap::new();
        loop {
            let kind = client.read_u8().await?;
            client.read_exact(&mut length).await?;
            let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
            client.read_exact(&mut body).await?;
            let message = [&[kind][..], &length, &body].concat();
            let mut fields = body.split(|byte| *byte == 0);
            let mut field = || fields.next().unwrap_or_default().to_vec();
            let executed = match kind {
                b'Q' => Some(String::from_utf8_lossy(&field()).into_owned()),
                b'P' => {
                    let name = field();
                    prepared.insert(name, String::from_utf8_lossy(&field()).into_owned());
                    None
                }
                b'B' => {
                    field(); // the portal
                    prepared.get(&field()).cloned()
                }
                _ => None,
            };
            let cut = executed.is_some_and(|statement| self.note(statement));
            if cut && !self.state.lock().unwrap().pass_on {
                return Ok(());
            }
            database.write_all(&message).await?;
            if cut {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                return Ok(());
            }
        }
    }

    /// Writes a statement down; is the connection to be cut now?
    fn note(&self, statement: String) -> bool {
        let mut state = self.state.lock().unwrap();
        let cut = match &mut state.cut {
            Some((words, times)) if *times > 0 && statement.contains(*words) => {
                *times -= 1;
                true
            }
            _ => false,
        };
        state.statements.push(statement);
        cut
    }
}
