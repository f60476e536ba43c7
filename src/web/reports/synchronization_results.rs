//! `/reports/synchronization-results`: what the synchronizations of a period brought, and what went wrong.

use askama::Template;
use chrono::{Days, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use rocket::{Route, get, routes};
use serde_json::json;

use super::changed::{self, COLUMNS, FILE_MAX, List, PAGE_MAX};
use crate::catalog::changes::{Counts, Span};
use crate::sync::{owed, runs};
use crate::web::days::{day_after, start_of, typed_day};
use crate::web::download::{Download, Form};
use crate::web::moment::Moment;
use crate::web::synchronizations::RunView;
use crate::web::{Db, PageError, Reply, Reporter, Shell, words};

const NAME: &str = "synchronization-results";
/// Days of the period nobody has chosen. Source: the console of WSUS.
const DAYS: u64 = 30;
/// Synchronizations of one report, the newest.
const RUNS_MAX: i64 = 500;
/// Errors of one report.
const ERRORS_MAX: i64 = 500;

pub(super) fn routes() -> Vec<Route> {
    routes![show_results, download_results]
}

#[derive(Template)]
#[template(path = "reports/synchronization_results.html")]
struct ResultsPage {
    shell: Shell,
    report: Report,
    from: String,
    until: String,
    error: Option<&'static str>,
    /// The address of this report, to add `.csv` or `.json` to its path.
    query: String,
}

/// The report.
struct Report {
    /// The last that ended, whatever the period.
    last: Option<RunView>,
    runs: Vec<RunView>,
    counts: Counts,
    errors: Vec<ErrorLine>,
    lists: Vec<List>,
}

/// Something that went wrong.
struct ErrorLine {
    at: Moment,
    words: String,
    /// The update it is about; empty when it is about the whole synchronization.
    update: String,
    run: Option<i64>,
}

/// A period in days, both counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    from: NaiveDate,
    until: NaiveDate,
}

impl Period {
    /// As typed; a side that is left out is the default. `Err`: a sentence.
    fn read(from: &str, until: &str, today: NaiveDate) -> Result<Self, &'static str> {
        let day = |text: &str, default: NaiveDate| match text.trim() {
            "" => Ok(default),
            text => typed_day(text).ok_or("Enter both days as dates, for instance 2026-11-22."),
        };
        let until = day(until, today)?;
        let from = day(from, until.checked_sub_days(Days::new(DAYS)).unwrap_or(until))?;
        if from > until {
            return Err("The first day of the period is after its last day.");
        }
        Ok(Self { from, until })
    }

    fn span(self, zone: Tz) -> Span {
        Span::Time { from: start_of(self.from, zone), before: start_of(day_after(self.until), zone) }
    }
}

#[get("/reports/synchronization-results?<from>&<until>")]
async fn show_results(
    reporter: Reporter,
    mut db: Db,
    from: Option<&str>,
    until: Option<&str>,
) -> Result<Reply, PageError> {
    let zone = reporter.shell.zone;
    let today = Utc::now().with_timezone(&zone).date_naive();
    let (typed_from, typed_until) = (from.unwrap_or_default(), until.unwrap_or_default());
    let read = Period::read(typed_from, typed_until, today);
    let standard = Period { from: today - Days::new(DAYS), until: today };
    let period = read.unwrap_or(standard);
    let report = report(&mut db.0, period, zone, PAGE_MAX).await?;
    let shown = |typed: &str, day: NaiveDate| if read.is_err() { typed.to_owned() } else { day.to_string() };
    let page = ResultsPage {
        shell: reporter.shell,
        report,
        from: shown(typed_from, period.from),
        until: shown(typed_until, period.until),
        error: read.err(),
        query: format!("from={}&until={}", period.from, period.until),
    };
    if page.error.is_some() { Reply::refused(&page) } else { Reply::ok(&page) }
}

#[get("/reports/synchronization-results/<file>?<from>&<until>")]
async fn download_results(
    reporter: Reporter,
    mut db: Db,
    file: &str,
    from: Option<&str>,
    until: Option<&str>,
) -> Result<Download, PageError> {
    let form = Form::of_file(file, NAME)?;
    let zone = reporter.shell.zone;
    let today = Utc::now().with_timezone(&zone).date_naive();
    let period = Period::read(from.unwrap_or_default(), until.unwrap_or_default(), today)
        .map_err(|sentence| PageError::Refused(sentence.to_owned()))?;
    let report = report(&mut db.0, period, zone, FILE_MAX).await?;
    match form {
        Form::Json => Download::json(file, &as_json(&report, period)),
        Form::Csv => Ok(Download::csv(file, as_rows(&report))),
    }
}

async fn report(
    conn: &mut AsyncPgConnection,
    period: Period,
    zone: Tz,
    limit: i64,
) -> Result<Report, PageError> {
    let span = period.span(zone);
    let (from, before) = (start_of(period.from, zone), start_of(day_after(period.until), zone));
    let now = Utc::now();
    let found = runs::between(conn, from, before, RUNS_MAX).await?;
    let last = runs::last_finished(conn).await?.map(|run| RunView::new(&run, zone, now));
    let mut errors: Vec<ErrorLine> = found
        .iter()
        .filter_map(|run| {
            let error = run.error()?;
            Some(ErrorLine {
                at: Moment::new(run.finished_at.unwrap_or(run.requested_at), zone),
                words: error.message,
                update: String::new(),
                run: Some(run.id),
            })
        })
        .collect();
    errors.extend(owed::between(conn, from, before, ERRORS_MAX).await?.into_iter().map(|(at, one)| {
        ErrorLine {
            at: Moment::new(at, zone),
            words: format!("Revision {} could not be stored: {}", one.revision, one.reason),
            update: one.update_id.to_string(),
            run: None,
        }
    }));
    errors.truncate(ERRORS_MAX as usize);
    let (counts, lists) = changed::lists(conn, span, zone, limit).await?;
    let runs = found.iter().map(|run| RunView::new(run, zone, now)).collect();
    Ok(Report { last, runs, counts, errors, lists })
}

fn as_json(report: &Report, period: Period) -> serde_json::Value {
    let at = |moment: &Option<Moment>| moment.as_ref().map(|at| at.machine.clone());
    let run = |run: &RunView| {
        json!({ "synchronization": run.id, "started": at(&run.started), "finished": at(&run.finished),
            "source": run.source, "type": run.trigger, "result": run.word })
    };
    let lists: serde_json::Map<String, serde_json::Value> = report
        .lists
        .iter()
        .map(|list| {
            let key = format!("{} updates", list.kind.key());
            (key, json!({ "count": list.count, "updates": list.lines }))
        })
        .collect();
    json!({
        "report": "Synchronization Results",
        "from": period.from.to_string(),
        "until": period.until.to_string(),
        "last synchronization": report.last.as_ref().map(run),
        "synchronizations": report.runs.iter().map(run).collect::<Vec<_>>(),
        "errors": report.errors.iter().map(|error| json!({ "at": error.at.machine,
            "description": error.words, "update": error.update, "synchronization": error.run })).collect::<Vec<_>>(),
        "lists": lists,
    })
}

fn as_rows(report: &Report) -> Vec<Vec<String>> {
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    for run in &report.runs {
        let at =
            run.finished.as_ref().or(run.started.as_ref()).map(|at| at.machine.clone()).unwrap_or_default();
        let words = format!("{} from {}", run.word, run.source);
        rows.push(row("Synchronization", at, String::new(), words, Some(run.id)));
    }
    for error in &report.errors {
        rows.push(row(
            "Error",
            error.at.machine.clone(),
            error.update.clone(),
            error.words.clone(),
            error.run,
        ));
    }
    for list in &report.lists {
        rows.extend(list.lines.iter().map(|line| line.cells(list.heading)));
    }
    rows
}

fn row(part: &str, at: String, update: String, words: String, run: Option<i64>) -> Vec<String> {
    let run = run.map(|run| run.to_string()).unwrap_or_default();
    vec![part.to_owned(), at, update, words, String::new(), String::new(), run]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s176_a_period_is_thirty_days_until_today_unless_chosen() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let today = day("2026-11-22");
        let read = |from, until| Period::read(from, until, today);
        assert_eq!(read("", ""), Ok(Period { from: day("2026-10-23"), until: today }));
        assert_eq!(read("2026-11-01", "2026-11-01").unwrap().from, day("2026-11-01"));
        assert_eq!(read("", "2026-01-31").unwrap().from, day("2026-01-01"));
        assert!(read("2026-11-02", "2026-11-01").is_err());
        assert!(read("yesterday", "").is_err());
    }
}
