//! The selection of the settings in the ids that a source knows now.

use std::collections::BTreeSet;

use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::plan::Selection;
use crate::settings::tree::{CategoryTree, Node, NodeKind, expand};
use crate::settings::{CategoryKind, Languages, SyncOptions, locale};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    update_id: Uuid,
    #[diesel(sql_type = Text)]
    title: String,
    #[diesel(sql_type = Text)]
    category_type: String,
    #[diesel(sql_type = Array<SqlUuid>)]
    parents: Vec<Uuid>,
}

/// The categories that are visible now, as a tree. Ids are looked up one by one: joined with, all ids of the catalogue up
/// to the last category's are read for each category.
async fn tree(conn: &mut AsyncPgConnection) -> QueryResult<CategoryTree> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT u.update_id, u.title, u.category_type,
                ARRAY(SELECT (SELECT i.update_id FROM update_ids i WHERE i.id = c.category_row)
                      FROM update_categories c WHERE c.update_row = u.update_row) AS parents
         FROM updates u WHERE u.kind >= 2 AND u.category_type IS NOT NULL",
    )
    .load(conn)
    .await?;
    Ok(CategoryTree::new(rows.into_iter().filter_map(|row| {
        let kind = NodeKind::from_category_type(&row.category_type)?;
        Some(Node {
            id: row.update_id,
            title: row.title,
            kind,
            parents: row.parents,
            updates: 0,
            is_new: false,
        })
    })))
}

/// What a replica takes: all products, and all classifications, that its upstream server has told it of.
fn everything(tree: &CategoryTree) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    let ids = |wanted: fn(NodeKind) -> bool| {
        tree.nodes().filter(move |node| wanted(node.kind)).map(|node| node.id).collect()
    };
    (ids(|kind| kind != NodeKind::Classification), ids(|kind| kind == NodeKind::Classification))
}

/// Expands what is ticked, or everything for a replica: a parent stands for the products below it that are known at this moment.
///
/// `facts` are the source's; its language list turns names into numbers.
pub(super) async fn expand_now(
    conn: &mut AsyncPgConnection,
    options: &SyncOptions,
    facts: &Value,
) -> QueryResult<Selection> {
    let tree = tree(conn).await?;
    let (products, classifications) = if options.replica {
        everything(&tree)
    } else {
        let ticked = options.selected(CategoryKind::Classification);
        (expand(&tree, &options.selections), ticked.map(|one| one.category_id).collect())
    };
    Ok(Selection {
        products,
        classifications,
        languages: match &options.files.languages {
            // What the upstream server of a replica gives out is decided there.
            _ if options.replica => Default::default(),
            Languages::Only(names) => super::facts::language_ids(facts, names),
            Languages::Locale => {
                super::facts::language_ids(facts, &BTreeSet::from([locale::short().to_owned()]))
            }
            Languages::All => Default::default(),
        },
    })
}
