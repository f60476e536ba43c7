//! What the environment and the file may say, and what is answered when they are wrong.

use super::*;
use std::collections::HashMap;

fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigFaults> {
    let pairs: HashMap<String, OsString> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    Config::read(&|name| pairs.get(name).cloned())
}

fn with_file(text: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigFaults> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weir.toml"), text).unwrap();
    let mut all = vec![("WEIR_DATA_DIR", folder.path().to_str().unwrap())];
    all.extend_from_slice(pairs);
    read(&all)
}

#[test]
fn nothing_said_means_the_documented_defaults() {
    let config = read(&[("WEIR_DATA_DIR", "/nowhere/data")]).unwrap();
    assert_eq!(config.listeners.console.to_string(), "127.0.0.1:8540");
    assert_eq!(config.listeners.services.to_string(), "127.0.0.1:8530");
    assert_eq!(config.secret_key_file, PathBuf::from("/nowhere/data/secret.key"));
    assert_eq!(config.microsoft_update.url.as_str(), "https://sws.update.microsoft.com/");
    assert!(config.database.is_none() && config.content_hosts.is_empty() && config.log.is_none());
    assert!(read(&[]).unwrap().data_dir.is_absolute());
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "console_port = 9000\nservices_port = 9001\ncontent_hosts = [\"CDN.example\", \"*.lab\"]\n";
    let config = with_file(text, &[("WEIR_CONSOLE_PORT", "9100")]).unwrap();
    assert_eq!(config.listeners.console.port(), 9100);
    assert_eq!(config.listeners.services.port(), 9001);
    assert_eq!(config.content_hosts, ["cdn.example", "*.lab"]);
}

#[test]
fn all_faults_are_told_at_once_each_with_its_place() {
    let text = "console_prot = 9000\nservices_port = 70000\n[table]\nx = 1\n";
    let faults = with_file(
        text,
        &[
            ("WEIR_CONSOLE_ADDRESS", "localhost"),
            ("WEIR_CONSOLE_PORT", "0"),
            ("WEIR_MICROSOFT_UPDATE_URL", "ftp://x"),
            ("WEIR_MICROSOFT_UPDATE_CA", "/nowhere/ca.pem"),
            ("WEIR_CONTENT_HOSTS", "good.example,bad host"),
            ("WEIR_CONSOLE_INSECURE", "maybe"),
        ],
    )
    .unwrap_err();
    let text = faults.to_string();
    assert_eq!(faults.0.len(), 9, "{text}");
    for place in ["console_prot in ", "services_port in ", "table in "] {
        assert!(text.contains(&format!("\n  {place}")), "{place}: {text}");
    }
    assert!(text.contains("WEIR_CONSOLE_PORT: 0 is not a port number, 1 to 65535."), "{text}");
    assert!(text.contains("services_port in "), "{text}");
}

#[test]
fn a_file_that_is_named_must_exist_and_one_that_is_broken_names_the_line() {
    let text = read(&[("WEIR_CONFIG", "/nowhere/weir.toml")]).unwrap_err().to_string();
    assert!(text.contains("/nowhere/weir.toml: the file cannot be read"), "{text}");
    let text = with_file("console_port = 9000\nlog = \n", &[]).unwrap_err().to_string();
    assert!(text.contains("weir.toml, line 2: "), "{text}");
    let text = with_file("data_dir = \"/x\"\n", &[]).unwrap_err().to_string();
    assert!(text.contains("cannot be named by a file inside it"), "{text}");
}

#[test]
fn the_console_beyond_loopback_needs_an_explicit_word() {
    let address = ("WEIR_CONSOLE_ADDRESS", "0.0.0.0");
    assert!(read(&[address]).unwrap_err().to_string().contains("WEIR_CONSOLE_INSECURE=true"));
    assert!(read(&[address, ("WEIR_CONSOLE_INSECURE", "true")]).is_ok());
}

#[test]
fn tls_needs_both_files_and_a_port_of_its_own() {
    let pair = [("WEIR_TLS_CERTIFICATE", "/x/cert.pem"), ("WEIR_TLS_KEY", "/x/key.pem")];
    let tls = read(&pair).unwrap().listeners.tls.unwrap();
    assert_eq!(tls.services.to_string(), "127.0.0.1:8531");
    let open = ("WEIR_CONSOLE_ADDRESS", "0.0.0.0");
    assert!(read(&[open, pair[0], pair[1]]).is_ok(), "with TLS no further word is needed");
    for (name, value, expected) in [
        ("WEIR_TLS_KEY", "", "WEIR_TLS_KEY: the key of the certificate is not named."),
        ("WEIR_TLS_CERTIFICATE", "", "WEIR_TLS_CERTIFICATE: the certificate of the key is not named."),
        ("WEIR_SERVICES_TLS_PORT", "8530", "taken by the services without TLS"),
        ("WEIR_SERVICES_TLS_PORT", "8540", "taken by the console"),
    ] {
        let mut all: Vec<_> = pair.iter().filter(|(other, _)| *other != name).copied().collect();
        all.push((name, value));
        let text = read(&all).unwrap_err().to_string();
        assert!(text.contains(expected), "{name}: {text}");
    }
    let text = read(&[("WEIR_SERVICES_TLS_PORT", "8531")]).unwrap_err().to_string();
    assert!(text.contains("TLS needs WEIR_TLS_CERTIFICATE"), "{text}");
}

#[test]
fn s184_tls_can_be_required_where_somebody_speaks_it() {
    let required = ("WEIR_REQUIRE_TLS", "true");
    let text = read(&[required]).unwrap_err().to_string();
    assert!(text.contains("WEIR_REQUIRE_TLS: nobody could speak TLS with this server"), "{text}");
    assert!(read(&[required, ("WEIR_TRUSTED_PROXIES", "127.0.0.1")]).unwrap().listeners.require_tls);
    let pair = [("WEIR_TLS_CERTIFICATE", "/x/cert.pem"), ("WEIR_TLS_KEY", "/x/key.pem")];
    assert!(read(&[required, pair[0], pair[1]]).unwrap().listeners.require_tls);
    assert!(!read(&pair).unwrap().listeners.require_tls, "off unless told");
}

#[test]
fn proxies_hosts_and_the_base_path_are_read_or_refused_by_name() {
    let config = read(&[
        ("WEIR_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,::1"),
        ("WEIR_HOSTS", "Weir.corp.example, *.lab.example, 10.0.0.5, 2001:db8::5"),
        ("WEIR_BASE_PATH", "/tools/weir/"),
    ]);
    let listeners = config.unwrap().listeners;
    assert_eq!(listeners.trusted_proxies.len(), 3);
    assert_eq!(listeners.hosts[0], "weir.corp.example");
    assert_eq!(listeners.base_path, "/tools/weir");
    assert_eq!(read(&[("WEIR_BASE_PATH", "/")]).unwrap().listeners.base_path, "");
    for (name, value) in [
        ("WEIR_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("WEIR_TRUSTED_PROXIES", "10.0.0.0/40"),
        ("WEIR_TRUSTED_PROXIES", "proxy.example"),
        ("WEIR_HOSTS", "http://weir.example"),
        ("WEIR_BASE_PATH", "weir"),
        ("WEIR_BASE_PATH", "//weir"),
        ("WEIR_BASE_PATH", "/a/../b"),
        ("WEIR_BASE_PATH", "/we\"ir"),
    ] {
        let text = read(&[(name, value)]).unwrap_err().to_string();
        assert!(text.contains(&format!("\n  {name}: ")), "{name}={value}: {text}");
    }
}

#[test]
fn both_doors_cannot_be_one() {
    let text = read(&[("WEIR_SERVICES_PORT", "8540")]).unwrap_err().to_string();
    assert!(text.contains("taken by the console"), "{text}");
}

#[test]
fn a_database_address_is_never_shown() {
    let config = read(&[("DATABASE_URL", "postgres://weir:planted-secret@db/weir")]).unwrap();
    assert!(!format!("{config:?}").contains("planted-secret"));
}
