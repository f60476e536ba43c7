//! One run as a text to send to somebody.

use chrono::{DateTime, Utc};
use rocket::http::{ContentType, Header};
use rocket::{Responder, get};

use crate::sync::owed::{self, OwedRevision};
use crate::sync::runs::{self, LogLine, Run};
use crate::web::{Db, PageError, Reporter};

/// Log lines in the text; a run keeps no more.
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
    let name = format!("attachment; filename=\"synchronization-{id}.txt\"");
    Ok(TextFile {
        text: without_secrets(&text(&run, &owed, &log)),
        content_type: ContentType::Plain,
        disposition: Header::new("content-disposition", name),
    })
}

fn text(run: &Run, owed: &[OwedRevision], log: &[LogLine]) -> String {
    let at = |moment: DateTime<Utc>| moment.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let when = |moment: Option<DateTime<Utc>>| moment.map_or_else(|| "-".to_owned(), at);
    let mut lines = vec![
        format!("Synchronization {}", run.id),
        format!("Weir      {}", env!("CARGO_PKG_VERSION")),
        format!("Result    {}", run.state().as_str()),
        format!("From      {}", run.source_name),
        format!("Started   {}", when(run.started_at)),
        format!("Finished  {}", when(run.finished_at)),
        format!("Updates   {} new, {} revised, {} expired", run.new, run.revised, run.expired),
        format!("Revisions {} stored ({} bytes), {} not stored", run.revisions, run.bytes, run.failed),
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
    lines.push(String::new());
    // A text from outside must stay on its line, and send nothing to a terminal.
    let one_line = |line: String| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    lines.into_iter().map(one_line).collect::<Vec<String>>().join("\n")
}

/// Removes what stands before the `@` of an address; nothing else of ours is secret in a run's story.
fn without_secrets(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find("://") {
        let (before, after) = rest.split_at(place + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c)).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                clean.push_str("...");
                &after[at..]
            }
            None => after,
        };
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn r267_user_and_password_of_an_address_are_removed() {
        let text =
            "to http://user:pa@ss@proxy.example:8080/x and https://plain.example/a@b, then http://me@host";
        let clean = without_secrets(text);
        assert_eq!(
            clean,
            "to http://...@proxy.example:8080/x and https://plain.example/a@b, then http://...@host"
        );
    }
}
