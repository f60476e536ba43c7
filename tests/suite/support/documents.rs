//! Small update documents, made by hand so that tests know every fact in them.

use uuid::Uuid;
use weir::protocol::cabinet::encode_mszip;
use weir::protocol::ids::RevisionKey;
use weir::protocol::server_sync::UpdateBlob;

use super::lzx;

/// One revision of a scripted catalogue.
#[derive(Debug, Clone)]
pub struct Doc {
    pub key: RevisionKey,
    kind: &'static str,
    /// `ProductFamily`, `Product`, `UpdateClassification`, or empty.
    category_type: &'static str,
    pub title: String,
    pub products: Vec<Uuid>,
    pub classifications: Vec<Uuid>,
    /// What it consists of: of each group one is enough.
    pub bundles: Vec<Vec<RevisionKey>>,
    expired: bool,
    /// In place of the document.
    text: Option<String>,
}

pub const FAMILY: Uuid = Uuid::from_u128(0xf1);
pub const PRODUCT: Uuid = Uuid::from_u128(0xd1);
pub const OTHER_PRODUCT: Uuid = Uuid::from_u128(0xd2);
/// The real id of Security Updates.
pub const SECURITY: Uuid = Uuid::from_u128(0x0fa1_201d_4330_4fa8_8ae9_b877_473b_6441);
/// The real id of Critical Updates.
pub const CRITICAL: Uuid = Uuid::from_u128(0xe6cf_1350_c01b_414d_a61f_263d_14d1_33b4);

/// A family of two products, and a classification.
pub fn categories() -> Vec<Doc> {
    vec![
        Doc::category(FAMILY, "ProductFamily", "Example Family", None),
        Doc::category(PRODUCT, "Product", "Example OS 1", Some(FAMILY)),
        Doc::category(OTHER_PRODUCT, "Product", "Example OS 2", Some(FAMILY)),
        Doc::category(SECURITY, "UpdateClassification", "Security Updates", None),
    ]
}

/// `count` updates of `product`, numbered from `first`.
pub fn updates(product: Uuid, first: u128, count: u128) -> Vec<Doc> {
    (first..first + count).map(|number| Doc::update(product, number, 100)).collect()
}

impl Doc {
    pub fn category(id: Uuid, category_type: &'static str, title: &str, parent: Option<Uuid>) -> Self {
        Self {
            key: RevisionKey { update_id: id, revision: 1 },
            kind: "Category",
            category_type,
            title: title.to_owned(),
            products: parent.into_iter().collect(),
            classifications: Vec::new(),
            bundles: Vec::new(),
            expired: false,
            text: None,
        }
    }

    pub fn update(product: Uuid, number: u128, revision: i32) -> Self {
        Self {
            key: RevisionKey { update_id: Uuid::from_u128(0xb000_0000 + number), revision },
            kind: "Software",
            category_type: "",
            title: format!("Example Update {number} (KB{})", 5_000_000 + number),
            products: vec![product],
            classifications: vec![SECURITY],
            bundles: Vec::new(),
            expired: false,
            text: None,
        }
    }

    /// A part of bundles, which says nothing of products and classifications and cannot be approved.
    pub fn part(number: u128, revision: i32) -> Self {
        let update = Self::update(PRODUCT, number, revision);
        Self { products: Vec::new(), classifications: Vec::new(), ..update }
    }

    /// Consists of these groups, of each of which one is enough.
    pub fn bundling(mut self, groups: Vec<Vec<RevisionKey>>) -> Self {
        self.bundles = groups;
        self
    }

    pub fn is_part(&self) -> bool {
        !self.is_category() && self.products.is_empty()
    }

    /// Is it a bundle with this in it?
    pub fn names(&self, key: RevisionKey) -> bool {
        self.bundles.iter().flatten().any(|part| *part == key)
    }

    pub fn expired(mut self) -> Self {
        self.expired = true;
        self
    }

    /// Sends this text in place of the document.
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    pub fn is_expired(&self) -> bool {
        self.expired
    }

    /// Of this classification in place of Security Updates.
    pub fn classified(mut self, classification: Uuid) -> Self {
        self.classifications = vec![classification];
        self
    }

    pub fn is_category(&self) -> bool {
        self.kind != "Software"
    }

    /// Odd ones come compressed: as from real servers, and as from ours.
    pub fn blob(&self) -> UpdateBlob {
        let Some(text) = &self.text else {
            let text = self.xml();
            return match self.key.update_id.as_u128() % 4 {
                1 => UpdateBlob::Compressed(lzx::cabinet(&text, lzx::REAL_WINDOW)),
                3 => UpdateBlob::Compressed(encode_mszip(&text).unwrap()),
                _ => UpdateBlob::Text(text),
            };
        };
        UpdateBlob::Text(text.clone())
    }

    /// The document as text.
    pub fn xml(&self) -> String {
        let RevisionKey { update_id, revision } = self.key;
        let Self { kind, title, category_type, .. } = self;
        let state = if self.expired { "Expired" } else { "Published" };
        let deployable = if self.is_category() || self.is_part() { "false" } else { "true" };
        let groups: String = self
            .products
            .iter()
            .chain(&self.classifications)
            .map(|id| {
                format!(
                    "<upd:AtLeastOne IsCategory=\"true\"><upd:UpdateIdentity UpdateID=\"{id}\"/></upd:AtLeastOne>"
                )
            })
            .collect();
        let inside = |name: &str, text: String| match text.as_str() {
            "" => String::new(),
            text => format!("<upd:{name}>{text}</upd:{name}>"),
        };
        let bundled: String = self.bundles.iter().map(|group| bundled(group)).collect();
        let groups = inside("Prerequisites", groups) + &inside("BundledUpdates", bundled);
        let relations = inside("Relationships", groups);
        let handler = match *category_type {
            "" => String::new(),
            kind => format!(
                "<upd:HandlerSpecificData xsi:type=\"cat:Category\" \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><cat:CategoryInformation \
                 CategoryType=\"{kind}\" ProhibitsSubcategories=\"false\"/></upd:HandlerSpecificData>"
            ),
        };
        format!(
            "<upd:Update xmlns:upd=\"http://schemas.microsoft.com/msus/2002/12/Update\" \
             xmlns:cat=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\">\
             <upd:UpdateIdentity UpdateID=\"{update_id}\" RevisionNumber=\"{revision}\"/>\
             <upd:Properties DefaultPropertiesLanguage=\"en\" UpdateType=\"{kind}\" \
             ExplicitlyDeployable=\"{deployable}\" IsPublic=\"true\" PublicationState=\"{state}\" \
             CreationDate=\"2026-02-10T18:00:00.000Z\"/>\
             <upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Language>en</upd:Language>\
             <upd:Title>{title}</upd:Title></upd:LocalizedProperties></upd:LocalizedPropertiesCollection>\
             {relations}{handler}</upd:Update>"
        )
    }
}

fn bundled(group: &[RevisionKey]) -> String {
    let one = |key: &RevisionKey| {
        format!("<upd:UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"{}\"/>", key.update_id, key.revision)
    };
    match group {
        [single] => one(single),
        several => {
            format!("<upd:AtLeastOne>{}</upd:AtLeastOne>", several.iter().map(one).collect::<String>())
        }
    }
}
