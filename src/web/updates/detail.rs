//! `/updates/<update-id>`: one update in full.

use askama::Template;
use chrono_tz::Tz;
use rocket::{Route, get, routes};
use uuid::Uuid;

use super::decisions::{Decisions, GroupApproval, HistoryLine, decisions};
use super::done::Done;
use super::facts::{Fact, Link, facts, links};
use crate::catalog::detail::{self, FileLine, LEVELS_MAX, LIST_MAX, Named, Oddities, UpdateDetail};
use crate::catalog::kind;
use crate::catalog::texts::TitleIn;
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
    odd: Oddities,
    levels_max: i32,
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
    if let Some(text) = languages.choose(&found.titles) {
        (found.title, found.description) = (text.title.clone(), text.description.clone());
        language = text.language.clone();
    }
    let options = settings::load(&mut db.0).await.map_err(PageError::internal)?;
    let zone = reporter.shell.zone;
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
        titles: found.titles,
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
        odd: found.odd,
        levels_max: LEVELS_MAX,
    }
}

fn others(named: Vec<Named>) -> Vec<Other> {
    named.into_iter().map(|named| Other { id: named.update_id, title: named.title }).collect()
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
