//! GetConfigData: our limits, flags and languages.

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::languages::LANGUAGES;
use super::update_data::UPDATES_MAX;
use super::{Refusal, Services, anchor};
use crate::db::schema::sync_options::dsl;
use crate::protocol::ids::ConfigAnchor;
use crate::protocol::server_sync::{GetConfigData, GetConfigDataReply, Language};
use crate::protocol::version::ProtocolVersion;

/// The answer. The languages come with the first one only, since they never change.
///
/// # Errors
/// InvalidParameters for an anchor that is none.
pub async fn config_data(services: &Services, request: GetConfigData) -> Result<GetConfigDataReply, Refusal> {
    let incremental = match &request.config_anchor {
        None => false,
        Some(text) => {
            anchor::read(text.as_str()).ok_or_else(|| Refusal::parameter("configAnchor"))?;
            true
        }
    };
    let mut conn = services.pool.get().await?;
    let (store, deferred, express): (String, bool, bool) = dsl::sync_options
        .select((dsl::files_store, dsl::files_deferred, dsl::files_express))
        .first(&mut conn)
        .await?;
    let limit = i32::try_from(UPDATES_MAX).unwrap_or(GetConfigDataReply::UPDATES_MAX);
    Ok(GetConfigDataReply {
        catalog_only_sync: store == "source",
        lazy_sync: deferred,
        server_hosts_psf_files: express,
        computer_ids_max: 0,
        driver_sets_max: 0,
        hardware_ids_max: 0,
        updates_max: limit,
        new_config_anchor: ConfigAnchor::parse(anchor::write(Utc::now().timestamp_millis()))
            .map_err(Refusal::internal)?,
        protocol_version: Some(ProtocolVersion::OURS.to_string()),
        languages: if incremental { Vec::new() } else { languages() },
        decryption_updates_max: limit,
    })
}

/// All languages at once: entry 0 stands for all and is the one that is on.
fn languages() -> Vec<Language> {
    let language = |(id, short, long): &(i32, &str, &str)| Language {
        id: *id,
        short_name: (*short).to_owned(),
        long_name: (*long).to_owned(),
        enabled: *id == 0,
    };
    LANGUAGES.iter().map(language).collect()
}
