//! The names under which a listener answers. Another name in a request is a mistake, or a page of a stranger that had
//! its own name pointed at this server.

use std::net::IpAddr;

use rocket::http::uri::Host;

/// Names of a listener; the port in a request does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hosts {
    /// Every name.
    #[default]
    Any,
    /// This computer's own: `localhost`, and addresses that never leave it.
    Local,
    /// These, and [`Hosts::Local`]. Small letters; `*.example.org` stands for every name below `example.org`.
    These(Vec<String>),
}

impl Hosts {
    pub(super) fn include(&self, host: &Host<'_>) -> bool {
        let name = bare(host);
        match self {
            Self::Any => true,
            Self::Local => is_local(&name),
            Self::These(names) => is_local(&name) || names.iter().any(|one| covers(one, &name)),
        }
    }

    /// Whether the administrator named it, so that an address may be made of it.
    pub(super) fn list(&self, host: &Host<'_>) -> bool {
        let name = bare(host);
        matches!(self, Self::These(names) if names.iter().any(|one| covers(one, &name)))
    }
}

/// Small letters, without port, brackets and last dot.
fn bare(host: &Host<'_>) -> String {
    let name = host.domain().as_str().trim_end_matches('.').to_ascii_lowercase();
    name.trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn is_local(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => name.len() > end.len() && name.ends_with(end),
        None => match (pattern.parse::<IpAddr>(), name.parse::<IpAddr>()) {
            (Ok(pattern), Ok(name)) => pattern == name,
            _ => pattern == name,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(hosts: &Hosts, text: &str) -> bool {
        hosts.include(&Host::parse(text).unwrap())
    }

    #[test]
    fn r192_names_are_compared_without_port_case_and_last_dot() {
        let names = ["weir.corp.example", "*.lab.example", "10.0.0.5", "2001:db8::5"];
        let these = Hosts::These(names.map(str::to_owned).to_vec());
        for good in [
            "weir.corp.example",
            "WEIR.corp.example:8540",
            "weir.corp.example.",
            "a.lab.example",
            "a.b.lab.example:1",
            "10.0.0.5:8540",
            "[2001:db8::5]",
            "[2001:DB8:0::5]:8540",
            "localhost:8540",
            "127.0.0.1",
            "[::1]:8540",
        ] {
            assert!(admits(&these, good), "{good}");
        }
        for bad in
            ["evil.example", "lab.example", "weir.corp.example.evil.test", "xweir.corp.example", "10.0.0.6"]
        {
            assert!(!admits(&these, bad), "{bad}");
        }
        assert!(admits(&Hosts::Local, "app.localhost") && !admits(&Hosts::Local, "weir.corp.example"));
        assert!(admits(&Hosts::Any, "anything.test"));
    }
}
