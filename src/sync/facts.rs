//! What a source says about itself, kept between runs as JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::protocol::server_sync::GetConfigDataReply;

/// The facts after `reply`; languages that it does not mention stay as they were.
pub(super) fn merge(old: &Value, reply: &GetConfigDataReply) -> Value {
    let mut languages = old.get("languages").and_then(Value::as_object).cloned().unwrap_or_default();
    for language in &reply.languages {
        let entry = json!({ "short": language.short_name.to_lowercase(), "enabled": language.enabled });
        languages.insert(language.id.to_string(), entry);
    }
    json!({
        "catalog_only": reply.catalog_only_sync,
        "lazy": reply.lazy_sync,
        "hosts_express": reply.server_hosts_psf_files,
        "updates_max": reply.updates_max,
        "protocol_version": reply.protocol_version,
        "languages": languages,
    })
}

/// The numbers of languages by their short names; unknown names are passed over.
pub(super) fn language_ids(facts: &Value, names: &BTreeSet<String>) -> BTreeSet<i32> {
    let Some(languages) = facts.get("languages").and_then(Value::as_object) else { return BTreeSet::new() };
    let short = |entry: &Value| entry.get("short").and_then(Value::as_str).map(str::to_owned);
    languages
        .iter()
        .filter(|(_, entry)| short(entry).is_some_and(|name| names.contains(&name)))
        .filter_map(|(id, _)| id.parse().ok())
        .collect()
}
