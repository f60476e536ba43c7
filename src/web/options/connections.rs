//! `/options/connections`: which hosts the last synchronizations used, to copy for a firewall request.

use askama::Template;
use rocket::{Route, get, routes};

use crate::settings::{self, SourceKind};
use crate::sync::destinations::{self, UsedHost};
use crate::web::moment::Moment;
use crate::web::{Db, PageError, Reply, Reporter, Shell, words};

pub(super) fn routes() -> Vec<Route> {
    routes![show_connections]
}

#[derive(Template)]
#[template(path = "options/connections.html")]
struct ConnectionsPage {
    shell: Shell,
    rows: Vec<Row>,
    /// The same as text.
    lines: String,
    /// Hosts Microsoft may send to, whether they were used or not; empty for an upstream server.
    published: String,
}

struct Row {
    host: String,
    port: i32,
    protocol: &'static str,
    way: String,
    requests: String,
    size: String,
    last_used: Moment,
}

#[get("/options/connections")]
async fn show_connections(reporter: Reporter, mut db: Db) -> Result<Reply, PageError> {
    let used = destinations::used(&mut db.0).await?;
    let options = settings::load(&mut db.0).await.map_err(PageError::internal)?;
    let published = match options.source.kind {
        SourceKind::MicrosoftUpdate => {
            destinations::PUBLISHED.map(|host| format!("{host} TCP 80, 443 outbound")).join("\n")
        }
        SourceKind::Upstream => String::new(),
    };
    let zone = reporter.shell.zone;
    let row = |one: &UsedHost| Row {
        host: one.host.clone(),
        port: one.port,
        protocol: protocol(one),
        way: way(one),
        requests: words::grouped(one.requests),
        size: words::size(one.bytes),
        last_used: Moment::new(one.last_used, zone),
    };
    let lines: Vec<String> = used.iter().map(line).collect();
    Reply::ok(&ConnectionsPage {
        shell: reporter.shell,
        rows: used.iter().map(row).collect(),
        lines: lines.join("\n"),
        published,
    })
}

fn protocol(used: &UsedHost) -> &'static str {
    if used.tls { "HTTPS" } else { "HTTP" }
}

fn way(used: &UsedHost) -> String {
    if used.proxy.is_empty() { "directly".to_owned() } else { format!("through {}", used.proxy) }
}

/// `wsus01.example TCP 8531 outbound, HTTPS, directly, 1.2 MB`.
fn line(used: &UsedHost) -> String {
    let size = words::size(used.bytes);
    format!("{} TCP {} outbound, {}, {}, {size}", used.host, used.port, protocol(used), way(used))
}
