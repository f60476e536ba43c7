//! Lists of updates that something happened to, as reports show them.

use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use uuid::Uuid;

use crate::catalog::changes::{self, ChangeKind, Changed, Counts, Span};
use crate::web::moment::Moment;
use crate::web::{PageError, words};

/// Updates a page names in each list.
pub(super) const PAGE_MAX: i64 = 200;
/// Updates a file names in each list.
pub(super) const FILE_MAX: i64 = 20_000;

/// One list of a report.
pub(super) struct List {
    pub kind: ChangeKind,
    /// In the order and words of the report: `New Updates`.
    pub heading: &'static str,
    pub count: i64,
    pub lines: Vec<Line>,
}

impl List {
    /// The heading with the number of updates.
    pub fn title(&self) -> String {
        format!("{} ({})", self.heading, words::grouped(self.count))
    }

    /// How many the list leaves out; empty for none.
    pub fn rest(&self) -> String {
        match self.count - self.lines.len() as i64 {
            ..=0 => String::new(),
            rest => format!("And {} more.", words::grouped(rest)),
        }
    }
}

/// An update of a list.
#[derive(Serialize)]
pub(super) struct Line {
    #[serde(rename = "update")]
    pub id: Uuid,
    pub title: String,
    pub classification: String,
    pub kb: String,
    pub revision: i32,
    #[serde(skip)]
    pub at: Moment,
    #[serde(rename = "at")]
    machine: String,
    #[serde(rename = "synchronization")]
    pub run: Option<i64>,
}

impl Line {
    fn new(changed: Changed, zone: Tz) -> Self {
        let at = Moment::new(changed.at(), zone);
        Self {
            id: changed.update_id,
            machine: at.machine.clone(),
            at,
            classification: changed.classification,
            kb: changed.kb.split_whitespace().map(|kb| format!("KB{kb}")).collect::<Vec<_>>().join(", "),
            revision: changed.revision,
            run: changed.run_id,
            title: changed.title,
        }
    }

    /// The cells of a table, after the word for the list.
    pub fn cells(&self, part: &str) -> Vec<String> {
        vec![
            part.to_owned(),
            self.machine.clone(),
            self.id.to_string(),
            self.title.clone(),
            self.classification.clone(),
            self.kb.clone(),
            self.run.map(|run| run.to_string()).unwrap_or_default(),
        ]
    }
}

/// Names the columns of [`Line::cells`].
pub(super) const COLUMNS: [&str; 7] =
    ["Part", "Time (UTC)", "Update ID", "Text", "Classification", "KB", "Synchronization"];

/// The four lists of a span, each cut after `limit`.
pub(super) async fn lists(
    conn: &mut AsyncPgConnection,
    span: Span,
    zone: Tz,
    limit: i64,
) -> Result<(Counts, Vec<List>), PageError> {
    let counts = changes::counts(conn, span).await?;
    let mut lists = Vec::new();
    for (kind, heading) in [
        (ChangeKind::New, "New Updates"),
        (ChangeKind::Revised, "Revised Updates"),
        (ChangeKind::Expired, "Expired Updates"),
        (ChangeKind::Superseded, "Superseded Updates"),
    ] {
        let found = match counts.of(kind) {
            0 => Vec::new(),
            _ => changes::list(conn, span, kind, limit).await?,
        };
        let lines = found.into_iter().map(|changed| Line::new(changed, zone)).collect();
        lists.push(List { kind, heading, count: counts.of(kind), lines });
    }
    Ok((counts, lists))
}
