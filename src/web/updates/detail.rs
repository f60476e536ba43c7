//! `/updates/<update-id>`: one update in full.

use askama::Template;
use chrono_tz::Tz;
use rocket::{Route, get, routes};
use url::Url;
use uuid::Uuid;

use super::done::Done;
use super::severity;
use crate::approvals::state::{self, Summary};
use crate::approvals::{Side, groups};
use crate::catalog::detail::{self, FileLine, LIST_MAX, Named, UpdateDetail};
use crate::catalog::kind;
use crate::catalog::revision::TitleIn;
use crate::content::overview;
use crate::settings;
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

/// What one group gets by an approval of its own.
struct GroupApproval {
    group: String,
    action: &'static str,
    revision: i32,
    deadline: String,
    by: String,
    at: String,
}

struct Revision {
    number: i32,
    released: String,
    current: bool,
    expired: bool,
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

#[get("/updates/<id>?<done>")]
async fn show_update(
    reporter: Reporter,
    languages: Languages,
    mut db: Db,
    id: &str,
    done: Option<Done>,
) -> Result<Reply, PageError> {
    let missing = PageError::NotFound { what: "update" };
    let Ok(id) = Uuid::try_parse(id) else { return Err(missing) };
    let Some(mut found) = detail::find(&mut db.0, id).await? else { return Err(missing) };
    let mut language = found.details.default_language.clone();
    if let Some(text) = languages.choose(&found.details.titles) {
        (found.title, found.description) = (text.title.clone(), text.description.clone());
        language = text.language.clone();
    }
    let zone = settings::load(&mut db.0).await.map_err(PageError::internal)?.schedule.time_zone;
    let digests: Vec<Vec<u8>> = found.files.iter().map(|file| file.sha1.clone()).collect();
    let decisions = decisions(&mut db, id, zone, &digests).await?;
    let done = done.map(Done::words).unwrap_or_default();
    Reply::ok(&page(reporter.shell, found, language, zone, decisions, done))
}

/// What was decided for one update.
struct Decisions {
    /// State and last error of files by their SHA-1.
    files: Vec<(Vec<u8>, String, String)>,
    summary: Summary,
    approvals: Vec<GroupApproval>,
    decided_by: Option<String>,
}

async fn decisions(db: &mut Db, id: Uuid, zone: Tz, digests: &[Vec<u8>]) -> Result<Decisions, PageError> {
    let side = Side::now(&mut db.0).await?;
    let summary = state::summaries(&mut db.0, side, &[id]).await?.remove(&id).unwrap_or_default();
    let held = state::of(&mut db.0, side, &[id]).await?;
    let tree = groups::tree(&mut db.0, side).await?;
    let approvals = tree
        .into_iter()
        .filter_map(|branch| {
            let one = held.iter().find(|one| one.group_id == branch.group.group_id)?;
            Some(GroupApproval {
                group: branch.group.name,
                action: one.action().label(),
                revision: one.revision_number,
                deadline: one.deadline.map_or_else(|| "None".to_owned(), |at| words::moment(at, zone)),
                by: one.approved_by.clone(),
                at: words::moment(one.approved_at, zone),
            })
        })
        .collect();
    let files = overview::states(&mut db.0, digests).await?;
    Ok(Decisions { files, summary, approvals, decided_by: super::decided_by(&mut db.0, side).await? })
}

fn page(
    shell: Shell,
    found: UpdateDetail,
    language: String,
    zone: Tz,
    decisions: Decisions,
    done: String,
) -> DetailPage {
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
    DetailPage {
        shell,
        title: found.title,
        language,
        what: kind::in_words(found.kind),
        approvable: found.approvable,
        expired: found.expired,
        superseded: found.superseded,
        description: found.description,
        facts,
        links,
        titles: found.details.titles,
        id: found.update_id,
        done,
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
            })
            .collect(),
        files: found.files.into_iter().map(|file| File::new(file, &decisions.files)).collect(),
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
