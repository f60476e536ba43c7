//! Revisions made for tests, and the short way to store and publish them.

use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use quick_xml::escape::escape;
use uuid::Uuid;
use weir::catalog::import::{Stored, store};
use weir::catalog::publish::{self, PublishCounts};
use weir::catalog::revision::{
    Encoding, ImportRevision, Relation, RelationKind, RevisionDetails, StoredDocument,
};
use weir::catalog::{CatalogError, Kind};
use weir::protocol::ids::RevisionKey;

use crate::support::TestDatabase;

/// The same id for the same number, in every test.
pub fn id(number: u32) -> Uuid {
    Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

pub fn day(number: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).unwrap() + chrono::Days::new(u64::from(number))
}

/// An update that can be approved and names nothing.
pub fn update(number: u32, revision: i32) -> ImportRevision {
    ImportRevision {
        key: RevisionKey { update_id: id(number), revision },
        kind: Kind::Software,
        approvable: true,
        expired: false,
        severity: 0,
        category_type: None,
        title: format!("Update {number}"),
        description: String::new(),
        kb: Vec::new(),
        bulletins: Vec::new(),
        created: day(number),
        details: RevisionDetails::default(),
        relations: Vec::new(),
        files: Vec::new(),
        stored: StoredDocument {
            encoding: Encoding::Text,
            body: Bytes::from(format!("<Update>{number} {revision}</Update>")),
        },
    }
}

/// A bundled child.
pub fn hidden(number: u32, revision: i32) -> ImportRevision {
    ImportRevision { approvable: false, ..update(number, revision) }
}

pub fn product(number: u32) -> ImportRevision {
    ImportRevision {
        kind: Kind::Category,
        category_type: Some("Product".to_owned()),
        title: format!("Product {number}"),
        ..hidden(number, 1)
    }
}

pub fn classification(number: u32) -> ImportRevision {
    ImportRevision {
        kind: Kind::Classification,
        category_type: Some("UpdateClassification".to_owned()),
        title: format!("Classification {number}"),
        ..hidden(number, 1)
    }
}

/// Adds links, each in a group of its own, and texts.
pub trait Linked {
    /// Its document has these titles and descriptions: language, title, description.
    fn says(self, texts: &[(&str, &str, &str)]) -> Self;
    fn member_of(self, numbers: &[u32]) -> Self;
    fn needs(self, numbers: &[u32]) -> Self;
    fn supersedes(self, numbers: &[u32]) -> Self;
    fn bundles(self, numbers: &[u32]) -> Self;
    fn expired(self) -> Self;
}

impl Linked for ImportRevision {
    fn says(mut self, texts: &[(&str, &str, &str)]) -> Self {
        let text = |(language, title, description): &(&str, &str, &str)| {
            format!(
                "<LocalizedProperties><Language>{}</Language><Title>{}</Title><Description>{}</Description>\
                 </LocalizedProperties>",
                escape(*language),
                escape(*title),
                escape(*description)
            )
        };
        let RevisionKey { update_id, revision } = self.key;
        self.stored = StoredDocument::of_text(&format!(
            "<Update xmlns=\"http://schemas.microsoft.com/msus/2002/12/Update\">\
             <UpdateIdentity UpdateID=\"{update_id}\" RevisionNumber=\"{revision}\"/>\
             <Properties UpdateType=\"Software\" DefaultPropertiesLanguage=\"en\"/>\
             <LocalizedPropertiesCollection>{}</LocalizedPropertiesCollection></Update>",
            texts.iter().map(text).collect::<String>()
        ));
        self
    }
    fn member_of(self, numbers: &[u32]) -> Self {
        link(self, RelationKind::CategoryPrerequisite, numbers)
    }
    fn needs(self, numbers: &[u32]) -> Self {
        link(self, RelationKind::Prerequisite, numbers)
    }
    fn supersedes(self, numbers: &[u32]) -> Self {
        link(self, RelationKind::Supersedes, numbers)
    }
    fn bundles(self, numbers: &[u32]) -> Self {
        link(self, RelationKind::Bundles, numbers)
    }
    fn expired(mut self) -> Self {
        self.expired = true;
        self
    }
}

fn link(mut revision: ImportRevision, kind: RelationKind, numbers: &[u32]) -> ImportRevision {
    for number in numbers {
        revision.relations.push(Relation {
            kind,
            group: i16::try_from(revision.relations.len()).unwrap(),
            target: id(*number),
            target_revision: (kind == RelationKind::Bundles).then_some(1),
        });
    }
    revision
}

/// Stores without publishing.
pub async fn store_only(database: &TestDatabase, batch: &[ImportRevision]) -> Stored {
    let mut conn = database.conn().await;
    let publication = publish::open(&mut conn, None).await.unwrap();
    store(&mut database.client().await, publication, batch).await.unwrap()
}

pub async fn publish_now(conn: &mut AsyncPgConnection) -> PublishCounts {
    let publication = publish::open(conn, None).await.unwrap();
    conn.transaction::<_, CatalogError, _>(async |conn| {
        publish::publish(conn, publication, publish::Scope::Everything).await
    })
    .await
    .unwrap()
}

/// Stores and publishes.
pub async fn bring(database: &TestDatabase, batch: &[ImportRevision]) -> PublishCounts {
    let stored = store_only(database, batch).await;
    assert_eq!(stored.refused, []);
    publish_now(&mut *database.conn().await).await
}

/// (new, revised, expired, revisions)
pub fn figures(counts: PublishCounts) -> (i64, i64, i64, i64) {
    (counts.new, counts.revised, counts.expired, counts.revisions)
}
