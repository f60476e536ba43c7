//! What can be chosen before the first synchronization: the Windows products and the usual
//! classifications. Titles and membership come from the source as soon as it has told them.
//!
//! Source of the ids: public lists of WSUS categories; only defaults hang on them.

use uuid::{Uuid, uuid};

use super::tree::{CategoryTree, Node, NodeKind};

/// The product family Windows, ticked in a new installation.
pub const WINDOWS: Uuid = uuid!("6964aab4-c5b5-43bd-a17d-ffb4346a8e1d");
/// The company above it.
pub const MICROSOFT: Uuid = uuid!("56309036-4c77-4dd9-951a-99ee9c246a94");

const CLASSIFICATIONS: [(&str, Uuid); 10] = [
    ("Critical Updates", uuid!("e6cf1350-c01b-414d-a61f-263d14d133b4")),
    ("Definition Updates", uuid!("e0789628-ce08-4437-be74-2495b842f43b")),
    ("Drivers", uuid!("ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0")),
    ("Feature Packs", uuid!("b54e7d24-7add-428f-8b75-90a396fa584f")),
    ("Security Updates", uuid!("0fa1201d-4330-4fa8-8ae9-b877473b6441")),
    ("Service Packs", uuid!("68c5b0a3-d1a6-4553-ae49-01d3a7827828")),
    ("Tools", uuid!("b4832bd8-e735-4761-8daf-37f882276dab")),
    ("Update Rollups", uuid!("28bc880e-0592-4cbf-8f95-c79b17911d5f")),
    ("Updates", uuid!("cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83")),
    ("Upgrades", uuid!("3689bdc8-b205-4af4-8d4a-a63924c5e9d5")),
];

const WINDOWS_PRODUCTS: [(&str, Uuid); 21] = [
    ("Windows 11", uuid!("72e7624a-5b00-45d2-b92f-e561c0a6a160")),
    ("Windows 10", uuid!("a3c2375d-0c8a-42f9-bce0-28333e198407")),
    ("Windows 10, version 1903 and later", uuid!("b3c75dc1-155f-4be4-b015-3f1a91758e52")),
    ("Windows 10 LTSB", uuid!("d2085b71-5f1f-43a9-880d-ed159016d5c6")),
    ("Windows 8.1", uuid!("6407468e-edc7-4ecd-8c32-521f64cee65e")),
    ("Windows 8", uuid!("2ee2ad83-828c-4405-9479-544d767993fc")),
    ("Windows 7", uuid!("bfe5b177-a086-47a0-b102-097e4fa1f807")),
    ("Windows Vista", uuid!("26997d30-08ce-4f25-b2de-699c36a8033a")),
    ("Windows XP", uuid!("558f4bc3-4827-49e1-accf-ea79fd72d4c9")),
    ("Windows 2000", uuid!("3b4b8621-726e-43a6-b43b-37d07ec7019f")),
    ("Windows Server 2003", uuid!("dbf57a08-0d5a-46ff-b30c-7715eb9498e9")),
    ("Windows Server 2008", uuid!("ba0ae9cc-5f01-40b4-ac3f-50192b5d6aaf")),
    ("Windows Server 2008 R2", uuid!("fdfe8200-9d98-44ba-a12a-772282bf60ef")),
    ("Windows Server 2012", uuid!("a105a108-7c9b-4518-bbbe-73f0fe30012b")),
    ("Windows Server 2012 R2", uuid!("d31bd4c3-d872-41c9-a2e7-231f372588cb")),
    ("Windows Server 2016", uuid!("569e8e8f-c6cd-42c8-92a3-efbb20a0f6f5")),
    ("Windows Server 2019", uuid!("f702a48c-919b-45d6-9aef-ca4248d50397")),
    ("Microsoft Server operating system-21H2", uuid!("71718f13-7324-4b0f-8f9e-2ca9dc978e53")),
    ("Microsoft Server Operating System-22H2", uuid!("2c7888b6-f9e9-4ee9-87af-a77705193893")),
    ("Microsoft Server Operating System-23H2", uuid!("607efb8d-feed-48a0-930e-14d0cf2da71f")),
    ("Microsoft Server Operating System-24H2", uuid!("b256987d-4693-4c87-955d-dbb9341205eb")),
];

/// The built-in categories, to be put behind what the catalogue knows.
///
/// Windows and its products are left out once the catalogue has the Windows family: then its source
/// says what belongs to it. Classifications likewise, once the catalogue has any.
pub fn nodes(known: &[Node]) -> Vec<Node> {
    let mut nodes = Vec::new();
    if !known.iter().any(|node| node.id == WINDOWS) {
        nodes.push(node("Windows", WINDOWS, NodeKind::Family, None));
        let products = WINDOWS_PRODUCTS.iter();
        nodes.extend(products.map(|(title, id)| node(title, *id, NodeKind::Product, Some(WINDOWS))));
    }
    if !known.iter().any(|node| node.kind == NodeKind::Classification) {
        let classifications = CLASSIFICATIONS.iter();
        nodes.extend(classifications.map(|(title, id)| node(title, *id, NodeKind::Classification, None)));
    }
    nodes
}

/// Is this the built-in Windows family or a product of it, standing in for what no source has told?
#[must_use]
pub fn is_stand_in(tree: &CategoryTree, id: Uuid) -> bool {
    // The real family is filed under a company.
    let stands_in = tree.get(WINDOWS).is_some_and(|node| node.parents.is_empty());
    stands_in && (id == WINDOWS || WINDOWS_PRODUCTS.iter().any(|(_, one)| *one == id))
}

fn node(title: &str, id: Uuid, kind: NodeKind, parent: Option<Uuid>) -> Node {
    Node {
        id,
        title: title.to_owned(),
        kind,
        parents: parent.into_iter().collect(),
        updates: 0,
        is_new: false,
    }
}
