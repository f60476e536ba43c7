//! Plain tables: numbers inside, ids at the edge, documents as they came. Rows go in by binary COPY, in one
//! transaction; for a whole catalogue the indexes are built after them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use weir::protocol::ids::RevisionKey;

use super::decode::{FileRow, Row};
use super::fetch::split;

/// Revisions of one COPY.
const TOGETHER: usize = 2_000;

const CREATE: &str = "
CREATE TABLE update_ids (id int4 NOT NULL, update_id uuid NOT NULL);
CREATE TABLE revisions (id int4 NOT NULL, update_row int4 NOT NULL, number int4 NOT NULL, kind int2 NOT NULL,
    title text NOT NULL, description text NOT NULL);
CREATE TABLE documents (revision_row int4 NOT NULL, is_cabinet bool NOT NULL, body bytea NOT NULL);
ALTER TABLE documents ALTER body SET STORAGE EXTERNAL;
CREATE TABLE relations (revision_row int4 NOT NULL, kind int2 NOT NULL, target_row int4 NOT NULL);
CREATE TABLE files (id int4 NOT NULL, sha1 bytea NOT NULL, size int8 NOT NULL, name text NOT NULL);
CREATE TABLE revision_files (revision_row int4 NOT NULL, file_row int4 NOT NULL)";

const INDEX: &str = "
ALTER TABLE update_ids ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON update_ids (update_id);
ALTER TABLE revisions ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON revisions (update_row, number);
ALTER TABLE documents ADD PRIMARY KEY (revision_row);
CREATE INDEX ON relations (revision_row);
CREATE INDEX ON relations (target_row, kind);
ALTER TABLE files ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON files (sha1);
CREATE INDEX ON revision_files (revision_row);
CREATE INDEX ON revision_files (file_row)";

/// The database, open.
pub struct Store {
    client: Client,
    /// The tables and their indexes are there, with rows in them.
    is_known: bool,
}

impl Store {
    pub async fn open(url: &str, is_known: bool) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { client, is_known })
    }

    /// Those of a list that are not stored.
    pub async fn missing(&self, keys: Vec<RevisionKey>) -> Result<Vec<RevisionKey>> {
        if !self.is_known {
            return Ok(keys);
        }
        let sql = "SELECT l.update_id, l.number FROM unnest($1::uuid[], $2::int4[]) l (update_id, number)
            WHERE NOT EXISTS (SELECT FROM update_ids i JOIN revisions r ON r.update_row = i.id
                WHERE i.update_id = l.update_id AND r.number = l.number)";
        let (ids, numbers) = split(&keys);
        let rows = self.client.query(sql, &[&ids, &numbers]).await?;
        Ok(rows.iter().map(|row| RevisionKey { update_id: row.get(0), revision: row.get(1) }).collect())
    }
}

/// One transaction on the tables.
pub struct Tables {
    store: Store,
    waiting: Vec<Row>,
    updates: HashMap<Uuid, i32>,
    files: HashMap<Vec<u8>, i32>,
    /// The highest numbers given so far.
    last: [i32; 3],
}

impl Tables {
    pub async fn begin(store: Store) -> Result<Self> {
        store.client.batch_execute("BEGIN").await?;
        let mut last = [0; 3];
        if store.is_known {
            let sql = "SELECT (SELECT max(id) FROM update_ids), (SELECT max(id) FROM revisions),
                (SELECT max(id) FROM files)";
            let row = store.client.query_one(sql, &[]).await?;
            last = [row.get(0), row.get(1), row.get(2)];
        } else {
            store.client.batch_execute(CREATE).await?;
        }
        Ok(Self { store, waiting: Vec::new(), updates: HashMap::new(), files: HashMap::new(), last })
    }

    pub async fn add(&mut self, rows: Vec<Row>) -> Result<()> {
        self.waiting.extend(rows);
        if self.waiting.len() >= TOGETHER { self.flush().await } else { Ok(()) }
    }

    pub async fn finish(mut self) -> Result<()> {
        self.flush().await?;
        if !self.store.is_known {
            self.store.client.batch_execute(INDEX).await?;
        }
        Ok(self.store.client.batch_execute("COMMIT").await?)
    }

    async fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if self.store.is_known {
            self.look_up(&rows).await?;
        }
        let new_updates = self.number_updates(&rows);
        let new_files = self.number_files(&rows);
        let first = self.last[1] + 1;
        self.last[1] += i32::try_from(rows.len())?;
        let numbered = || (first..).zip(&rows);
        let row_of = |id: &Uuid| self.updates.get(id).copied().context("an update with a number");
        let client = &self.store.client;

        let mut copy = Copy::into(client, "update_ids", &[Type::INT4, Type::UUID]).await?;
        for (id, update_id) in &new_updates {
            copy.row(&[id, update_id]).await?;
        }
        copy.end().await?;

        let types = [Type::INT4, Type::INT4, Type::INT4, Type::INT2, Type::TEXT, Type::TEXT];
        let mut copy = Copy::into(client, "revisions", &types).await?;
        for (id, row) in numbered() {
            let update = row_of(&row.update_id)?;
            copy.row(&[&id, &update, &row.revision, &row.kind, &row.title, &row.description]).await?;
        }
        copy.end().await?;

        let mut copy = Copy::into(client, "documents", &[Type::INT4, Type::BOOL, Type::BYTEA]).await?;
        for (id, row) in numbered() {
            copy.row(&[&id, &row.is_cabinet, &row.body]).await?;
        }
        copy.end().await?;

        let mut copy = Copy::into(client, "relations", &[Type::INT4, Type::INT2, Type::INT4]).await?;
        for (id, row) in numbered() {
            for (kind, target) in &row.relations {
                copy.row(&[&id, kind, &row_of(target)?]).await?;
            }
        }
        copy.end().await?;

        let types = [Type::INT4, Type::BYTEA, Type::INT8, Type::TEXT];
        let mut copy = Copy::into(client, "files", &types).await?;
        for (id, (sha1, size, name)) in &new_files {
            copy.row(&[id, sha1, size, name]).await?;
        }
        copy.end().await?;

        let mut copy = Copy::into(client, "revision_files", &[Type::INT4, Type::INT4]).await?;
        for (id, row) in numbered() {
            for (sha1, ..) in &row.files {
                copy.row(&[&id, self.files.get(sha1).context("a file with a number")?]).await?;
            }
        }
        copy.end().await
    }

    /// What is stored already of what these rows name.
    async fn look_up(&mut self, rows: &[Row]) -> Result<()> {
        let ids: Vec<Uuid> = rows.iter().flat_map(named).collect();
        let sql = "SELECT update_id, id FROM update_ids WHERE update_id = ANY($1)";
        let found = self.store.client.query(sql, &[&ids]).await?;
        self.updates.extend(found.iter().map(|row| (row.get::<_, Uuid>(0), row.get::<_, i32>(1))));
        let digests: Vec<&[u8]> = rows.iter().flat_map(|row| row.files.iter().map(|file| &*file.0)).collect();
        let sql = "SELECT sha1, id FROM files WHERE sha1 = ANY($1)";
        let found = self.store.client.query(sql, &[&digests]).await?;
        self.files.extend(found.iter().map(|row| (row.get::<_, Vec<u8>>(0), row.get::<_, i32>(1))));
        Ok(())
    }

    fn number_updates(&mut self, rows: &[Row]) -> Vec<(i32, Uuid)> {
        let mut new = Vec::new();
        for id in rows.iter().flat_map(named) {
            self.updates.entry(id).or_insert_with(|| {
                self.last[0] += 1;
                new.push((self.last[0], id));
                self.last[0]
            });
        }
        new
    }

    fn number_files<'r>(&mut self, rows: &'r [Row]) -> Vec<(i32, &'r FileRow)> {
        let mut new = Vec::new();
        for file in rows.iter().flat_map(|row| &row.files) {
            if !self.files.contains_key(&file.0) {
                self.last[2] += 1;
                self.files.insert(file.0.clone(), self.last[2]);
                new.push((self.last[2], file));
            }
        }
        new
    }
}

/// The update of a row and those it points to.
fn named(row: &Row) -> impl Iterator<Item = Uuid> + '_ {
    std::iter::once(row.update_id).chain(row.relations.iter().map(|(_, target)| *target))
}

/// Rows on their way into one table.
struct Copy(std::pin::Pin<Box<BinaryCopyInWriter>>);

impl Copy {
    async fn into(client: &Client, table: &str, types: &[Type]) -> Result<Self> {
        let sink = client.copy_in(&format!("COPY {table} FROM STDIN BINARY")).await?;
        Ok(Self(Box::pin(BinaryCopyInWriter::new(sink, types))))
    }

    async fn row(&mut self, values: &[&(dyn ToSql + Sync)]) -> Result<()> {
        Ok(self.0.as_mut().write(values).await?)
    }

    async fn end(mut self) -> Result<()> {
        self.0.as_mut().finish().await?;
        Ok(())
    }
}
