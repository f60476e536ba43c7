//! Settings Summary: how this server is set up, in words. Secrets never appear in it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::approvals::groups::{self, Branch};
use crate::approvals::rules::{self, Rule};
use crate::approvals::{ApprovalError, Side};
use crate::db::schema::downstream_servers;
use crate::settings::languages::language_name;
use crate::settings::tree::CategoryTree;
use crate::settings::{
    self, CategoryKind, FileStore, Languages, ScheduleMode, SettingsError, SourceKind, SyncOptions,
};

/// Downstream servers named; the rest is counted.
const SERVERS_MAX: i64 = 100;

/// A part of the report: a heading and its lines.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    pub title: &'static str,
    pub lines: Vec<Line>,
}

/// A setting in words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    pub setting: String,
    pub value: String,
}

/// Why the report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Approvals(#[from] ApprovalError),
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
}

fn line(setting: impl Into<String>, value: impl Into<String>) -> Line {
    Line { setting: setting.into(), value: value.into() }
}

fn yes(is: bool) -> &'static str {
    if is { "Yes" } else { "No" }
}

/// All parts, in the order of the original's report.
///
/// # Errors
/// [`SummaryError`].
pub async fn summary(conn: &mut AsyncPgConnection) -> Result<Vec<Part>, SummaryError> {
    let options = settings::load(conn).await?;
    let tree = settings::known_tree(conn).await?;
    let rules = rules::load(conn).await?;
    let groups = groups::tree(conn, Side::Own).await?;
    let part = |title, lines| Part { title, lines };
    let rule = |rule: &Rule| if rule.on { rule_words(rule, &tree, &groups) } else { "Off".to_owned() };
    let approval = if options.replica {
        vec![line("Approvals", format!("From {}: this server is its replica", options.source.shown()))]
    } else {
        vec![line("For detection", rule(&rules.detect)), line("For installation", rule(&rules.install))]
    };
    let revisions = match rules.latest_revision {
        true => "Automatically approve the latest revision of the update",
        false => "Keep using the older revision until the new one is approved",
    };
    Ok(vec![
        part("Synchronization Schedule", schedule(&options)),
        part("Products and Classifications", selection(&options, &tree)),
        part("Update source", source(&options)),
        part("Proxy server", proxy(&options)),
        part("Update Files", files(&options)),
        part("Languages", vec![line("Languages", languages(&options))]),
        part("Automatic Approval", approval),
        part("Revisions to Updates", vec![line("A new revision", revisions)]),
        part("Downstream servers", servers(conn).await?),
        part("Client computer Options", vec![line("Computers", "This server does not serve computers yet")]),
        part("Database", database(conn).await?),
    ])
}

fn schedule(options: &SyncOptions) -> Vec<Line> {
    let schedule = &options.schedule;
    match schedule.mode {
        ScheduleMode::Manual => vec![line("Synchronization", "Manually")],
        ScheduleMode::Daily => vec![
            line("Synchronization", "Automatically"),
            line(
                "First synchronization",
                format!("{} ({})", schedule.time.format("%H:%M"), schedule.time_zone),
            ),
            line("Synchronizations per day", schedule.per_day.to_string()),
        ],
    }
}

fn selection(options: &SyncOptions, tree: &CategoryTree) -> Vec<Line> {
    if options.replica {
        return vec![line("Products and classifications", "Those of the upstream server")];
    }
    let titles = |kind| {
        let named = options.selected(kind).map(|one| {
            let title =
                tree.get(one.category_id).map_or(one.category_id.to_string(), |node| node.title.clone());
            let below = kind == CategoryKind::Product
                && one.with_descendants
                && !tree.children(one.category_id).is_empty();
            if below { format!("{title} (with everything below it)") } else { title }
        });
        joined(named.collect())
    };
    vec![
        line("Products", titles(CategoryKind::Product)),
        line("Classifications", titles(CategoryKind::Classification)),
    ]
}

fn source(options: &SyncOptions) -> Vec<Line> {
    let source = &options.source;
    if source.kind == SourceKind::MicrosoftUpdate {
        return vec![line("Synchronize from", "Microsoft Update")];
    }
    let authorities = source.ca.matches("-----BEGIN CERTIFICATE-----").count();
    vec![
        line("Synchronize from", source.shown()),
        line("SSL for update information", yes(source.ssl)),
        line("Own certificates to trust", authorities.to_string()),
        line("Port number for files", source.content_port().to_string()),
        line("Replica of the upstream server", yes(options.replica)),
    ]
}

fn proxy(options: &SyncOptions) -> Vec<Line> {
    let proxy = &options.proxy;
    if !proxy.enabled {
        return vec![line("Use a proxy server", "No")];
    }
    let mut lines = vec![
        line("Use a proxy server", "Yes"),
        line("Server", format!("{}:{}", proxy.server, proxy.port)),
        line("User credentials", yes(proxy.credentials)),
    ];
    if proxy.credentials {
        lines.push(line("Password", if proxy.password.is_some() { "Set" } else { "Not set" }));
        lines.push(line("Basic authentication", if proxy.basic { "Allowed" } else { "Not allowed" }));
    }
    lines
}

fn files(options: &SyncOptions) -> Vec<Line> {
    let files = &options.files;
    match files.store {
        FileStore::Local => vec![
            line("Update files", "Stored on this server"),
            line("Downloaded only when updates are approved", yes(files.deferred)),
            line("Express installation files", yes(files.express)),
        ],
        FileStore::Source => {
            vec![line("Update files", "Not stored: computers get them from the update source")]
        }
    }
}

fn languages(options: &SyncOptions) -> String {
    match &options.files.languages {
        Languages::All => "All languages".to_owned(),
        Languages::Locale => format!("Those of this server ({})", settings::locale::name()),
        Languages::Only(names) => joined(names.iter().map(|name| language_name(name).to_owned()).collect()),
    }
}

fn rule_words(rule: &Rule, tree: &CategoryTree, groups: &[Branch]) -> String {
    let title = |id: &Uuid| tree.get(*id).map_or(id.to_string(), |node| node.title.clone());
    let group = |id: &Uuid| {
        let found = groups.iter().find(|branch| branch.group.group_id == *id);
        found.map_or(id.to_string(), |branch| branch.group.name.clone())
    };
    let classifications = joined(rule.classifications.iter().map(title).collect());
    format!("{classifications}; for {}", joined(rule.groups.iter().map(group).collect()))
}

fn joined(mut texts: Vec<String>) -> String {
    texts.sort();
    if texts.is_empty() { "None".to_owned() } else { texts.join(", ") }
}

async fn servers(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Line>> {
    use downstream_servers::dsl;
    let count: i64 = dsl::downstream_servers.count().get_result(conn).await?;
    let seen: Vec<(String, chrono::DateTime<chrono::Utc>)> = dsl::downstream_servers
        .order((dsl::name, dsl::server_id))
        .limit(SERVERS_MAX)
        .select((dsl::name, dsl::last_seen_at))
        .load(conn)
        .await?;
    let mut lines = vec![line("Downstream servers", count.to_string())];
    lines.extend(
        seen.into_iter()
            .map(|(name, at)| line(name, format!("Last seen {}", at.format("%Y-%m-%d %H:%M UTC")))),
    );
    Ok(lines)
}

async fn database(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Line>> {
    #[derive(QueryableByName)]
    struct Facts {
        #[diesel(sql_type = Text)]
        version: String,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = BigInt)]
        bytes: i64,
    }
    let facts: Facts = diesel::sql_query(
        "SELECT current_setting('server_version') AS version, current_database()::text AS name,
                pg_database_size(current_database()) AS bytes",
    )
    .get_result(conn)
    .await?;
    Ok(vec![
        line("Database", format!("PostgreSQL {}", facts.version)),
        line("Name", facts.name),
        line("Size", format!("{:.1} MB", facts.bytes as f64 / 1e6)),
        line("Weir", env!("CARGO_PKG_VERSION")),
    ])
}
