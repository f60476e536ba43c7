//! Running processes: each holds a session advisory lock, which ends with the process and not with a clock.

use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::Bool;
use diesel_async::AsyncPgConnection;
use futures_util::future::poll_fn;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::QueueError;
use super::channel::CHANNEL;
use crate::db::DatabaseUrl;

/// SQL condition on a row `i` of `instances`: somebody holds its lock in this database.
pub(super) const IS_ALIVE: &str = "EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
     WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.classid::bigint = (i.lock_key >> 32) & 4294967295 AND l.objid::bigint = i.lock_key & 4294967295)";

const HEARTBEAT: Duration = Duration::from_secs(5);
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

/// This process as others see it in the database. Ends when dropped.
pub struct Instance {
    id: Uuid,
    /// Triggers when a job was put into the queue.
    pub(super) new_job: Arc<Notify>,
    end: CancellationToken,
}

impl Instance {
    /// Registers this process under `name`, with what it does (`console,services,worker`), and keeps it registered in
    /// the background, also over a restart of the database.
    ///
    /// # Errors
    /// [`QueueError::Session`] when the first connection fails.
    pub async fn register(url: DatabaseUrl, name: &str, roles: &str) -> Result<Self, QueueError> {
        let id = Uuid::new_v4();
        let (name, roles) = (name.to_owned(), roles.to_owned());
        let session = Session { url, id, name, roles, new_job: Arc::new(Notify::new()) };
        let end = CancellationToken::new();
        let new_job = session.new_job.clone();
        let first = session.connect().await?;
        tokio::spawn(session.keep(first, end.clone()));
        Ok(Self { id, new_job, end })
    }

    /// The row in `instances`.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// Is there a process that takes jobs from the queue? It holds its lock then.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn any_worker_alive(conn: &mut AsyncPgConnection) -> Result<bool, QueueError> {
    use diesel_async::RunQueryDsl; // at the top it would hide the methods of a raw client
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        alive: bool,
    }
    let query = format!(
        "SELECT EXISTS (SELECT 1 FROM instances i WHERE i.roles LIKE '%worker%' AND {IS_ALIVE}) AS alive"
    );
    let row: Row = diesel::sql_query(query).get_result(conn).await?;
    Ok(row.alive)
}

struct Session {
    url: DatabaseUrl,
    id: Uuid,
    name: String,
    roles: String,
    new_job: Arc<Notify>,
}

impl Session {
    /// Half of a random id: unique enough among the few processes of one database.
    fn lock_key(&self) -> i64 {
        let (high, _) = self.id.as_u64_pair();
        i64::from_be_bytes(high.to_be_bytes())
    }

    async fn connect(&self) -> Result<tokio_postgres::Client, QueueError> {
        let (client, mut connection) = tokio_postgres::connect(self.url.as_str(), NoTls).await?;
        let new_job = self.new_job.clone();
        tokio::spawn(async move {
            while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
                match message {
                    Ok(AsyncMessage::Notification(_)) => new_job.notify_one(),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "the instance's database connection ended");
                        break;
                    }
                }
            }
        });
        let key = self.lock_key();
        client.execute("SELECT pg_advisory_lock($1)", &[&key]).await?;
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        client
            .execute(
                "INSERT INTO instances (id, lock_key, name, version, roles) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (id) DO UPDATE SET heartbeat_at = now()",
                &[&self.id, &key, &self.name, &env!("CARGO_PKG_VERSION"), &self.roles],
            )
            .await?;
        // Rows of processes that are gone are of no use to anybody.
        client
            .execute(
                &format!(
                    "DELETE FROM instances i WHERE heartbeat_at < now() - interval '1 day' AND NOT {IS_ALIVE}"
                ),
                &[],
            )
            .await?;
        Ok(client)
    }

    async fn keep(self, first: tokio_postgres::Client, end: CancellationToken) {
        let mut client = Some(first);
        loop {
            tokio::select! {
                () = end.cancelled() => break,
                () = tokio::time::sleep(if client.is_some() { HEARTBEAT } else { RECONNECT_WAIT }) => {}
            }
            client = match client {
                Some(alive) => self.beat(alive).await,
                None => {
                    self.connect().await.inspect_err(|error| tracing::debug!(%error, "reconnecting")).ok()
                }
            };
        }
        if let Some(client) = client
            && let Err(error) = client.execute("DELETE FROM instances WHERE id = $1", &[&self.id]).await
        {
            tracing::debug!(%error, "the instance could not sign off");
        }
    }

    async fn beat(&self, client: tokio_postgres::Client) -> Option<tokio_postgres::Client> {
        let beat =
            client.execute("UPDATE instances SET heartbeat_at = now() WHERE id = $1", &[&self.id]).await;
        match beat {
            Ok(_) => Some(client),
            Err(error) => {
                tracing::warn!(%error, "the database connection of this instance was lost, connecting again");
                None
            }
        }
    }
}
