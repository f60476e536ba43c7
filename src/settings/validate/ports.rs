//! Whether the port of an upstream server and SSL go together.
//!
//! Any port may speak SSL, so only the four that are given away are judged: 80 and 8530 speak it nowhere, 443 and 8531
//! nothing else. Who really runs such a server says where its files are as well, since the rule that finds their port
//! would be wrong there; then the settings stand. What is saved already may stay as it is.

use crate::settings::{FieldErrors, Key, Source, SourceKind};

/// Ports that are usual without SSL.
const PLAIN: [u16; 2] = [80, 8530];
/// Ports that are usual with SSL.
const SSL: [u16; 2] = [443, 8531];

/// Adds a message at both fields when they contradict each other.
pub(super) fn check(current: &Source, wanted: &Source, errors: &mut FieldErrors) {
    let is_kept = current.kind == wanted.kind && current.port == wanted.port && current.ssl == wanted.ssl;
    if wanted.kind != SourceKind::Upstream || wanted.content_port.is_some() || is_kept {
        return;
    }
    let port = wanted.port;
    let last = "If the server really differs, enter its port number for files too.";
    let (advice, other) = match wanted.ssl {
        true if PLAIN.contains(&port) => (
            format!("Port {port} is the usual one without SSL. With SSL it is usually 8531 or 443. {last}"),
            format!("SSL and port {port} do not go together. Clear this, or correct the port number."),
        ),
        false if SSL.contains(&port) => (
            format!("Port {port} is the usual one with SSL. Without SSL it is usually 8530 or 80. {last}"),
            format!("Port {port} usually needs SSL. Select this, or correct the port number."),
        ),
        _ => return,
    };
    errors.add(Key::SourcePort, advice);
    errors.add(Key::SourceSsl, other);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: u16, ssl: bool) -> Source {
        let (server, ca) = ("wsus01.corp.example".to_owned(), String::new());
        Source { kind: SourceKind::Upstream, server, port, ssl, ca, content_port: None }
    }

    fn refused(current: &Source, wanted: &Source) -> Vec<Key> {
        let mut errors = FieldErrors::default();
        check(current, wanted, &mut errors);
        errors.0.iter().map(|one| one.key).collect()
    }

    #[test]
    fn r216_ssl_and_the_port_of_plain_http_are_refused_at_both_fields() {
        let before = source(8530, false);
        for (port, ssl) in [(80, true), (8530, true), (443, false), (8531, false)] {
            assert_eq!(
                refused(&before, &source(port, ssl)),
                [Key::SourcePort, Key::SourceSsl],
                "{port} {ssl}"
            );
            let own_way = Source { content_port: Some(port), ..source(port, ssl) };
            assert_eq!(refused(&before, &own_way), [], "{port} {ssl}");
            assert_eq!(refused(&source(port, ssl), &source(port, ssl)), [], "saved before");
        }
        for (port, ssl) in
            [(80, false), (8530, false), (443, true), (8531, true), (9000, true), (9000, false)]
        {
            assert_eq!(refused(&before, &source(port, ssl)), [], "{port} {ssl}");
        }
        let elsewhere = Source { kind: SourceKind::MicrosoftUpdate, ..source(8530, true) };
        assert_eq!(refused(&before, &elsewhere), [], "Microsoft Update has no port here");
    }
}
