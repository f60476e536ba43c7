//! The last verification and the last clean-up, and **Verify now**.

use chrono_tz::Tz;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use rocket::form::FromForm;
use rocket::post;

use crate::accounts::audit;
use crate::content::checks::{self, Check, CheckKind};
use crate::web::moment::Moment;
use crate::web::submitted::Form;
use crate::web::words::{counted, size};
use crate::web::{Db, Operator, PageError, Reply, Shell};

/// A check in words.
pub(super) struct CheckView {
    pub label: &'static str,
    /// Kind of the badge, and its word.
    pub kind: &'static str,
    pub word: &'static str,
    pub sentence: String,
    pub is_active: bool,
    pub done: i64,
    /// 0: not known yet.
    pub total: i64,
    pub at: Moment,
    pub by: String,
}

/// The last of each kind.
pub(super) async fn latest(conn: &mut AsyncPgConnection, zone: Tz) -> Result<Vec<CheckView>, PageError> {
    let mut found = Vec::new();
    for kind in [CheckKind::Verify, CheckKind::CleanUp] {
        found.extend(checks::latest(conn, kind).await?.map(|check| CheckView::new(&check, zone)));
    }
    Ok(found)
}

impl CheckView {
    fn new(check: &Check, zone: Tz) -> Self {
        let (kind, word, sentence) = told(check);
        Self {
            label: match check.kind() {
                CheckKind::Verify => "Verification",
                CheckKind::CleanUp => "Clean-up",
            },
            kind,
            word,
            sentence,
            is_active: check.active,
            done: check.done,
            total: check.total,
            at: Moment::new(check.finished_at.unwrap_or(check.requested_at), zone),
            by: check.requested_by.clone(),
        }
    }
}

/// Kind of the badge, its word, and a sentence.
fn told(check: &Check) -> (&'static str, &'static str, String) {
    let files = |number| counted(number, "file", "files");
    if check.active {
        let sentence = match check.total {
            0 => "Waiting to begin.".to_owned(),
            total => format!(
                "{} of {} done.",
                counted(check.done, "file", "files"),
                counted(total, "file", "files")
            ),
        };
        return ("info", "Running", sentence);
    }
    if !check.error.is_empty() {
        let mut words = check.error.chars();
        let first: String = words.next().into_iter().flat_map(char::to_uppercase).collect();
        return ("bad", "Ended early", format!("{first}{}.", words.as_str()));
    }
    if check.finished_at.is_none() {
        return ("warn", "Stopped", "It was stopped before its end.".to_owned());
    }
    match check.kind() {
        CheckKind::CleanUp => {
            ("ok", "Done", format!("{} removed, {}.", files(check.removed), size(check.bytes)))
        }
        CheckKind::Verify => {
            let mut sentence = format!("{} read, {}.", files(check.done), size(check.bytes));
            let adopted = match check.adopted {
                0 => String::new(),
                adopted => format!(" {} taken over that were not on the list.", files(adopted)),
            };
            let bad = check.damaged + check.missing;
            if bad == 0 {
                sentence.push_str(" All of them are right.");
                return ("ok", "Right", sentence + &adopted);
            }
            sentence.push_str(&format!(
                " {} damaged and moved aside, {} missing; what is wanted is fetched again.",
                check.damaged, check.missing
            ));
            ("warn", "Repaired", sentence + &adopted)
        }
    }
}

/// A tick: what is refused otherwise.
#[derive(FromForm)]
pub(super) struct ConfirmForm {
    #[field(default = false)]
    pub confirmed: bool,
}

#[post("/content-store/verify", data = "<form>")]
pub(super) async fn verify(
    operator: Operator,
    mut db: Db,
    form: Form<ConfirmForm>,
) -> Result<Reply, PageError> {
    ask(&mut db.0, &operator.shell, CheckKind::Verify, form.confirmed).await
}

/// Puts a check into the queue, with its audit entry, and leads to the page that shows it.
pub(super) async fn ask(
    conn: &mut AsyncPgConnection,
    shell: &Shell,
    kind: CheckKind,
    confirmed: bool,
) -> Result<Reply, PageError> {
    let action = match kind {
        CheckKind::Verify => "content.verify",
        CheckKind::CleanUp => "content.clean-up",
    };
    conn.transaction(async |conn| {
        if checks::request(conn, kind, shell.actor(), confirmed).await?.is_none() {
            let sentence = "The stored files are being looked after already. Try again when that has ended.";
            return Err(PageError::Conflict(sentence.to_owned()));
        }
        Ok(audit::record(conn, shell.audit(action, if confirmed { "confirmed" } else { "" })).await?)
    })
    .await?;
    Ok(Reply::SeeOther("/content-store".to_owned()))
}
