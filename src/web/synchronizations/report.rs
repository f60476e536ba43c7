//! One run as a text to send to somebody.

use chrono::{DateTime, Utc};
use rocket::http::{ContentType, Header};
use rocket::{Responder, get};

use crate::sync::calls::{self, Call};
use crate::sync::owed::{self, OwedRevision};
use crate::sync::runs::{self, LogLine, Run};
use crate::upstream::without_userinfo;
use crate::web::{Db, PageError, Reporter};

/// Log lines in the text, and calls; a run keeps no more.
const LOG_MAX: i64 = 5_000;
/// Revisions named in the text.
const OWED_MAX: i64 = 5_000;

/// A text that browsers store.
#[derive(Responder)]
pub(super) struct TextFile {
    text: String,
    content_type: ContentType,
    disposition: Header<'static>,
}

#[get("/synchronizations/<id>/report")]
pub(super) async fn download_report(_reporter: Reporter, mut db: Db, id: i64) -> Result<TextFile, PageError> {
    let run = runs::get(&mut db.0, id).await?.ok_or(PageError::NotFound { what: "synchronization" })?;
    let owed = owed::of_run(&mut db.0, id, OWED_MAX).await?;
    let log = runs::log(&mut db.0, id, LOG_MAX).await?;
    let calls = calls::of_run(&mut db.0, id, LOG_MAX).await?;
    let name = format!("attachment; filename=\"synchronization-{id}.txt\"");
    Ok(TextFile {
        text: without_userinfo(&text(&run, &owed, &log, &calls)),
        content_type: ContentType::Plain,
        disposition: Header::new("content-disposition", name),
    })
}

fn text(run: &Run, owed: &[OwedRevision], log: &[LogLine], calls: &[Call]) -> String {
    let at = |moment: DateTime<Utc>| moment.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let when = |moment: Option<DateTime<Utc>>| moment.map_or_else(|| "-".to_owned(), at);
    let mut lines = vec![
        format!("Synchronization {}", run.id),
        format!("Weir      {}", env!("CARGO_PKG_VERSION")),
        format!("Result    {}", run.state().as_str()),
        format!("From      {}", run.source_name),
        format!("Proxy     {}", run.proxy().unwrap_or("none")),
        format!("Started   {}", when(run.started_at)),
        format!("Finished  {}", when(run.finished_at)),
        format!("Updates   {} new, {} revised, {} expired", run.new, run.revised, run.expired),
        format!("Revisions {} stored ({} bytes), {} not stored", run.revisions, run.bytes, run.failed),
        format!("Calls     {} ({} bytes received)", run.calls, run.received),
    ];
    if let Some(error) = run.error() {
        lines.push(String::new());
        lines.extend([
            format!("Error     {} ({})", error.code, error.hop),
            format!("          {}", error.message),
            format!("Kept      {}", error.kept),
            format!("Next      {}", error.next),
            format!("To do     {}", error.advice),
        ]);
    }
    lines.extend(run.notices().into_iter().map(|notice| format!("Notice    {notice}")));
    if !owed.is_empty() {
        lines.extend([String::new(), "Owed by this update source now".to_owned()]);
    }
    for one in owed {
        let OwedRevision { update_id, revision, reason, attempts } = one;
        lines.push(format!("{update_id} revision {revision}, {attempts} attempts: {reason}"));
    }
    lines.extend([String::new(), "Log".to_owned()]);
    lines.extend(log.iter().map(|line| format!("{} {:7} {}", at(line.at), line.level, line.message)));
    if !calls.is_empty() {
        lines.extend([
            String::new(),
            "Calls: begun, operation, milliseconds, bytes received, outcome".to_owned(),
        ]);
    }
    lines.extend(calls.iter().map(|call| {
        let Call { operation, duration_ms, bytes, .. } = call;
        let outcome = if call.outcome.is_empty() { "good" } else { &call.outcome };
        format!("{} {operation:22} {duration_ms:7} {bytes:10} {outcome}", at(call.at))
    }));
    lines.push(String::new());
    // A text from outside must stay on its line, and send nothing to a terminal.
    let one_line = |line: String| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    lines.into_iter().map(one_line).collect::<Vec<String>>().join("\n")
}
