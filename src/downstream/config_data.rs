//! GetConfigData: our limits, flags and languages.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::languages::LANGUAGES;
use super::update_data::UPDATES_MAX;
use super::{Refusal, Services, anchor};
use crate::db::schema::sync_options::dsl;
use crate::protocol::ids::ConfigAnchor;
use crate::protocol::server_sync::{GetConfigData, GetConfigDataReply, Language};
use crate::protocol::version::ProtocolVersion;
use crate::settings::{self, FileStore, FilesInForce, Languages, locale};

/// The answer. The languages come with the first one, and again after the options were saved.
///
/// # Errors
/// InvalidParameters for an anchor that is none.
pub async fn config_data(services: &Services, request: GetConfigData) -> Result<GetConfigDataReply, Refusal> {
    let known_until = match &request.config_anchor {
        None => None,
        Some(text) => Some(anchor::read(text.as_str()).ok_or_else(|| Refusal::parameter("configAnchor"))?),
    };
    let mut conn = services.borrow().await?;
    let FilesInForce { files, .. } = settings::files_in_force(&mut conn).await.map_err(Refusal::internal)?;
    let saved_at: DateTime<Utc> = dsl::sync_options.select(dsl::saved_at).first(&mut conn).await?;
    let knows_languages = known_until.is_some_and(|until| saved_at.timestamp_millis() < until);
    let limit = i32::try_from(UPDATES_MAX).unwrap_or(GetConfigDataReply::UPDATES_MAX);
    Ok(GetConfigDataReply {
        catalog_only_sync: files.store == FileStore::Source,
        lazy_sync: files.deferred,
        server_hosts_psf_files: files.express,
        computer_ids_max: 0,
        driver_sets_max: 0,
        hardware_ids_max: 0,
        updates_max: limit,
        new_config_anchor: ConfigAnchor::parse(anchor::write(Utc::now().timestamp_millis()))
            .map_err(Refusal::internal)?,
        protocol_version: Some(ProtocolVersion::OURS.to_string()),
        languages: if knows_languages { Vec::new() } else { languages(&files.languages) },
        decryption_updates_max: limit,
    })
}

/// All languages at once, those chosen here switched on; entry 0 stands for all.
fn languages(chosen: &Languages) -> Vec<Language> {
    let is_on = |id: i32, short: &str| match chosen {
        Languages::All => id == 0,
        Languages::Locale => short == locale::short(),
        Languages::Only(names) => names.contains(short),
    };
    let language = |(id, short, long): &(i32, &str, &str)| Language {
        id: *id,
        short_name: (*short).to_owned(),
        long_name: (*long).to_owned(),
        enabled: is_on(*id, short),
    };
    LANGUAGES.iter().map(language).collect()
}
