//! The hosts that files named by an address in a document may come from.

/// Microsoft's delivery hosts; a leading `*.` stands for any name below.
/// Source: Microsoft's list of addresses a WSUS server must reach.
pub const DELIVERY_HOSTS: [&str; 7] = [
    "*.windowsupdate.com",
    "*.update.microsoft.com",
    "*.windowsupdate.microsoft.com",
    "download.microsoft.com",
    "*.download.microsoft.com",
    "*.delivery.mp.microsoft.com",
    "*.dl.delivery.mp.microsoft.com",
];

/// Whether `host` (lower case) is a delivery host of Microsoft or one of `more`.
pub(super) fn allowed_host(host: &str, more: &[String]) -> bool {
    let fits = |pattern: &str| match pattern.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => host == pattern,
    };
    DELIVERY_HOSTS.into_iter().any(fits) || more.iter().any(|pattern| fits(pattern))
}

#[cfg(test)]
mod tests {
    use super::allowed_host;

    #[test]
    fn r106_files_come_from_known_hosts_only() {
        for good in [
            "download.windowsupdate.com",
            "au.download.windowsupdate.com",
            "tlu.dl.delivery.mp.microsoft.com",
        ] {
            assert!(allowed_host(good, &[]), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "127.0.0.1",
            "169.254.169.254",
            "windowsupdate.com.evil.test",
            "evilwindowsupdate.com",
            ".windowsupdate.com",
        ] {
            assert!(!allowed_host(bad, &[]), "{bad}");
        }
        let more = ["*.lab".to_owned(), "127.0.0.1".to_owned()];
        assert!(
            allowed_host("cdn.lab", &more) && allowed_host("127.0.0.1", &more) && !allowed_host("lab", &more)
        );
    }
}
