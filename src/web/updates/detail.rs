//! `/updates/<update-id>`: one update in full.

use std::collections::HashMap;

use askama::Template;
use chrono_tz::Tz;
use rocket::{Route, get, routes};
use url::Url;
use uuid::Uuid;

use super::done::Done;
use super::severity;
use crate::approvals::history::{self, Past};
use crate::approvals::state::{self, Approval, Summary};
use crate::approvals::{ALL_COMPUTERS, Action, Side, groups};
use crate::catalog::detail::{self, FileLine, LIST_MAX, Named, UpdateDetail};
use crate::catalog::kind;
use crate::catalog::revision::TitleIn;
use crate::content::overview;
use crate::settings;
use crate::settings::synchronized::Synchronized;
use crate::web::language::Languages;
use crate::web::{Db, PageError, Reply, Reporter, Shell, words};

pub(super) fn routes() -> Vec<Route> {
    routes![show_update]
}

#[derive(Template)]
#[template(path = "updates/detail.html")]
struct DetailPage {
    shell: Shell,
    title: String,
    /// Language of title and description.
    language: String,
    what: &'static str,
    approvable: bool,
    expired: bool,
    superseded: bool,
    description: String,
    facts: Vec<Fact>,
    links: Vec<Link>,
    titles: Vec<TitleIn>,
    id: Uuid,
    done: String,
    tab: Tab,
    tabs: [Tab; 5],
    /// Kept, but its product or classification is not chosen any more.
    kept: bool,
    /// The last change of approvals was just made, and this person can undo it.
    can_undo: bool,
    /// State and number of its own files, in words.
    downloads: String,
    history: Vec<HistoryLine>,
    /// "Declined", or what the strongest approval is.
    decision: String,
    declined: bool,
    approvals: Vec<GroupApproval>,
    /// Name of the server that decides; this one is its replica.
    decided_by: Option<String>,
    revisions: Vec<Revision>,
    files: Vec<File>,
    unusable_files: Vec<String>,
    relations: Vec<Relation>,
    prerequisites: Vec<Vec<Other>>,
    list_max: usize,
}

/// A part of the page, which is a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, rocket::FromFormField)]
enum Tab {
    #[default]
    #[field(value = "details")]
    Details,
    #[field(value = "status")]
    Status,
    #[field(value = "revisions")]
    Revisions,
    #[field(value = "files")]
    Files,
    #[field(value = "relations")]
    Relations,
}

impl Tab {
    const ALL: [Self; 5] = [Self::Details, Self::Status, Self::Revisions, Self::Files, Self::Relations];

    fn key(self) -> &'static str {
        match self {
            Self::Details => "details",
            Self::Status => "status",
            Self::Revisions => "revisions",
            Self::Files => "files",
            Self::Relations => "relations",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Details => "Details",
            Self::Status => "Status",
            Self::Revisions => "Revisions",
            Self::Files => "Files",
            Self::Relations => "Relations",
        }
    }
}

/// A change of approvals by a person.
struct HistoryLine {
    at: String,
    actor: String,
    what: &'static str,
    reason: String,
    undone: bool,
}

/// A fact in words.
struct Fact {
    label: &'static str,
    value: String,
}

/// An address from the document. Only web addresses become links.
struct Link {
    label: String,
    text: String,
    href: Option<String>,
}

/// What one group gets.
struct GroupApproval {
    group: String,
    depth: usize,
    action: &'static str,
    /// It is the approval of the group above.
    inherited: bool,
    /// Empty without an approval.
    revision: String,
    deadline: String,
    by: String,
    at: String,
}

struct Revision {
    number: i32,
    released: String,
    current: bool,
    expired: bool,
    /// Which groups have an approval of this revision, in words.
    approval: String,
}

struct File {
    /// Where it stands, in words.
    state: String,
    name: String,
    size: String,
    patching: String,
    sha1: String,
    sha256: String,
}

/// A heading and the updates below it.
struct Relation {
    id: &'static str,
    heading: &'static str,
    others: Vec<Other>,
}

/// Another update; without a title it was never synchronized.
struct Other {
    id: Uuid,
    title: Option<String>,
}

#[get("/updates/<id>?<done>&<tab>")]
async fn show_update(
    reporter: Reporter,
    languages: Languages,
    mut db: Db,
    id: &str,
    done: Option<Done>,
    tab: Option<Tab>,
) -> Result<Reply, PageError> {
    let missing = PageError::NotFound { what: "update" };
    let Ok(id) = Uuid::try_parse(id) else { return Err(missing) };
    let Some(mut found) = detail::find(&mut db.0, id).await? else { return Err(missing) };
    let mut language = found.details.default_language.clone();
    if let Some(text) = languages.choose(&found.details.titles) {
        (found.title, found.description) = (text.title.clone(), text.description.clone());
        language = text.language.clone();
    }
    let options = settings::load(&mut db.0).await.map_err(PageError::internal)?;
    let zone = options.schedule.time_zone;
    let synchronized = Synchronized::now(&mut db.0, &options).await?;
    let ids = |named: &[Named]| named.iter().map(|one| one.update_id).collect::<Vec<_>>();
    let kept = found.approvable && !synchronized.takes(ids(&found.products), ids(&found.classifications));
    let digests: Vec<Vec<u8>> = found.files.iter().map(|file| file.sha1.clone()).collect();
    let decisions = decisions(&mut db, id, zone, &digests).await?;
    let mut page = page(reporter.shell, found, zone, decisions);
    page.language = language;
    page.kept = kept;
    page.tab = tab.unwrap_or_default();
    page.can_undo = done.is_some_and(Done::can_be_undone) && page.shell.can_operate();
    page.done = done.map(Done::words).unwrap_or_default();
    Reply::ok(&page)
}

/// What was decided for one update.
struct Decisions {
    /// State and last error of files by their SHA-1.
    files: Vec<(Vec<u8>, String, String)>,
    summary: Summary,
    approvals: Vec<GroupApproval>,
    /// Revision, and what a group gets of it.
    by_revision: Vec<(i32, String)>,
    history: Vec<HistoryLine>,
    decided_by: Option<String>,
}

async fn decisions(db: &mut Db, id: Uuid, zone: Tz, digests: &[Vec<u8>]) -> Result<Decisions, PageError> {
    let side = Side::now(&mut db.0).await?;
    let summary = state::summaries(&mut db.0, side, &[id]).await?.remove(&id).unwrap_or_default();
    let held = state::of(&mut db.0, side, &[id]).await?;
    let tree = groups::tree(&mut db.0, side).await?;
    let own = |group: Uuid| held.iter().find(|one| one.group_id == group);
    // Each group comes after its parent, whose answer it has when it has none of its own.
    let mut effective: HashMap<Uuid, Option<&Approval>> = HashMap::new();
    let (mut approvals, mut by_revision) = (Vec::new(), Vec::new());
    for branch in &tree {
        let group = &branch.group;
        let parent = group.parent_id.filter(|parent| effective.contains_key(parent)).unwrap_or(ALL_COMPUTERS);
        let mine = own(group.group_id);
        let counts = mine.or_else(|| effective.get(&parent).copied().flatten());
        effective.insert(group.group_id, counts);
        if let Some(one) = mine {
            by_revision.push((one.revision_number, format!("{} for {}", one.action().label(), group.name)));
        }
        approvals.push(GroupApproval {
            group: group.name.clone(),
            depth: branch.depth.min(8),
            inherited: mine.is_none() && group.group_id != ALL_COMPUTERS,
            action: counts.map_or(Action::NotApproved, Approval::action).label(),
            revision: counts.map(|one| one.revision_number.to_string()).unwrap_or_default(),
            deadline: counts
                .and_then(|one| one.deadline)
                .map_or_else(|| "None".to_owned(), |at| words::moment(at, zone)),
            by: mine.map(|one| one.approved_by.clone()).unwrap_or_default(),
            at: mine.map(|one| words::moment(one.approved_at, zone)).unwrap_or_default(),
        });
    }
    let history = history::of_update(&mut db.0, id).await?;
    let files = overview::states(&mut db.0, digests).await?;
    Ok(Decisions {
        files,
        summary,
        approvals,
        by_revision,
        history: history.into_iter().map(|past| HistoryLine::new(past, zone)).collect(),
        decided_by: super::decided_by(&mut db.0, side).await?,
    })
}

impl HistoryLine {
    fn new(past: Past, zone: Tz) -> Self {
        let Past { at, actor, deed, reason, undone, .. } = past;
        Self { at: words::moment(at, zone), actor, what: deed.words(), reason, undone }
    }
}

/// How many of the files are where.
fn downloads(files: &[File]) -> String {
    let stored = files.iter().filter(|file| file.state == "Stored").count();
    let wanted = files.iter().filter(|file| file.state != "Not wanted").count();
    match (files.len(), wanted) {
        (0, _) => "This update has no files of its own.".to_owned(),
        (_, 0) => "Its files are not wanted here.".to_owned(),
        (all, _) => {
            format!("{stored} of {} stored here.", words::counted(all as i64, "file is", "files are"))
        }
    }
}

fn page(shell: Shell, found: UpdateDetail, zone: Tz, decisions: Decisions) -> DetailPage {
    let facts = facts(&found, words::moment(found.arrived_at, zone));
    let links = links(&found);
    let current = found.revision_number;
    let relation = |id, heading, named: Vec<Named>| Relation { id, heading, others: others(named) };
    let relations = vec![
        relation("supersedes", "Replaces", found.supersedes),
        relation("superseded-by", "Replaced by", found.superseded_by),
        relation("bundles", "Consists of", found.bundles),
        relation("bundled-by", "Part of", found.bundled_by),
    ];
    let files: Vec<File> = found.files.into_iter().map(|file| File::new(file, &decisions.files)).collect();
    let approved = |number: i32| {
        let of = decisions.by_revision.iter().filter(|(revision, _)| *revision == number);
        of.map(|(_, words)| words.as_str()).collect::<Vec<_>>().join(", ")
    };
    DetailPage {
        shell,
        done: String::new(),
        tab: Tab::default(),
        tabs: Tab::ALL,
        kept: false,
        can_undo: false,
        downloads: downloads(&files),
        history: decisions.history,
        title: found.title,
        language: String::new(),
        what: kind::in_words(found.kind),
        approvable: found.approvable,
        expired: found.expired,
        superseded: found.superseded,
        description: found.description,
        facts,
        links,
        titles: found.details.titles,
        id: found.update_id,
        decision: decisions.summary.words(),
        declined: decisions.summary.declined,
        approvals: decisions.approvals,
        decided_by: decisions.decided_by,
        revisions: found
            .revisions
            .into_iter()
            .map(|line| Revision {
                number: line.number,
                released: words::day(line.created),
                current: line.number == current,
                expired: line.expired,
                approval: approved(line.number),
            })
            .collect(),
        files,
        unusable_files: found.details.unusable_files,
        relations: relations.into_iter().filter(|relation| !relation.others.is_empty()).collect(),
        prerequisites: found.prerequisites.into_iter().map(others).collect(),
        list_max: LIST_MAX,
    }
}

fn others(named: Vec<Named>) -> Vec<Other> {
    named.into_iter().map(|named| Other { id: named.update_id, title: named.title }).collect()
}

fn facts(found: &UpdateDetail, arrived: String) -> Vec<Fact> {
    let names =
        |named: &[Named]| named.iter().filter_map(|named| named.title.clone()).collect::<Vec<_>>().join(", ");
    let restart = match found.details.reboot.as_str() {
        "NeverReboots" => "Never restarts the computer",
        "AlwaysRequiresReboot" => "Always restarts the computer",
        "CanRequestReboot" => "May ask for a restart",
        other => other,
    };
    let yes = |is: bool, words: &str| if is { words.to_owned() } else { String::new() };
    [
        ("Classification", names(&found.classifications)),
        ("Products", names(&found.products)),
        ("Severity", severity(found.severity).to_owned()),
        ("Released", words::day(found.created)),
        ("Arrived here", arrived),
        ("KB articles", found.kb.iter().map(|kb| format!("KB{kb}")).collect::<Vec<_>>().join(", ")),
        ("Security bulletins", found.bulletins.join(", ")),
        ("Restart", restart.to_owned()),
        ("Asks the user", yes(found.details.asks_user, "May ask for input")),
        ("Network", yes(found.details.needs_network, "Needs the network while it installs")),
        ("Removal", yes(found.details.removable, "Can be removed again")),
        ("License terms", yes(found.details.eula.is_some(), "Must be accepted before it is installed")),
        ("Languages", found.details.languages.join(", ")),
        ("Build", found.details.release_version.clone()),
        ("Revision", found.revision_number.to_string()),
        ("Update ID", found.update_id.to_string()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(label, value)| Fact { label, value })
    .collect()
}

fn links(found: &UpdateDetail) -> Vec<Link> {
    let articles = found.kb.iter().filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let mut links: Vec<Link> = articles
        .map(|number| {
            link(&format!("Article KB{number}"), &format!("https://support.microsoft.com/help/{number}"))
        })
        .collect();
    links.extend(found.details.more_info_urls.iter().map(|url| link("More information", url)));
    links.extend(
        Some(&found.details.support_url).filter(|url| !url.is_empty()).map(|url| link("Support", url)),
    );
    links
}

/// Whatever is no web address is shown as text.
fn link(label: &str, text: &str) -> Link {
    let url = Url::parse(text.trim()).ok();
    let href = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).map(String::from);
    Link { label: label.to_owned(), text: text.to_owned(), href }
}

impl File {
    fn new(file: FileLine, states: &[(Vec<u8>, String, String)]) -> Self {
        let state = states.iter().find(|(sha1, _, _)| *sha1 == file.sha1);
        let state = match state.map(|(_, state, error)| (state.as_str(), error.as_str())) {
            None => "Not wanted".to_owned(),
            Some(("stored", _)) => "Stored".to_owned(),
            Some(("failed", error)) => format!("Not fetched: {error}"),
            Some((_, "")) => "Coming".to_owned(),
            Some((_, error)) => format!("Coming. {error}"),
        };
        Self {
            state,
            name: file.name,
            size: words::size(file.size),
            patching: file.patching,
            sha1: hex::encode_upper(file.sha1),
            sha256: file.sha256.map(hex::encode_upper).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn r106_only_web_addresses_become_links() {
        for bad in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "ftp://x.test/",
            "//x.test",
            "x",
            "",
            "data:text/html,x",
        ] {
            assert!(link("Support", bad).href.is_none(), "{bad}");
        }
        assert_eq!(link("Support", " http://x.test/a ").href.as_deref(), Some("http://x.test/a"));
        assert_eq!(
            link("Support", "HTTPS://x.test/\"><script>").href.as_deref(),
            Some("https://x.test/%22%3E%3Cscript%3E")
        );
    }
}
