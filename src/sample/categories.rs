//! The tree of categories: companies, families, products, classifications, detectoids.
//!
//! The ids and names are the well-known ones; the tree has what real ones have: products directly below a company,
//! a product below a product, equal titles under two ids, and categories that do not say what they are.

use chrono::DateTime;
use uuid::{Uuid, uuid};

use super::SampleRevision;
use super::random::id;
use super::xml::{Draft, Group, Text};
use crate::protocol::document::UpdateKind;
use crate::protocol::ids::RevisionKey;

pub const MICROSOFT: Uuid = uuid!("56309036-4c77-4dd9-951a-99ee9c246a94");
pub const LOCAL_PUBLISHER: Uuid = uuid!("7c40e8c2-01ae-47f5-9af2-6e75a0582518");
pub const WINDOWS_11: Uuid = uuid!("72e7624a-5b00-45d2-b92f-e561c0a6a160");
pub const WINDOWS: Uuid = uuid!("6964aab4-c5b5-43bd-a17d-ffb4346a8e1d");
pub const OFFICE: Uuid = uuid!("477b856e-65c4-4473-b621-a8b230bb70d9");
pub const SQL_SERVER: Uuid = uuid!("0a4c6c73-8887-4d7f-9cbe-d08fa8fa9d1e");
pub const EXCHANGE: Uuid = uuid!("352f9494-d516-4b40-a21a-cd2416098982");
pub const DEVELOPER_TOOLS: Uuid = uuid!("48ce8c86-6850-4f68-8e9d-7dc8535ced60");
pub const SILVERLIGHT: Uuid = uuid!("fe729f7e-3945-11dc-8e0c-cd1356d89593");
pub const X64: Uuid = uuid!("59653007-e2e9-4f71-8525-2ff588527978");
pub const X86: Uuid = uuid!("3e0afb10-a9fb-4c16-a60e-5790c3803437");

pub const CRITICAL: Uuid = CLASSIFICATIONS[0].1;
pub const SECURITY: Uuid = CLASSIFICATIONS[1].1;
pub const DEFINITIONS: Uuid = CLASSIFICATIONS[2].1;
pub const ROLLUPS: Uuid = CLASSIFICATIONS[3].1;
pub const UPDATES: Uuid = CLASSIFICATIONS[4].1;
pub const FEATURE_PACKS: Uuid = CLASSIFICATIONS[6].1;
pub const TOOLS: Uuid = CLASSIFICATIONS[7].1;
pub const UPGRADES: Uuid = CLASSIFICATIONS[12].1;
pub const DRIVERS: Uuid = CLASSIFICATIONS[13].1;

/// Detectoids and categories without a type that are made up beside the well-known ones.
const MORE_DETECTOIDS: usize = 40;
const UNTYPED: usize = 6;
/// The seed of their ids: the same for every catalogue, as those of the others are.
const SEED: u64 = 1;
const CREATED_MS: i64 = 1_767_322_800_000;

/// A product of the tree, and how often updates are for it.
#[derive(Debug)]
pub struct Product {
    pub title: &'static str,
    pub id: Uuid,
    pub parent: Uuid,
    pub weight: usize,
}

const fn product(title: &'static str, id: Uuid, parent: Uuid, weight: usize) -> Product {
    Product { title, id, parent, weight }
}

const CLASSIFICATIONS: [(&str, Uuid); 16] = [
    ("Critical Updates", uuid!("e6cf1350-c01b-414d-a61f-263d14d133b4")),
    ("Security Updates", uuid!("0fa1201d-4330-4fa8-8ae9-b877473b6441")),
    ("Definition Updates", uuid!("e0789628-ce08-4437-be74-2495b842f43b")),
    ("Update Rollups", uuid!("28bc880e-0592-4cbf-8f95-c79b17911d5f")),
    ("Updates", uuid!("cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83")),
    ("Service Packs", uuid!("68c5b0a3-d1a6-4553-ae49-01d3a7827828")),
    ("Feature Packs", uuid!("b54e7d24-7add-428f-8b75-90a396fa584f")),
    ("Tools", uuid!("b4832bd8-e735-4761-8daf-37f882276dab")),
    ("Applications", uuid!("5c9376ab-8ce6-464a-b136-22113dd69801")),
    ("Connectors", uuid!("434de588-ed14-48f5-8eed-a15e09a991f6")),
    ("Developer Kits", uuid!("e140075d-8433-45c3-ad87-e72345b36078")),
    ("Guidance", uuid!("9511d615-35b2-47bb-927f-f73d8e9260bb")),
    ("Upgrades", uuid!("3689bdc8-b205-4af4-8d4a-a63924c5e9d5")),
    ("Drivers", uuid!("ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0")),
    ("Driver Sets", uuid!("77835c8d-62a7-41f5-82ad-f28d1af1e3b1")),
    ("WSUS Infrastructure Updates", uuid!("051f8713-e600-4bee-b7b7-690d43c78948")),
];

const FAMILIES: [(&str, Uuid); 6] = [
    ("Windows", WINDOWS),
    ("Office", OFFICE),
    ("SQL Server", SQL_SERVER),
    ("Exchange", EXCHANGE),
    ("Developer Tools, Runtimes, and Redistributables", DEVELOPER_TOOLS),
    ("Silverlight", SILVERLIGHT),
];

pub const PRODUCTS: [Product; 63] = [
    product("Windows 11", WINDOWS_11, WINDOWS, 14),
    product("Windows 10", uuid!("a3c2375d-0c8a-42f9-bce0-28333e198407"), WINDOWS, 8),
    product("Windows 10, 1903 and later", uuid!("b3c75dc1-155f-4be4-b015-3f1a91758e52"), WINDOWS, 10),
    product("Windows 10, 1903 and later", uuid!("8a3cbc4a-5334-40d4-a06e-6da96022ae3b"), WINDOWS, 1),
    product("Windows 10 LTSB", uuid!("d2085b71-5f1f-43a9-880d-ed159016d5c6"), WINDOWS, 1),
    product("Windows 8.1", uuid!("6407468e-edc7-4ecd-8c32-521f64cee65e"), WINDOWS, 1),
    product("Windows 8", uuid!("2ee2ad83-828c-4405-9479-544d767993fc"), WINDOWS, 1),
    product("Windows 7", uuid!("bfe5b177-a086-47a0-b102-097e4fa1f807"), WINDOWS, 1),
    product("Windows Vista", uuid!("26997d30-08ce-4f25-b2de-699c36a8033a"), WINDOWS, 1),
    product("Windows XP", uuid!("558f4bc3-4827-49e1-accf-ea79fd72d4c9"), WINDOWS, 1),
    product("Windows XP x64 Edition", uuid!("4cb6ebd5-e38a-4826-9f76-1416a6f563b0"), WINDOWS, 1),
    product("Windows 2000", uuid!("3b4b8621-726e-43a6-b43b-37d07ec7019f"), WINDOWS, 1),
    product("Windows Server 2003", uuid!("dbf57a08-0d5a-46ff-b30c-7715eb9498e9"), WINDOWS, 1),
    product("Windows Server 2003, Datacenter", uuid!("7f44c2a7-bc36-470b-be3b-c01b6dc5dd4e"), WINDOWS, 1),
    product("Windows Server 2008", uuid!("ba0ae9cc-5f01-40b4-ac3f-50192b5d6aaf"), WINDOWS, 1),
    product("Windows Server 2008 R2", uuid!("fdfe8200-9d98-44ba-a12a-772282bf60ef"), WINDOWS, 1),
    product("Windows Server 2012", uuid!("a105a108-7c9b-4518-bbbe-73f0fe30012b"), WINDOWS, 1),
    product("Windows Server 2012 R2", uuid!("d31bd4c3-d872-41c9-a2e7-231f372588cb"), WINDOWS, 1),
    product("Windows Server 2016", uuid!("569e8e8f-c6cd-42c8-92a3-efbb20a0f6f5"), WINDOWS, 6),
    product("Windows Server 2016", uuid!("e26d4a30-aba6-4616-a890-011970d93636"), WINDOWS, 1),
    product("Windows Server 2019", uuid!("f702a48c-919b-45d6-9aef-ca4248d50397"), WINDOWS, 7),
    product("Windows Server 2019", uuid!("6e56e6da-f22f-47c9-97b4-510153a06740"), WINDOWS, 1),
    product("Windows Server, 1903 and later", uuid!("21210d67-50bc-4254-a695-281765e10665"), WINDOWS, 1),
    product("Server operating system-21H2", uuid!("71718f13-7324-4b0f-8f9e-2ca9dc978e53"), WINDOWS, 8),
    product("Server Operating System-22H2", uuid!("2c7888b6-f9e9-4ee9-87af-a77705193893"), WINDOWS, 1),
    product("Server Operating System-23H2", uuid!("607efb8d-feed-48a0-930e-14d0cf2da71f"), WINDOWS, 1),
    product("Server Operating System-24H2", uuid!("b256987d-4693-4c87-955d-dbb9341205eb"), WINDOWS, 6),
    product("Windows Insider Pre-Release", uuid!("ca006cfb-49eb-439b-880a-1312e1fc9713"), WINDOWS, 1),
    product("Small Business Server 2003", uuid!("032e3af5-1ac5-4205-9ae5-461b4e8cd26d"), WINDOWS, 1),
    product("Small Business Server 2011 Std", uuid!("1556fc1d-f20e-4790-848e-90b7cdbedfda"), WINDOWS, 1),
    product("Microsoft Defender Antivirus", uuid!("8c3fcc84-7410-4a95-8b89-a166a0190486"), WINDOWS, 5),
    product("OOBE ZDP", uuid!("dd78b8a1-0b20-45c1-add6-4da72e9364cf"), WINDOWS, 1),
    product("Office 2003", uuid!("1403f223-a63f-f572-82ba-c92391218055"), OFFICE, 1),
    product("Office 2007", uuid!("041e4f9f-3a3d-4f58-8b2f-5e6fe95c4591"), OFFICE, 1),
    product("Office 2010", uuid!("84f5f325-30d7-41c4-81d1-87a0e6535b66"), OFFICE, 1),
    product("Office 2013", uuid!("704a0a4a-518f-4d69-9e03-10ba44198bd5"), OFFICE, 1),
    product("Office 2016", uuid!("25aed893-7c2d-4a31-ae22-28ff8ac150ed"), OFFICE, 4),
    product("Microsoft 365 Apps/Office 2019/LTSC", uuid!("30eb551c-6288-4716-9a78-f300ec36d72b"), OFFICE, 5),
    product("Microsoft Edge", uuid!("69010383-ff55-4227-bd6c-d91c26f2643b"), MICROSOFT, 1),
    product("Silverlight", uuid!("9f3dd20a-1004-470e-ba65-3dc62d982958"), SILVERLIGHT, 1),
    product("SQL Server 2005", uuid!("60916385-7546-4e9b-836e-79d65e517bab"), SQL_SERVER, 1),
    product("SQL Server 2012", uuid!("56750722-19b4-4449-a547-5b68f19eee38"), SQL_SERVER, 1),
    product("SQL Server 2016", uuid!("93f0b0bc-9c20-4ca5-b630-06eb4706a447"), SQL_SERVER, 1),
    product("SQL Server 2017", uuid!("ca6616aa-6310-4c2d-a6bf-cae700b85e86"), SQL_SERVER, 1),
    product("SQL Server 2019", uuid!("97b8b817-fce1-44e4-ac26-61127d4604c0"), SQL_SERVER, 3),
    product("SQL Server 2022", uuid!("aeefa997-63b8-4c01-b19c-c19e1081b4ce"), SQL_SERVER, 3),
    product("Exchange Server 2016", uuid!("49c3ddde-4df2-4534-980c-83f4e27b23b5"), EXCHANGE, 1),
    product("Exchange Server 2019", uuid!("f7fcd7d7-a163-4b27-970a-48bc02023df1"), EXCHANGE, 1),
    product("SharePoint Server 2019 / OOS", uuid!("6c5f2e66-7dbc-4c59-90a7-849c4c649d7a"), OFFICE, 1),
    product("SharePoint Subscription Edition", uuid!("bc0fee21-742f-4d06-8b37-4fd520873c74"), OFFICE, 1),
    product("Visual Studio 2022", uuid!("12c24e87-bd40-451b-9477-2c2bf501e0d7"), DEVELOPER_TOOLS, 3),
    product("Visual Studio 2019", uuid!("5f4177e2-ad09-4066-9050-b7466ad5b078"), DEVELOPER_TOOLS, 1),
    product(".NET 6.0", uuid!("3a8f2a23-211a-4969-9f10-50ee09f0a2db"), DEVELOPER_TOOLS, 1),
    product(".NET 8.0", uuid!("64ccdfc7-8e8c-4404-a572-a3daf7dff673"), DEVELOPER_TOOLS, 2),
    product("PowerShell - x64", uuid!("2ff883b0-b409-4328-ab13-ec77f5bdb864"), DEVELOPER_TOOLS, 1),
    product("Azure Stack HCI", uuid!("08db04e7-75f3-4c57-90ee-b6311de7f44b"), MICROSOFT, 1),
    product("Windows Admin Center", uuid!("b1b8f641-1ff2-4ae6-b247-4fe7503787be"), MICROSOFT, 1),
    product("Windows 10 and later drivers", uuid!("05eebf61-148b-43cf-80da-1c99ab0b8699"), WINDOWS, 9),
    product("Windows 11 Dynamic Update", uuid!("ab1852d6-15fd-4bf0-acd1-d276a5ea82fb"), WINDOWS_11, 1),
    product("Windows Safe OS Dynamic Update", uuid!("dd1aa213-54e7-4173-8456-b278964a26b6"), WINDOWS, 1),
    product("Windows 11 22H2+ Servicing Drivers", uuid!("7dd9959a-e808-477a-ab89-b2e3d3ed1f65"), WINDOWS, 6),
    product(
        "Windows 11 22H2+ Upgrade & Servicing Drivers",
        uuid!("bfeb1830-4b34-40d0-a2d7-8d6f994ddb58"),
        WINDOWS,
        1,
    ),
    product("Locally published packages", uuid!("5cc25303-143f-40f3-a2ff-803a1db69955"), LOCAL_PUBLISHER, 1),
];

/// The detectoid of one made-up number.
pub fn detectoid(number: usize) -> Uuid {
    id(SEED, "detectoid", number % MORE_DETECTOIDS)
}

/// All categories and detectoids.
pub fn all() -> impl Iterator<Item = SampleRevision> {
    let classifications = CLASSIFICATIONS
        .iter()
        .enumerate()
        .map(|(order, (title, id))| category(*id, title, Some("UpdateClassification"), None, order));
    let companies = [("Microsoft", MICROSOFT), ("Local Publisher", LOCAL_PUBLISHER)]
        .into_iter()
        .map(|(title, id)| category(id, title, Some("Company"), None, 0));
    let families = FAMILIES
        .iter()
        .enumerate()
        .map(|(order, (title, id))| category(*id, title, Some("ProductFamily"), Some(MICROSOFT), order));
    let products = PRODUCTS.iter().enumerate().map(|(order, product)| {
        category(product.id, product.title, Some("Product"), Some(product.parent), order)
    });
    let untyped = (0..UNTYPED).map(|number| {
        category(id(SEED, "untyped", number), &format!("Group {}", number + 1), None, Some(WINDOWS), number)
    });
    let known = [(X64, "x64-based systems", 9), (X86, "x86-based systems", 0)].into_iter().map(
        |(id, title, architecture)| {
            detectoid_revision(id, title, &format!("<bar:Processor Architecture=\"{architecture}\"/>"))
        },
    );
    let more = (0..MORE_DETECTOIDS).map(|number| {
        let rule = format!("<bar:WindowsVersion Comparison=\"GreaterThanOrEqualTo\" MajorVersion=\"10\" BuildNumber=\"{}\"/>", 10_000 + number * 400);
        detectoid_revision(detectoid(number), &format!("Build {} or later", 10_000 + number * 400), &rule)
    });
    classifications.chain(companies).chain(families).chain(products).chain(untyped).chain(known).chain(more)
}

fn category(
    id: Uuid,
    title: &str,
    category_type: Option<&str>,
    parent: Option<Uuid>,
    order: usize,
) -> SampleRevision {
    let classification = category_type == Some("UpdateClassification");
    let nested = PRODUCTS.iter().any(|product| product.parent == id);
    let holds_updates = classification || category_type == Some("Product");
    let information = match category_type {
        Some(word) => format!(
            "<cat:CategoryInformation CategoryType=\"{word}\" ProhibitsSubcategories=\"{}\" \
             ProhibitsUpdates=\"{}\" DisplayOrder=\"{order}\" ExcludedByDefault=\"false\"/>",
            holds_updates && !nested,
            !holds_updates
        ),
        None => String::new(),
    };
    let handler = format!(
        "<upd:HandlerSpecificData xsi:type=\"cat:Category\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:cat=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\">{information}\
         </upd:HandlerSpecificData>"
    );
    let kind = if classification { UpdateKind::Classification } else { UpdateKind::Category };
    let prerequisites = parent.map(|parent| Group::Category(vec![parent])).into_iter().collect();
    revision(
        id,
        kind,
        "Category",
        title,
        prerequisites,
        "<upd:IsInstalled><lar:True/></upd:IsInstalled>",
        handler,
    )
}

fn detectoid_revision(id: Uuid, title: &str, rule: &str) -> SampleRevision {
    let rules = format!("<upd:IsInstalled>{rule}</upd:IsInstalled>");
    revision(id, UpdateKind::Detectoid, "Detectoid", title, Vec::new(), &rules, String::new())
}

fn revision(
    id: Uuid,
    kind: UpdateKind,
    update_type: &str,
    title: &str,
    prerequisites: Vec<Group>,
    rules: &str,
    handler: String,
) -> SampleRevision {
    let key = RevisionKey { update_id: id, revision: 100 };
    let text = Text { language: "en", title: title.to_owned(), description: String::new() };
    let document = Draft {
        key,
        update_type,
        approvable: false,
        expired: false,
        created: DateTime::from_timestamp_millis(CREATED_MS).unwrap_or_default(),
        attributes: String::new(),
        properties: String::new(),
        texts: vec![text],
        supersedes: Vec::new(),
        prerequisites,
        bundles: Vec::new(),
        rules: rules.to_owned(),
        files: &[],
        handler,
    }
    .write();
    SampleRevision { key, kind, approvable: false, expired: false, document, files: Vec::new() }
}
