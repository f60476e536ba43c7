//! Update Files and Languages as they hold now: the saved choice, or what the upstream server of a replica has told.

use std::collections::BTreeSet;

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Jsonb, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::SettingsError;
use super::options::{Files, Languages};
use super::store::{file_store, unreadable};
use crate::db::Keep;

/// The short name that stands for all languages, new ones included.
const ALL: &str = "all";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    store: String,
    #[diesel(sql_type = Bool)]
    deferred: bool,
    #[diesel(sql_type = Bool)]
    express: bool,
    #[diesel(sql_type = Bool)]
    from_microsoft: bool,
    #[diesel(sql_type = Text)]
    languages: String,
    /// What the upstream server of a replica has told; `None`: not a replica, or it has told nothing yet.
    #[diesel(sql_type = Nullable<Jsonb>)]
    facts: Option<Value>,
}

/// The choice that holds now, and whether it comes from the upstream server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesInForce {
    pub files: Files,
    pub is_inherited: bool,
}

/// Reads it in one statement.
///
/// # Errors
/// [`SettingsError::Unreadable`] for a stored value of a newer program, else the database's.
pub async fn files_in_force(conn: &mut AsyncPgConnection) -> Result<FilesInForce, SettingsError> {
    let row: Row = diesel::sql_query(
        "SELECT f.*, o.files_from_microsoft AND NOT o.replica AS from_microsoft
         FROM files_in_force f CROSS JOIN sync_options o",
    )
    .kept()
    .get_result(conn)
    .await?;
    let languages = match &row.facts {
        Some(facts) => told_languages(facts),
        None => Languages::from_text(&row.languages)
            .ok_or_else(|| unreadable("files.languages", &row.languages))?,
    };
    let files = Files {
        store: file_store(&row.store)?,
        deferred: row.deferred,
        express: row.express,
        from_microsoft: row.from_microsoft,
        languages,
    };
    Ok(FilesInForce { files, is_inherited: row.facts.is_some() })
}

/// The short names of the languages a source gives out, as its facts say; empty when it has not told. With the entry
/// for all languages on, the others do not count.
#[must_use]
pub fn enabled_languages(facts: &Value) -> BTreeSet<String> {
    let all = facts.get("languages").and_then(Value::as_object);
    let entries = || all.into_iter().flat_map(|all| all.values());
    let short = |entry: &Value| entry["short"].as_str().map(str::to_owned);
    let gives_all = entries().any(|entry| entry["short"] == ALL && entry["enabled"] == true);
    let given = entries().filter(|entry| gives_all || entry["enabled"] == true);
    given.filter_map(short).filter(|name| name != ALL).collect()
}

fn told_languages(facts: &Value) -> Languages {
    let gives_all = facts["languages"]
        .as_object()
        .is_some_and(|all| all.values().any(|entry| entry["short"] == ALL && entry["enabled"] == true));
    match enabled_languages(facts) {
        names if gives_all || names.is_empty() => Languages::All,
        names => Languages::Only(names),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(all: bool) -> Value {
        json!({ "languages": { "0": { "short": "all", "enabled": all }, "1031": { "short": "de", "enabled": false },
                               "1033": { "short": "en", "enabled": true } } })
    }

    #[test]
    fn the_entry_for_all_languages_outweighs_the_others() {
        assert_eq!(enabled_languages(&facts(true)).into_iter().collect::<Vec<_>>(), ["de", "en"]);
        assert_eq!(told_languages(&facts(true)), Languages::All);
    }

    #[test]
    fn without_it_the_enabled_ones_count() {
        assert_eq!(told_languages(&facts(false)), Languages::Only(BTreeSet::from(["en".to_owned()])));
        assert_eq!(told_languages(&json!({})), Languages::All, "not told");
    }
}
