//! `/reports/differences`: what came, changed and expired between two synchronizations, or since a day.

use askama::Template;
use chrono::Utc;
use rocket::{Route, get, routes};
use serde_json::json;

use super::changed::{self, COLUMNS, FILE_MAX, List, PAGE_MAX};
use crate::catalog::changes::Span;
use crate::sync::runs;
use crate::web::days::{start_of, typed_day};
use crate::web::download::{Download, Form};
use crate::web::synchronizations::RunView;
use crate::web::{Db, PageError, Reply, Reporter, Shell};

const NAME: &str = "differences";
/// Synchronizations that can be chosen, the newest.
const RUNS_MAX: i64 = 200;

pub(super) fn routes() -> Vec<Route> {
    routes![show_differences, download_differences]
}

#[derive(Template)]
#[template(path = "reports/differences.html")]
struct DifferencesPage {
    shell: Shell,
    runs: Vec<RunView>,
    asked: Asked,
    error: Option<&'static str>,
    /// What is compared, in words; empty before something is chosen.
    words: String,
    lists: Vec<List>,
}

/// The form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, rocket::FromForm)]
struct Asked {
    after: Option<i64>,
    upto: Option<i64>,
    #[field(default = "")]
    since: String,
}

impl Asked {
    /// Nothing was chosen.
    fn is_empty(&self) -> bool {
        self.after.is_none() && self.upto.is_none() && self.since.trim().is_empty()
    }

    /// The part of the address after the question mark.
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, id) in [("after", self.after), ("upto", self.upto)] {
            if let Some(id) = id {
                query.append_pair(name, &id.to_string());
            }
        }
        if !self.since.is_empty() {
            query.append_pair("since", &self.since);
        }
        query.finish()
    }

    /// What is meant, in words. A day counts before synchronizations. `Err`: a sentence.
    fn span(&self, zone: chrono_tz::Tz) -> Result<(Span, String), &'static str> {
        if !self.since.trim().is_empty() {
            let day = typed_day(&self.since).ok_or("Enter the day as a date, for instance 2026-11-22.")?;
            let span =
                Span::Time { from: start_of(day, zone), before: Utc::now() + chrono::TimeDelta::days(1) };
            return Ok((span, format!("Since {}", day.format("%-d %b %Y"))));
        }
        match (self.after, self.upto) {
            (Some(after), Some(upto)) if after < upto => {
                let words = format!("After synchronization {after}, up to synchronization {upto}");
                Ok((Span::Runs { after, upto }, words))
            }
            (Some(_), Some(_)) => Err("The second synchronization has to be the later one."),
            _ => Err("Choose two synchronizations, or enter a day."),
        }
    }
}

#[get("/reports/differences?<asked..>")]
async fn show_differences(reporter: Reporter, mut db: Db, asked: Asked) -> Result<Reply, PageError> {
    let zone = reporter.shell.zone;
    let now = Utc::now();
    let known = runs::list(&mut db.0, None, RUNS_MAX).await?;
    let mut page = DifferencesPage {
        shell: reporter.shell,
        runs: known.iter().map(|run| RunView::new(run, zone, now)).collect(),
        error: None,
        words: String::new(),
        lists: Vec::new(),
        asked,
    };
    if page.asked.is_empty() {
        return Reply::ok(&page);
    }
    match page.asked.span(zone) {
        Ok((span, words)) => {
            page.words = words;
            page.lists = changed::lists(&mut db.0, span, zone, PAGE_MAX).await?.1;
            Reply::ok(&page)
        }
        Err(sentence) => {
            page.error = Some(sentence);
            Reply::refused(&page)
        }
    }
}

#[get("/reports/differences/<file>?<asked..>")]
async fn download_differences(
    reporter: Reporter,
    mut db: Db,
    file: &str,
    asked: Asked,
) -> Result<Download, PageError> {
    let form = Form::of_file(file, NAME)?;
    let zone = reporter.shell.zone;
    let (span, words) = asked.span(zone).map_err(|sentence| PageError::Refused(sentence.to_owned()))?;
    let (_, lists) = changed::lists(&mut db.0, span, zone, FILE_MAX).await?;
    if form == Form::Csv {
        let head = std::iter::once(COLUMNS.map(str::to_owned).to_vec());
        let rows = lists.iter().flat_map(|list| list.lines.iter().map(|line| line.cells(list.heading)));
        return Ok(Download::csv(file, head.chain(rows)));
    }
    let lists: serde_json::Map<String, serde_json::Value> = lists
        .iter()
        .map(|list| (list.kind.key().to_owned(), json!({ "count": list.count, "updates": list.lines })))
        .collect();
    Download::json(file, &json!({ "report": "Differences", "span": words, "lists": lists }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_or_two_synchronizations_in_their_order() {
        let utc = chrono_tz::UTC;
        let asked = |after, upto, since: &str| Asked { after, upto, since: since.to_owned() };
        assert_eq!(asked(Some(1), Some(3), "").span(utc).unwrap().0, Span::Runs { after: 1, upto: 3 });
        assert!(matches!(asked(None, None, "2026-11-01").span(utc), Ok((Span::Time { .. }, _))));
        for bad in [asked(Some(3), Some(1), ""), asked(Some(1), None, ""), asked(None, None, "soon")] {
            assert!(bad.span(utc).is_err());
        }
        assert_eq!(asked(Some(1), Some(3), "").query(), "after=1&upto=3");
    }
}
