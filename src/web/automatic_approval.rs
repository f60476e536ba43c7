//! `/options/automatic-approval`: which new updates a synchronization approves by itself.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, get, post, routes};
use uuid::Uuid;

use super::{Administrator, Db, PageError, Reply, Reporter, Shell, updates};
use crate::approvals::rules::{self, Rule, Rules};
use crate::approvals::{ApprovalError, Side, groups};
use crate::settings;
use crate::web::submitted::Form;

pub(super) fn routes() -> Vec<Route> {
    routes![show_rules, save_rules]
}

#[derive(Template)]
#[template(path = "options/automatic_approval.html")]
struct RulesPage {
    shell: Shell,
    version: i64,
    rules: Vec<RuleView>,
    latest_revision: bool,
    /// Name of the server that decides; this one is its replica.
    decided_by: Option<String>,
    locked: bool,
    saved: Saved,
    error: Option<String>,
}

/// One of the two blocks.
struct RuleView {
    /// `detect` or `install`.
    key: &'static str,
    heading: &'static str,
    label: &'static str,
    on: bool,
    classifications: Vec<Tick>,
    groups: Vec<Tick>,
}

impl RuleView {
    /// The ticked titles, for the line above the list.
    fn words(&self, ticks: &[Tick]) -> String {
        let titles: Vec<&str> =
            ticks.iter().filter(|tick| tick.ticked).map(|tick| tick.title.as_str()).collect();
        if titles.is_empty() { "None".to_owned() } else { titles.join(", ") }
    }
}

/// A box of a list.
struct Tick {
    id: Uuid,
    title: String,
    depth: usize,
    ticked: bool,
}

/// What the last save came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, rocket::FromFormField)]
enum Saved {
    #[field(value = "no")]
    No,
    #[field(value = "yes")]
    Changed,
    #[field(value = "same")]
    Unchanged,
}

#[derive(FromForm)]
struct RulesForm {
    version: i64,
    detect: bool,
    detect_classification: Vec<String>,
    detect_group: Vec<String>,
    install: bool,
    install_classification: Vec<String>,
    install_group: Vec<String>,
    #[field(default = String::new())]
    revisions: String,
}

#[get("/options/automatic-approval?<saved>")]
async fn show_rules(reporter: Reporter, mut db: Db, saved: Option<Saved>) -> Result<Reply, PageError> {
    let rules = rules::load(&mut db.0).await?;
    Reply::ok(&page(reporter.shell, &mut db, rules, saved.unwrap_or(Saved::No), None).await?)
}

#[post("/options/automatic-approval", data = "<form>")]
async fn save_rules(
    administrator: Administrator,
    mut db: Db,
    form: Form<RulesForm>,
) -> Result<Reply, PageError> {
    let rules = Rules {
        version: form.version,
        detect: rule(form.detect, &form.detect_classification, &form.detect_group)?,
        install: rule(form.install, &form.install_classification, &form.install_group)?,
        latest_revision: form.revisions != "older",
    };
    match rules::save(&mut db.0, &rules, administrator.shell.audit("", "")).await {
        Ok(changed) => {
            let word = if changed { "yes" } else { "same" };
            Ok(Reply::SeeOther(format!("/options/automatic-approval?saved={word}")))
        }
        Err(
            error @ (ApprovalError::RuleWithoutClassification
            | ApprovalError::RuleWithoutGroup
            | ApprovalError::UnknownGroup),
        ) => {
            let error = Some(error.to_string());
            Reply::refused(&page(administrator.shell, &mut db, rules, Saved::No, error).await?)
        }
        Err(error) => Err(error.into()),
    }
}

fn rule(on: bool, classifications: &[String], groups: &[String]) -> Result<Rule, PageError> {
    let ids = |texts: &[String]| -> Result<Vec<Uuid>, PageError> {
        let read = |text: &String| Uuid::try_parse(text);
        let mut ids: Vec<Uuid> = texts
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|_| PageError::Refused("That is no classification and no group.".to_owned()))?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    };
    Ok(Rule { on, classifications: ids(classifications)?, groups: ids(groups)? })
}

async fn page(
    shell: Shell,
    db: &mut Db,
    rules: Rules,
    saved: Saved,
    error: Option<String>,
) -> Result<RulesPage, PageError> {
    let side = Side::now(&mut db.0).await?;
    let categories = settings::known_tree(&mut db.0).await.map_err(PageError::internal)?;
    let known: Vec<(Uuid, String)> = categories
        .classifications()
        .into_iter()
        .filter_map(|id| Some((id, categories.get(id)?.title.clone())))
        .collect();
    let tree = groups::tree(&mut db.0, Side::Own).await?;
    let view = |key, heading, label, rule: &Rule| RuleView {
        key,
        heading,
        label,
        on: rule.on,
        classifications: known
            .iter()
            .map(|(id, title)| Tick {
                id: *id,
                title: title.clone(),
                depth: 0,
                ticked: rule.classifications.contains(id),
            })
            .collect(),
        groups: tree
            .iter()
            .map(|branch| Tick {
                id: branch.group.group_id,
                title: branch.group.name.clone(),
                depth: branch.depth.min(8),
                ticked: rule.groups.contains(&branch.group.group_id),
            })
            .collect(),
    };
    let decided_by = updates::decided_by(&mut db.0, side).await?;
    Ok(RulesPage {
        version: rules.version,
        rules: vec![
            view(
                "detect",
                "Approve for Detection",
                "Automatically approve updates for detection by using the following rule",
                &rules.detect,
            ),
            view(
                "install",
                "Approve for Installation",
                "Automatically approve updates for installation by using the following rule",
                &rules.install,
            ),
        ],
        latest_revision: rules.latest_revision,
        locked: decided_by.is_some() || !shell.can_administer(),
        decided_by,
        saved,
        error,
        shell,
    })
}
