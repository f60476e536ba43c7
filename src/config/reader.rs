//! Looks a value up, parses it and remembers what was wrong.

use super::file::{self, KEYS};
use super::{ConfigFault, ConfigFaults, Roles};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;
use url::Url;

/// Entries of one list.
const LIST_MAX: usize = 64;
/// Bytes of a path that a proxy puts before ours.
const BASE_BYTES_MAX: usize = 100;

pub(super) struct Reader<'a> {
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    file_path: PathBuf,
    file: BTreeMap<&'static str, String>,
    data_dir: PathBuf,
    faults: Vec<ConfigFault>,
}

impl<'a> Reader<'a> {
    /// The file is `WEIR_CONFIG`, which must exist then, or `weir.toml` in the data folder.
    pub fn open(environment: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        let mut faults = Vec::new();
        let given = environment("WEIR_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let from_environment =
            environment("WEIR_DATA_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file_path = given.clone().unwrap_or_else(|| {
            from_environment.clone().unwrap_or_else(|| PathBuf::from("data")).join("weir.toml")
        });
        let mut file = file::read(&file_path, given.is_some(), &mut faults);
        if given.is_none() && file.remove("data_dir").is_some() {
            faults.push(ConfigFault {
                place: format!("data_dir in {}", file_path.display()),
                problem: "the data folder cannot be named by a file inside it".into(),
            });
        }
        let data_dir = from_environment
            .or_else(|| file.get("data_dir").filter(|text| !text.is_empty()).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("data"));
        Self { environment, file_path, file, data_dir, faults }
    }

    /// The data folder, absolute.
    pub fn data_dir(&mut self) -> PathBuf {
        let data_dir = self.data_dir.clone();
        self.absolute("data_dir", &data_dir)
    }

    /// The value of a key; an empty one counts as not given.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let from_environment = match (self.environment)(variable(key)).map(OsString::into_string) {
            Some(Ok(text)) => Some(text),
            Some(Err(_)) => {
                self.fault(key, "it is not valid UTF-8".into());
                return None;
            }
            None => None,
        };
        let text = from_environment.or_else(|| self.file.get(key).cloned())?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let text = self.text(key)?;
        Some(self.absolute(key, Path::new(&text)))
    }

    pub fn existing_file(&mut self, key: &'static str) -> Option<PathBuf> {
        let path = self.path(key)?;
        if !path.is_file() {
            self.fault(key, format!("there is no file {}", path.display()));
        }
        Some(path)
    }

    pub fn address(&mut self, key: &'static str, default: IpAddr) -> IpAddr {
        self.parsed(key, default, "is not an IP address, such as 127.0.0.1 or ::1")
    }

    pub fn port(&mut self, key: &'static str, default: u16) -> u16 {
        let port = self.parsed(key, u32::from(default), "is not a port number, 1 to 65535");
        match u16::try_from(port) {
            Ok(port) if port > 0 => port,
            _ => {
                self.fault(key, format!("{port} is not a port number, 1 to 65535"));
                default
            }
        }
    }

    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.parsed(key, default, "is neither true nor false")
    }

    /// What the process does; everything when nothing is said.
    pub fn roles(&mut self, key: &'static str) -> Roles {
        self.parsed(key, Roles::ALL, "is not a list of console, services and worker, separated by commas")
    }

    pub fn url(&mut self, key: &'static str, default: &str) -> Url {
        let given = self.text(key);
        match Url::parse(given.as_deref().unwrap_or(default)) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            Ok(url) => {
                self.fault(key, "an http or https address belongs here".into());
                url
            }
            Err(error) => {
                self.fault(key, format!("it is not an address: {error}"));
                // Never used: `finish` reports the fault instead.
                Url::parse(super::Config::MICROSOFT_UPDATE_URL).unwrap_or_else(|_| unreachable!("a constant"))
            }
        }
    }

    /// Host names, separated by commas; a leading `*.` stands for every name below.
    pub fn hosts(&mut self, key: &'static str) -> Vec<String> {
        let Some(text) = self.text(key) else { return Vec::new() };
        let hosts: Vec<String> = text
            .split(',')
            .map(|host| host.trim().trim_end_matches('.').to_ascii_lowercase())
            .filter(|host| !host.is_empty())
            .collect();
        for host in &hosts {
            if !is_host(host.strip_prefix("*.").unwrap_or(host)) && host.parse::<IpAddr>().is_err() {
                self.fault(key, format!("{host:?} is not a host name"));
            }
        }
        if hosts.len() > LIST_MAX {
            self.fault(key, format!("at most {LIST_MAX} hosts may be named"));
        }
        hosts
    }

    /// Addresses and networks such as 10.0.0.0/8, separated by commas.
    pub fn networks(&mut self, key: &'static str) -> Vec<IpNet> {
        let Some(text) = self.text(key) else { return Vec::new() };
        let mut networks = Vec::new();
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            match one.parse::<IpNet>().ok().or_else(|| one.parse::<IpAddr>().ok().map(IpNet::from)) {
                Some(network) if network.prefix_len() == 0 => {
                    self.fault(key, format!("{one:?} would believe everybody"));
                }
                Some(network) => networks.push(network),
                None => self
                    .fault(key, format!("{one:?} is neither an address nor a network, such as 10.0.0.0/8")),
            }
        }
        if networks.len() > LIST_MAX {
            self.fault(key, format!("at most {LIST_MAX} addresses or networks may be named"));
        }
        networks
    }

    /// A path such as `/weir`, without the slash at its end; empty for none.
    pub fn base_path(&mut self, key: &'static str) -> String {
        let Some(text) = self.text(key) else { return String::new() };
        let base = text.trim_end_matches('/');
        let is_name = |name: &str| {
            !name.is_empty()
                && !matches!(name, "." | "..")
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        let is_path = base.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_name));
        if !(base.is_empty() || is_path) || base.len() > BASE_BYTES_MAX {
            self.fault(key, format!("{text:?} is not a path such as /weir"));
        }
        base.to_owned()
    }

    fn parsed<T: FromStr>(&mut self, key: &'static str, default: T, otherwise: &str) -> T {
        let Some(text) = self.text(key) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.fault(key, format!("{text:?} {otherwise}"));
            default
        })
    }

    fn absolute(&mut self, key: &'static str, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|error| {
            self.fault(key, format!("{} is not a usable path: {error}", path.display()));
            path.to_owned()
        })
    }

    /// Remembers a fault, naming the variable or the file the value came from.
    pub fn fault(&mut self, key: &'static str, problem: String) {
        let in_environment = (self.environment)(variable(key)).is_some() || !self.file.contains_key(key);
        let place = if in_environment {
            variable(key).to_owned()
        } else {
            format!("{key} in {}", self.file_path.display())
        };
        self.faults.push(ConfigFault { place, problem });
    }

    pub fn finish<T>(self, value: T) -> Result<T, ConfigFaults> {
        if self.faults.is_empty() { Ok(value) } else { Err(ConfigFaults(self.faults)) }
    }
}

fn variable(key: &'static str) -> &'static str {
    KEYS.iter().find(|(known, _)| *known == key).map_or(key, |(_, variable)| variable)
}

fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}
