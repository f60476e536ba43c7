//! GetConfigData: limits, flags and languages of an upstream server. Source: MS-WSUSSS 3.1.4.4.

use super::Cookie;
use crate::protocol::ids::ConfigAnchor;

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetConfigData {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    /// The anchor of the last answer; `None` the first time.
    pub config_anchor: Option<ConfigAnchor>,
}

/// One language an upstream server can have files in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// Windows language number (LCID); 0 stands for all.
    pub id: i32,
    /// `en`, `zh-tw`; `all` for 0.
    pub short_name: String,
    pub long_name: String,
    pub enabled: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetConfigDataReply {
    /// True: there is no content service; files come from the addresses in GetUpdateData.
    pub catalog_only_sync: bool,
    /// True: a file is fetched upstream only when needed, so "not found" may mean "ask and come back".
    pub lazy_sync: bool,
    /// True: express installation files are kept upstream.
    pub server_hosts_psf_files: bool,
    /// 0: not supported.
    pub computer_ids_max: i32,
    /// 0: not supported.
    pub driver_sets_max: i32,
    /// 0: not supported.
    pub hardware_ids_max: i32,
    /// As sent; use [`GetConfigDataReply::batch_size`].
    pub updates_max: i32,
    pub new_config_anchor: ConfigAnchor,
    /// `None` on servers of the oldest generation.
    pub protocol_version: Option<String>,
    /// With an anchor only what changed since: an empty list says nothing about the languages there are.
    pub languages: Vec<Language>,
    pub decryption_updates_max: i32,
}

impl GetConfigDataReply {
    /// What real servers say, and what a missing or senseless limit is taken for.
    pub const UPDATES_MAX: i32 = 100;
    /// We never ask for more at once, whatever a server offers. Ours.
    pub const BATCH_SIZE_MAX: usize = 1_000;

    /// How many updates one GetUpdateData may ask for: 1 to [`Self::BATCH_SIZE_MAX`].
    pub fn batch_size(&self) -> usize {
        let said = if self.updates_max > 0 { self.updates_max } else { Self::UPDATES_MAX };
        usize::try_from(said).unwrap_or(1).min(Self::BATCH_SIZE_MAX)
    }
}
