//! The arrows of ARCHITECTURE.md: a module uses what stands below it, nothing beside or above.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rows of the map, lowest first. Modules of one row do not use each other.
const ROWS: &[&[&str]] = &[
    &["protocol", "listen", "config", "secret"],
    &["db"],
    &["jobs", "upstream"],
    &["accounts", "settings", "catalog", "content"],
    &["approvals"],
    &["sync", "sample", "reports"],
    &["web", "downstream"],
];

/// May use everything, each other included.
const TOP: &[&str] = &["app", "cli"];

/// Arrows that point down and are refused all the same: the client of the update source has no database.
const REFUSED: &[(&str, &str)] = &[("upstream", "db")];

#[test]
fn every_arrow_points_down() {
    let mut wrong = BTreeSet::new();
    for file in source_files() {
        let Some(module) = module_of(&file) else { continue };
        let text = std::fs::read_to_string(&file).unwrap();
        for (line, used) in uses(&text) {
            if !allowed(&module, &used) {
                wrong.insert(format!("{}:{line}: {module} uses {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that do not point down:\n{}", Vec::from_iter(wrong).join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_map() {
    let missing: BTreeSet<String> = source_files()
        .iter()
        .filter_map(|file| module_of(file))
        .filter(|module| !TOP.contains(&module.as_str()) && row(module).is_none())
        .collect();
    assert!(missing.is_empty(), "modules without a row: {missing:?}");
}

#[test]
fn the_reader_sees_single_and_grouped_uses_and_inline_paths() {
    let text = "use crate::db::Pool;\nuse crate::{\n    web, sync::{runs, plan},\n};\nlet x = crate::jobs::now();\n// crate::cli is not used\n";
    let found: Vec<_> = uses(text).into_iter().map(|(_, name)| name).collect();
    assert_eq!(found, ["db", "web", "sync", "jobs"]);
}

fn allowed(module: &str, used: &str) -> bool {
    if module == used || TOP.contains(&module) {
        return true;
    }
    if REFUSED.contains(&(module, used)) {
        return false;
    }
    match (row(module), row(used)) {
        (Some(from), Some(to)) => to < from,
        // A name that is no module is an item of the crate's root, of which there is none.
        _ => false,
    }
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// `src/web/options/page.rs` and `src/web.rs` belong to `web`; the roots belong to nobody.
fn module_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(source_folder()).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(module, "lib" | "main")).then(|| module.to_owned())
}

/// The modules named after `crate::`, with their line numbers; comments are skipped.
fn uses(text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
    let joined = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in joined.match_indices("crate::") {
        if joined[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let line = 1 + joined[..at].matches('\n').count();
        let rest = &joined[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group).into_iter().map(|name| (line, name))),
            None => found.push((line, head(rest))),
        }
    }
    found
}

/// The first name of each entry of a group: `web, sync::{runs, plan}}` has `web` and `sync`.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut entry, mut heads) = (0, String::new(), Vec::new());
    for symbol in group.chars() {
        match symbol {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(std::mem::take(&mut entry)),
            _ if depth == 0 => entry.push(symbol),
            _ => {}
        }
    }
    heads.push(entry);
    heads.iter().map(|entry| head(entry.trim())).filter(|name| !name.is_empty()).collect()
}

fn head(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn source_files() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![source_folder()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
