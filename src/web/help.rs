//! Help: one page for each panel of Synchronization Options and for what people do most, in our own words.
//! Each setting has its paragraph; a message beside a field leads to it.

use askama::Template;
use rocket::{Route, get, routes};

use super::{PageError, Reply, Reporter, Shell};
use crate::settings::keys::{Key, Panel};
use crate::sync::retries::{self, Rule};

pub(super) fn routes() -> Vec<Route> {
    routes![show_index, show_topic]
}

/// The page whose figures come from the engine.
const RETRIES: &str = "trying-again";

/// The pages: last part of the address, and heading.
const TOPICS: [(&str, &str); 9] = [
    ("synchronizing", "Synchronizing"),
    ("schedule", "Schedule"),
    ("products-and-classifications", "Products and Classifications"),
    ("proxy-server", "Proxy server"),
    ("update-source", "Update Source"),
    ("update-files-and-languages", "Update Files and Languages"),
    ("stored-files", "Stored files"),
    ("approvals", "Approving updates"),
    (RETRIES, "What is tried again"),
];

/// The help page that fits the page at `path`.
pub(super) fn for_page(path: &str) -> &'static str {
    match path {
        "/synchronize" => "/help/synchronizing",
        _ if path.starts_with("/synchronizations") => "/help/synchronizing",
        _ if path.starts_with("/content-store") => "/help/stored-files",
        "/options/automatic-approval" => "/help/approvals",
        _ if path.starts_with("/updates") || path.starts_with("/options/groups") => "/help/approvals",
        _ => "/help",
    }
}

/// The paragraph about the setting that a field of this name holds; `None` for any other field.
pub fn of_field(name: &str) -> Option<String> {
    let key = Key::ALL.iter().find(|key| key.name() == name)?;
    Some(format!("/help/{}#{name}", topic_of(key.panel())))
}

fn topic_of(panel: Panel) -> &'static str {
    match panel {
        Panel::Schedule => "schedule",
        Panel::Products => "products-and-classifications",
        Panel::Proxy => "proxy-server",
        Panel::Source => "update-source",
        Panel::Files => "update-files-and-languages",
    }
}

#[derive(Template)]
#[template(path = "help/index.html")]
struct IndexPage {
    shell: Shell,
    topics: [(&'static str, &'static str); 9],
}

#[derive(Template)]
#[template(path = "help/topic.html")]
struct TopicPage {
    shell: Shell,
    topic: &'static str,
    heading: &'static str,
    /// Of the page about trying again; empty on others.
    rules: Vec<Rule>,
    limits: Vec<(&'static str, String)>,
}

#[get("/help")]
fn show_index(reporter: Reporter) -> Result<Reply, PageError> {
    Reply::ok(&IndexPage { shell: reporter.shell, topics: TOPICS })
}

#[get("/help/<topic>")]
fn show_topic(reporter: Reporter, topic: &str) -> Result<Reply, PageError> {
    let found = TOPICS.into_iter().find(|(name, _)| *name == topic);
    let (topic, heading) = found.ok_or(PageError::NotFound { what: "help page" })?;
    let (rules, limits) =
        if topic == RETRIES { (retries::rules(), retries::limits()) } else { Default::default() };
    Reply::ok(&TopicPage { shell: reporter.shell, topic, heading, rules, limits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_and_every_page_leads_to_a_help_page_that_exists() {
        let exists = |address: &str| {
            address == "/help" || TOPICS.iter().any(|(name, _)| address == format!("/help/{name}"))
        };
        for key in Key::ALL {
            let address = of_field(key.name()).unwrap();
            assert!(exists(address.split('#').next().unwrap()), "{address}");
        }
        for path in ["/", "/synchronize", "/content-store/limits", "/updates", "/options/groups", "/x"] {
            assert!(exists(for_page(path)), "{path}");
        }
        assert_eq!(of_field("password"), None);
    }
}
