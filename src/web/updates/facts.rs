//! What is known of an update, in words, and the addresses that its document names.

use url::Url;

use super::severity;
use crate::catalog::detail::{Named, UpdateDetail};
use crate::web::words;

/// A fact in words.
pub(super) struct Fact {
    pub label: &'static str,
    pub value: String,
}

/// An address from the document. Only web addresses become links.
pub(super) struct Link {
    pub label: String,
    pub text: String,
    pub href: Option<String>,
}

pub(super) fn facts(found: &UpdateDetail, arrived: String) -> Vec<Fact> {
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

pub(super) fn links(found: &UpdateDetail) -> Vec<Link> {
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
