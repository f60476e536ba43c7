//! `src/db/schema.rs` is written by hand in the order of names; it must say what the migrations made.

use crate::support::TestDatabase;
use std::collections::BTreeMap;
use std::path::Path;

/// Table name to its columns, each `name -> Type`, in order.
type Tables = BTreeMap<String, Vec<String>>;

#[tokio::test]
async fn the_schema_in_code_is_the_schema_in_the_database() {
    let (in_code, in_database) = (declared(), migrated().await);
    let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&in_code), names(&in_database));
    for (table, columns) in &in_code {
        assert_eq!(columns, &in_database[table], "table {table}");
    }
}

/// Reads the `diesel::table!` blocks.
fn declared() -> Tables {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/db/schema.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let mut tables = Tables::new();
    for block in text.split("diesel::table! {").skip(1) {
        let mut lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
        let name = lines.next().unwrap().split_whitespace().next().unwrap().to_owned();
        let columns = lines
            .take_while(|line| *line != "}")
            .filter(|line| line.contains("->"))
            .map(|line| line.trim_end_matches(',').to_owned())
            .collect();
        tables.insert(name, columns);
    }
    tables
}

async fn migrated() -> Tables {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let rows = client
        .query(
            "SELECT c.table_name::text, c.column_name::text, c.udt_name::text, c.is_nullable = 'YES'
             FROM information_schema.columns c
             JOIN information_schema.tables t USING (table_schema, table_name)
             WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
               AND c.table_name NOT LIKE '\\_\\_%'
             ORDER BY c.table_name, c.ordinal_position",
            &[],
        )
        .await
        .unwrap();
    let mut tables = Tables::new();
    for row in rows {
        let (column, kind): (String, String) = (row.get(1), row.get(2));
        let kind = diesel_type(&kind);
        let kind = if row.get(3) { format!("Nullable<{kind}>") } else { kind };
        tables.entry(row.get(0)).or_default().push(format!("{column} -> {kind}"));
    }
    tables
}

/// `int8` is `Int8`, `_uuid` is `Array<Uuid>`.
fn diesel_type(name: &str) -> String {
    if let Some(element) = name.strip_prefix('_') {
        return format!("Array<{}>", diesel_type(element));
    }
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}
