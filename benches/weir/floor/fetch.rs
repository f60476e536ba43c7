//! Lists and batches, four calls at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;
use weir::protocol::document::UpdateKind;
use weir::protocol::ids::{RevisionKey, SyncAnchor};
use weir::protocol::server_sync::{
    GetRevisionIdList, GetUpdateData, IdAndDelta, Reply, Request, RevisionFilter,
};
use weir::protocol::soap::{Service, SoapVersion};
use weir::sample::Catalogue;

use super::decode::{self, Row};

const BATCH: usize = 100;
const WORKERS: usize = 4;

/// What the update server listed.
pub struct Listed {
    pub keys: Vec<RevisionKey>,
    pub anchor: String,
}

/// The update server.
#[derive(Clone)]
pub struct Source {
    http: reqwest::Client,
    url: String,
}

impl Source {
    pub fn new(port: u16) -> Result<Self> {
        let url = format!("http://127.0.0.1:{port}{}", Service::ServerSync.path());
        Ok(Self { http: reqwest::Client::builder().no_proxy().build()?, url })
    }

    /// Categories first, then updates; all, or what is newer than an anchor.
    pub async fn list(&self, since: Option<SyncAnchor>) -> Result<Listed> {
        let delta = since.is_some();
        let ids = |kind: UpdateKind| {
            let all = Catalogue::generate(0, 1).revisions();
            all.filter(|revision| revision.kind == kind)
                .map(|revision| IdAndDelta { id: revision.key.update_id, delta })
                .collect::<Vec<_>>()
        };
        let config = RevisionFilter { anchor: since.clone(), get_config: true, ..RevisionFilter::default() };
        let updates = RevisionFilter {
            anchor: since,
            categories: ids(UpdateKind::Category),
            classifications: ids(UpdateKind::Classification),
            ..RevisionFilter::default()
        };
        let (mut keys, mut anchor) = (Vec::new(), String::new());
        for filter in [config, updates] {
            let body = self.call(&GetRevisionIdList { cookie: None, filter }).await?;
            let reply = <GetRevisionIdList as Request>::Reply::from_bytes(&body)?;
            keys.extend(reply.new_revisions);
            anchor = reply.anchor.as_str().to_owned();
        }
        Ok(Listed { keys, anchor })
    }

    /// Fetches and reads everything, an answer at a time.
    pub async fn fetch(self, keys: Vec<RevisionKey>, rows: mpsc::Sender<Vec<Row>>) -> Result<()> {
        let batches: VecDeque<Vec<RevisionKey>> = keys.chunks(BATCH).map(<[_]>::to_vec).collect();
        let batches = Arc::new(Mutex::new(batches));
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(self.clone().work(Arc::clone(&batches), rows.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn work(
        self,
        batches: Arc<Mutex<VecDeque<Vec<RevisionKey>>>>,
        rows: mpsc::Sender<Vec<Row>>,
    ) -> Result<()> {
        loop {
            let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(update_ids) = batch else { return Ok(()) };
            let body = self.call(&GetUpdateData { cookie: None, update_ids }).await?;
            rows.send(decode::read(&body)?).await.map_err(|_| anyhow!("nobody takes the rows"))?;
        }
    }

    async fn call<R: Request>(&self, request: &R) -> Result<Vec<u8>> {
        let body = request.to_bytes(SoapVersion::V11);
        let sending = self.http.post(&self.url).header("content-type", SoapVersion::V11.content_type());
        let answer = sending.body(body).send().await?.error_for_status()?;
        Ok(answer.bytes().await?.into())
    }
}

/// The key of a row, for what is known already.
pub fn split(keys: &[RevisionKey]) -> (Vec<Uuid>, Vec<i32>) {
    keys.iter().map(|key| (key.update_id, key.revision)).unzip()
}
