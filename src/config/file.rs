//! `weir.toml`: one flat table with the names of the environment, in small letters and without `WEIR_`.

use super::ConfigFault;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Every key, with the environment variable that wins over it.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("data_dir", "WEIR_DATA_DIR"),
    ("content_dir", "WEIR_CONTENT_DIR"),
    ("content_url", "WEIR_CONTENT_URL"),
    ("console_address", "WEIR_CONSOLE_ADDRESS"),
    ("console_port", "WEIR_CONSOLE_PORT"),
    ("console_insecure", "WEIR_CONSOLE_INSECURE"),
    ("require_tls", "WEIR_REQUIRE_TLS"),
    ("services_address", "WEIR_SERVICES_ADDRESS"),
    ("services_port", "WEIR_SERVICES_PORT"),
    ("services_tls_port", "WEIR_SERVICES_TLS_PORT"),
    ("tls_certificate", "WEIR_TLS_CERTIFICATE"),
    ("tls_key", "WEIR_TLS_KEY"),
    ("hosts", "WEIR_HOSTS"),
    ("trusted_proxies", "WEIR_TRUSTED_PROXIES"),
    ("base_path", "WEIR_BASE_PATH"),
    ("database_url", "DATABASE_URL"),
    ("microsoft_update_url", "WEIR_MICROSOFT_UPDATE_URL"),
    ("microsoft_update_ca", "WEIR_MICROSOFT_UPDATE_CA"),
    ("content_hosts", "WEIR_CONTENT_HOSTS"),
    ("secret_key_file", "WEIR_SECRET_KEY_FILE"),
    ("roles", "WEIR_ROLES"),
    ("log", "WEIR_LOG"),
];

const SIZE_BYTES_MAX: u64 = 65_536;

/// The file's values as text, lists joined by a comma. A file that is not there is empty, unless
/// `required`.
pub(super) fn read(
    path: &Path,
    required: bool,
    faults: &mut Vec<ConfigFault>,
) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::new();
    let mut fault = |place: String, problem: String| faults.push(ConfigFault { place, problem });
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !required => return values,
        Err(error) => {
            fault(path.display().to_string(), format!("the file cannot be read: {error}"));
            return values;
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            fault(format!("{}, line {line}", path.display()), error.message().replace('\n', " "));
            return values;
        }
    };
    for (key, value) in table {
        let place = format!("{key} in {}", path.display());
        match (KEYS.iter().find(|(known, _)| *known == key), as_text(&value)) {
            (None, _) => fault(place, "there is no such key".into()),
            (Some(_), None) => {
                fault(place, "a text, number, true, false or list of texts belongs here".into())
            }
            (Some((known, _)), Some(text)) => {
                values.insert(*known, text);
            }
        }
    }
    values
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(SIZE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > SIZE_BYTES_MAX {
        return Err(std::io::Error::other(format!("it is larger than {SIZE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(list) => {
            list.iter().map(toml::Value::as_str).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        _ => None,
    }
}
