//! What is done to a run, and its end.

use std::time::Duration;

use rand::Rng;
use rand::seq::IndexedRandom;
use weir::protocol::soap::Method;
use weir::sync::runs::{self, Run, RunState};

use super::History;
use crate::support::upstream::Trouble;

/// What is done to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    Nothing,
    /// The source answers badly for a while.
    Trouble,
    /// Somebody stops it.
    Stop,
    /// The process is killed.
    Kill,
    /// The process is ended in order.
    ShutDown,
    /// All connections to the database are cut.
    Cut,
    /// The source publishes meanwhile.
    Publish,
}

impl History {
    pub(super) async fn disturb(&mut self, disturbance: Disturbance, run_id: i64) {
        let wait = Duration::from_millis(self.random.random_range(0..400));
        match disturbance {
            Disturbance::Nothing => return,
            Disturbance::Trouble => {
                let (method, trouble) = self.some_trouble();
                let times = self.random.random_range(1..6);
                self.sources[self.choice.source].server.trouble(method, times, trouble);
                return;
            }
            _ => tokio::time::sleep(wait).await,
        }
        match disturbance {
            Disturbance::Stop => {
                runs::stop(&mut *self.bench.db.conn().await, run_id, "test").await.unwrap();
            }
            Disturbance::Kill => {
                self.worker.take().unwrap().kill();
                self.worker = Some(self.bench.work_apart().await);
            }
            Disturbance::ShutDown => {
                self.worker.as_ref().unwrap().shut_down();
                self.worker = Some(self.bench.work_apart().await);
            }
            Disturbance::Cut => {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                self.bench.db.client().await.batch_execute(cut).await.unwrap();
            }
            _ => self.publish_new(self.choice.source),
        }
    }

    fn some_trouble(&mut self) -> (Method, Trouble) {
        let documents = [
            Trouble::Nothing,
            Trouble::Fault("InvalidCookie"),
            Trouble::Fault("InternalServerError"),
            Trouble::Fault("ServerBusy"),
            Trouble::Documents(|documents| documents.reverse()),
            Trouble::Documents(|documents| documents.truncate(1)),
            Trouble::Cut(13),
            Trouble::ResetInBody,
            Trouble::Xml("<nothing/>"),
        ];
        let list = [
            Trouble::Fault("InvalidParameters"),
            Trouble::Fault("ServerChanged"),
            Trouble::Fault("InvalidCookie"),
            Trouble::Fault("ServerBusy"),
            Trouble::List(|keys| keys.reverse()),
            Trouble::List(|keys| keys.extend(keys.clone())),
            Trouble::Reset,
            Trouble::Html(503, "Busy"),
        ];
        let first = [Trouble::Fault("ServerChanged"), Trouble::Reset, Trouble::Fault("InternalServerError")];
        match self.random.random_range(0..5) {
            0 | 1 => (Method::GetUpdateData, documents.choose(&mut self.random).unwrap().clone()),
            2 | 3 => (Method::GetRevisionIdList, list.choose(&mut self.random).unwrap().clone()),
            _ => (Method::GetConfigData, first.choose(&mut self.random).unwrap().clone()),
        }
    }

    /// The end of this run, or of the one that went on from it.
    pub(super) async fn last_of(&self, run_id: i64) -> Run {
        let mut run = self.bench.ended(run_id).await;
        let mut waited = 0;
        while run.state() == RunState::Interrupted && waited < 600 {
            match runs::successor(&mut *self.bench.db.conn().await, run.id).await.unwrap() {
                Some(next) => run = self.bench.ended(next).await,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            waited += 1;
        }
        assert_ne!(run.state(), RunState::Interrupted, "seed {}: nothing goes on from {}", self.seed, run.id);
        run
    }
}
