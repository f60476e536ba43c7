//! **Servers**: every Weir process on this database, with what it does and when it was last seen.

use askama::Template;
use chrono::Utc;
use chrono_tz::Tz;
use rocket::{Route, get, routes};

use super::moment::{Moment, span};
use super::{Db, Operator, PageError, Reply, Shell};
use crate::jobs::{self, InstanceRow};

pub(super) fn routes() -> Vec<Route> {
    routes![show_instances]
}

/// One process as shown.
struct InstanceView {
    name: String,
    kind: &'static str,
    word: &'static str,
    /// Of another version than the one that shows the page.
    is_other_version: bool,
    version: String,
    roles: String,
    started: Moment,
    seen: Moment,
    seen_ago: String,
}

#[derive(Template)]
#[template(path = "instances/index.html")]
struct InstancesPage {
    shell: Shell,
    instances: Vec<InstanceView>,
    /// Nobody takes jobs from the queue.
    no_worker: bool,
}

#[get("/instances")]
async fn show_instances(operator: Operator, mut db: Db) -> Result<Reply, PageError> {
    let rows = jobs::list_instances(&mut db.0).await?;
    let no_worker = !jobs::any_worker_alive(&mut db.0).await?;
    let instances = rows.iter().map(|row| InstanceView::new(row, operator.shell.zone)).collect();
    Reply::ok(&InstancesPage { shell: operator.shell, instances, no_worker })
}

impl InstanceView {
    fn new(row: &InstanceRow, zone: Tz) -> Self {
        let (kind, word) = if row.alive { ("ok", "At work") } else { ("idle", "Gone") };
        let words: Vec<&str> = row.roles.split(',').map(role).collect();
        Self {
            name: if row.name.is_empty() { "Unnamed".to_owned() } else { row.name.clone() },
            kind,
            word,
            is_other_version: row.version != env!("CARGO_PKG_VERSION"),
            version: row.version.clone(),
            roles: words.join(", "),
            started: Moment::new(row.started_at, zone),
            seen: Moment::new(row.heartbeat_at, zone),
            seen_ago: span(Utc::now() - row.heartbeat_at),
        }
    }
}

fn role(word: &str) -> &str {
    match word {
        "console" => "Console",
        "services" => "Services",
        "worker" => "Jobs and schedule",
        other => other,
    }
}
