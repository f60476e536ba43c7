//! `/audit`: who did what, from where, and what it changed; also as CSV and as JSON lines.

use askama::Template;
use chrono_tz::Tz;
use rocket::{FromForm, Route, get, routes};
use serde_json::Value;

use super::days::{day_after, start_of, typed_day};
use super::download::Download;
use super::moment::Moment;
use super::{Administrator, Db, Field, PageError, Reply, Shell};
use crate::accounts::history::{self, Filter, Line};

/// Lines on one page.
const PAGE_LINES: i64 = 50;
/// Lines of one download; for more, ask for shorter times.
const DOWNLOAD_LINES: i64 = 50_000;
/// Longest text of one filter, in characters.
const FILTER_CHARS_MAX: usize = 128;

pub(super) fn routes() -> Vec<Route> {
    routes![show_audit, download_audit]
}

/// The filter as it stands in the address.
#[derive(Debug, Default, FromForm)]
struct Query {
    #[field(default = String::new())]
    who: String,
    #[field(default = String::new())]
    what: String,
    #[field(default = String::new())]
    since: String,
    #[field(default = String::new())]
    until: String,
    before: Option<i64>,
}

impl Query {
    /// Days are those of the person's zone, the last one included; a day that cannot be read counts as none.
    fn filter(&self, zone: Tz) -> Filter {
        let plain = |text: &str| text.trim().chars().filter(|sign| *sign != '\0').collect::<String>();
        let cut = |text: &str| plain(text).chars().take(FILTER_CHARS_MAX).collect::<String>();
        Filter {
            actor: cut(&self.who),
            action: cut(&self.what),
            since: typed_day(&self.since).map(|day| start_of(day, zone)),
            until: typed_day(&self.until).map(|day| start_of(day_after(day), zone)),
            before: self.before,
        }
    }

    fn address(&self, path: &str, before: Option<i64>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in
            [("who", &self.who), ("what", &self.what), ("since", &self.since), ("until", &self.until)]
        {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    shell: Shell,
    lines: Vec<LineView>,
    who: Field,
    what: Field,
    since: Field,
    until: Field,
    newest: String,
    older: String,
    csv: String,
    json: String,
}

struct LineView {
    at: Moment,
    actor: String,
    peer: String,
    action: String,
    object: String,
    before: String,
    after: String,
    request_id: String,
}

impl LineView {
    fn new(line: Line, zone: Tz) -> Self {
        Self {
            at: Moment::new(line.at, zone),
            actor: line.actor,
            peer: line.peer,
            action: line.action,
            object: line.object,
            before: shown(line.before.as_ref()),
            after: shown(line.after.as_ref()),
            request_id: line.request_id,
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.filter(|value| !value.is_null()).map(Value::to_string).unwrap_or_default()
}

#[get("/audit?<query..>")]
async fn show_audit(administrator: Administrator, mut db: Db, query: Query) -> Result<Reply, PageError> {
    let zone = administrator.shell.zone;
    let mut lines = history::read(&mut db.0, &query.filter(zone), PAGE_LINES + 1).await?;
    let more = lines.len() as i64 > PAGE_LINES;
    lines.truncate(PAGE_LINES as usize);
    let last = lines.last().map(|line| line.id).filter(|_| more);
    Reply::ok(&AuditPage {
        older: last.map(|id| query.address("/audit", Some(id))).unwrap_or_default(),
        newest: if query.before.is_some() { query.address("/audit", None) } else { String::new() },
        csv: query.address("/audit/lines.csv", None),
        json: query.address("/audit/lines.jsonl", None),
        lines: lines.into_iter().map(|line| LineView::new(line, zone)).collect(),
        who: Field::new("who", &query.who),
        what: Field::new("what", &query.what),
        since: Field::new("since", &query.since),
        until: Field::new("until", &query.until),
        shell: administrator.shell,
    })
}

/// The lines that fit the filter as a table or as JSON lines, at most [`DOWNLOAD_LINES`].
#[get("/audit/<file>?<query..>")]
async fn download_audit(
    administrator: Administrator,
    mut db: Db,
    file: &str,
    query: Query,
) -> Result<Download, PageError> {
    let zone = administrator.shell.zone;
    let lines = history::read(&mut db.0, &query.filter(zone), DOWNLOAD_LINES).await?;
    match file {
        "lines.csv" => {
            let heads = ["time", "who", "from", "what", "object", "before", "after", "request"];
            let heads = heads.map(str::to_owned).to_vec();
            Ok(Download::csv("weir-audit.csv", std::iter::once(heads).chain(lines.into_iter().map(cells))))
        }
        "lines.jsonl" => Download::json_lines("weir-audit.jsonl", &lines),
        _ => Err(PageError::NotFound { what: "report" }),
    }
}

fn cells(line: Line) -> Vec<String> {
    let (before, after) = (shown(line.before.as_ref()), shown(line.after.as_ref()));
    vec![
        line.at.to_rfc3339(),
        line.actor,
        line.peer,
        line.action,
        line.object,
        before,
        after,
        line.request_id,
    ]
}
