//! `/updates/approve`: what is to be done with one or more updates, group by group.

use std::collections::HashMap;

use askama::Template;
use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use rocket::form::FromForm;
use rocket::{Route, get, post, routes};
use uuid::Uuid;

use super::done::Done;
use super::way_back;
use crate::approvals::change::{self, Change, GroupChoice, UPDATES_MAX};
use crate::approvals::groups::{self, Branch};
use crate::approvals::state::{self, Approval, Candidate};
use crate::approvals::{ALL_COMPUTERS, Action, ApprovalError, Side};
use crate::web::submitted::Form;
use crate::web::{Db, Field, Operator, PageError, Reply, Shell, words};

/// Titles shown; the rest is counted.
const TITLES_MAX: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    routes![show_approve, approve]
}

#[derive(Template)]
#[template(path = "updates/approve.html")]
struct ApprovePage {
    shell: Shell,
    back: String,
    ids: Vec<Uuid>,
    count: String,
    titles: Vec<String>,
    more: usize,
    groups: Vec<GroupLine>,
    can_remove: bool,
    asks_user: bool,
    licenses: bool,
    accepted: bool,
    zone: &'static str,
    by_time: bool,
    /// With what is wrong with date or time.
    date: Field,
    time: String,
    reason: String,
    error: Option<String>,
}

/// A group and what it gets.
struct GroupLine {
    id: Uuid,
    name: String,
    depth: usize,
    choices: Vec<GroupOption>,
}

/// One entry of a group's list of choices.
struct GroupOption {
    key: &'static str,
    label: String,
    chosen: bool,
}

/// Why a form comes back.
enum Fault {
    /// About the deadline; the sentence belongs beside it.
    Deadline(String),
    Other(String),
}

impl From<&str> for Fault {
    fn from(sentence: &str) -> Self {
        Self::Other(sentence.to_owned())
    }
}

/// What the form sends. A group that is missing stays as it is.
#[derive(FromForm)]
struct ApproveForm {
    id: Vec<String>,
    #[field(default = String::new())]
    back: String,
    group: HashMap<String, String>,
    #[field(default = String::new())]
    deadline: String,
    #[field(default = String::new())]
    date: String,
    #[field(default = String::new())]
    time: String,
    licenses: bool,
    #[field(default = String::new())]
    reason: String,
}

#[get("/updates/approve?<id>&<back>")]
async fn show_approve(
    operator: Operator,
    mut db: Db,
    id: Vec<String>,
    back: Option<&str>,
) -> Result<Reply, PageError> {
    let back = way_back(back.unwrap_or_default()).to_owned();
    let ids = read_ids(&id)?;
    if ids.is_empty() {
        return Ok(Reply::SeeOther(back));
    }
    let form = ApproveForm {
        id,
        back,
        group: HashMap::new(),
        deadline: String::new(),
        date: String::new(),
        time: String::new(),
        licenses: false,
        reason: String::new(),
    };
    Reply::ok(&page(operator.shell, &mut db, ids, &form, None).await?)
}

#[post("/updates/approve", data = "<form>")]
async fn approve(operator: Operator, mut db: Db, form: Form<ApproveForm>) -> Result<Reply, PageError> {
    let ids = read_ids(&form.id)?;
    let zone = operator.shell.zone;
    let outcome = match change_of(&form, &ids, zone) {
        Ok(change) => {
            let entry = operator.shell.audit("", "");
            change::approve(&mut db.0, &change, entry).await.map_err(|error| match error {
                ApprovalError::Database(_) | ApprovalError::Catalog(_) => Err(error),
                ApprovalError::DeadlineYear => Ok(Fault::Deadline(error.to_string())),
                other => Ok(Fault::Other(other.to_string())),
            })
        }
        Err(fault) => Err(Ok(fault)),
    };
    match outcome {
        Ok(changed) => {
            let done = Done::Approved(u32::try_from(changed.updates).unwrap_or(u32::MAX));
            Ok(Reply::SeeOther(done.after(way_back(&form.back))))
        }
        Err(Ok(fault)) => Reply::refused(&page(operator.shell, &mut db, ids, &form, Some(fault)).await?),
        Err(Err(error)) => Err(error.into()),
    }
}

/// The ids of an address or a form, each once.
///
/// # Errors
/// [`PageError::NotFound`] for something that is none, and for too many.
pub(super) fn read_ids(texts: &[String]) -> Result<Vec<Uuid>, PageError> {
    let missing = PageError::NotFound { what: "update" };
    if texts.len() > UPDATES_MAX {
        return Err(PageError::Refused(format!("Select at most {UPDATES_MAX} updates at once.")));
    }
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        let Ok(id) = Uuid::try_parse(text) else { return Err(missing) };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The change a form describes.
fn change_of(form: &ApproveForm, ids: &[Uuid], zone: Tz) -> Result<Change, Fault> {
    let mut groups = Vec::with_capacity(form.group.len());
    for (group, key) in &form.group {
        let group_id =
            Uuid::try_parse(group).map_err(|_| Fault::Other(ApprovalError::UnknownGroup.to_string()))?;
        let action = match key.as_str() {
            "keep" => continue,
            "inherit" => None,
            key => Some(Action::of_key(key).ok_or("Choose an approval from the list.")?),
        };
        groups.push(GroupChoice { group_id, action });
    }
    if groups.is_empty() {
        return Err("Choose an approval for at least one group.".into());
    }
    let deadline = match form.deadline.as_str() {
        "by" => Some(deadline(&form.date, &form.time, zone).map_err(Fault::Deadline)?),
        _ => None,
    };
    Ok(Change {
        updates: ids.to_vec(),
        groups,
        deadline,
        accept_licenses: form.licenses,
        reason: form.reason.clone(),
    })
}

/// A moment on the wall clock of `zone`; one that comes twice is the earlier, one that is left out an hour later.
fn deadline(date: &str, time: &str, zone: Tz) -> Result<DateTime<Utc>, String> {
    let text = format!("{} {}", date.trim(), time.trim());
    let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M")
        .map_err(|_| "Enter the deadline as a date and a time, for instance 2026-12-24 and 18:00.")?;
    // A year that is far off is not reckoned with.
    if !(0..=9999).contains(&local.year()) {
        return Err(ApprovalError::DeadlineYear.to_string());
    }
    let found = zone.from_local_datetime(&local).earliest();
    let found = found.or_else(|| {
        let later = local.checked_add_signed(TimeDelta::hours(1))?;
        zone.from_local_datetime(&later).earliest()
    });
    found.map(|moment| moment.to_utc()).ok_or_else(|| "That moment does not exist.".to_owned())
}

async fn page(
    shell: Shell,
    db: &mut Db,
    ids: Vec<Uuid>,
    form: &ApproveForm,
    fault: Option<Fault>,
) -> Result<ApprovePage, PageError> {
    let side = Side::now(&mut db.0).await?;
    if side == Side::Mirrored {
        return Err(ApprovalError::Replica.into());
    }
    let found = state::candidates(&mut db.0, side, &ids).await?;
    if found.is_empty() || found.len() != ids.len() {
        return Err(ApprovalError::UnknownUpdate.into());
    }
    let tree = groups::tree(&mut db.0, side).await?;
    let approvals = state::of(&mut db.0, side, &ids).await?;
    let zone = shell.zone;
    let mut date = Field::new("date", &form.date);
    let error = match fault {
        Some(Fault::Deadline(sentence)) => {
            date.error = Some(sentence);
            Some("The deadline cannot be used; the message is beside it.".to_owned())
        }
        Some(Fault::Other(sentence)) => Some(sentence),
        None => None,
    };
    let can_remove = found.iter().all(|one| one.removable);
    let held = |one: fn(&Candidate) -> bool| found.iter().any(one);
    Ok(ApprovePage {
        shell,
        back: way_back(&form.back).to_owned(),
        count: words::counted(ids.len() as i64, "update", "updates"),
        more: found.len().saturating_sub(TITLES_MAX),
        groups: tree.iter().map(|branch| line(branch, &ids, &approvals, form, can_remove)).collect(),
        can_remove,
        asks_user: held(|one| one.asks_user),
        licenses: held(|one| one.license.is_some()),
        accepted: form.licenses,
        titles: found.into_iter().take(TITLES_MAX).map(|one| one.title).collect(),
        zone: zone.name(),
        by_time: form.deadline == "by",
        date,
        time: form.time.clone(),
        reason: form.reason.clone(),
        error,
        ids,
    })
}

fn line(
    branch: &Branch,
    ids: &[Uuid],
    approvals: &[Approval],
    form: &ApproveForm,
    can_remove: bool,
) -> GroupLine {
    let id = branch.group.group_id;
    let root = id == ALL_COMPUTERS;
    let now = common(ids, approvals.iter().filter(|one| one.group_id == id), root);
    let typed =
        form.group.iter().find(|(group, _)| Uuid::try_parse(group) == Ok(id)).map(|(_, key)| key.as_str());
    let chosen = typed.unwrap_or(now);
    let option = |key, label: &str| GroupOption { key, label: label.to_owned(), chosen: key == chosen };
    let mut choices = Vec::new();
    if now == "keep" {
        choices.push(option("keep", "Different, leave as they are"));
    }
    if !root {
        choices.push(option("inherit", "Same as the group above"));
    }
    for action in Action::ALL {
        if action != Action::Remove || can_remove {
            choices.push(option(action.key(), action.label()));
        }
    }
    GroupLine { id, name: branch.group.name.clone(), depth: branch.depth.min(8), choices }
}

/// The choice that stands for what all the updates have; `keep` when they differ.
fn common<'a>(ids: &[Uuid], approvals: impl Iterator<Item = &'a Approval>, root: bool) -> &'static str {
    let nothing = if root { Action::NotApproved.key() } else { "inherit" };
    let held: HashMap<Uuid, &str> = approvals.map(|one| (one.update_id, one.action().key())).collect();
    let first = |key| Action::of_key(key).map_or("inherit", Action::key);
    let mut keys = ids.iter().map(|id| held.get(id).copied().unwrap_or(nothing));
    let Some(one) = keys.next() else { return nothing };
    if keys.all(|other| other == one) { first(one) } else { "keep" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_on_the_wall_clock() {
        let zone = chrono_tz::Europe::Berlin;
        let read = |date, time| deadline(date, time, zone).map(|moment| moment.to_rfc3339());
        assert_eq!(read("2026-12-24", "18:00").unwrap(), "2026-12-24T17:00:00+00:00");
        // The clock jumps from 2 to 3 on 29 March, and goes from 3 back to 2 on 25 October.
        assert_eq!(read("2026-03-29", "02:30").unwrap(), "2026-03-29T01:30:00+00:00");
        assert_eq!(read("2026-10-25", "02:30").unwrap(), "2026-10-25T00:30:00+00:00");
        for (date, time) in [("", ""), ("2026-02-30", "10:00"), ("2026-12-24", "25:00"), ("tomorrow", "noon")]
        {
            assert!(read(date, time).is_err(), "{date} {time}");
        }
        for date in ["+262142-12-31", "+99999-01-01", "-0001-01-01", "-262143-01-01"] {
            for time in ["00:00", "23:59"] {
                assert_eq!(read(date, time), Err(ApprovalError::DeadlineYear.to_string()), "{date} {time}");
            }
        }
    }
}
