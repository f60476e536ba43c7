//! The updates themselves: bundles with hidden children, stand-alone software and drivers.
//!
//! Eight neighbouring numbers form a line: one product, one classification, and in every third line each month's
//! update replaces the one before.

use std::fmt::Write;

use chrono::{DateTime, TimeZone, Utc};
use uuid::Uuid;

use super::categories::{self, PRODUCTS, Product};
use super::random::{Random, id};
use super::words::{self, Subject, Topic};
use super::xml::{Draft, Group, Text};
use super::{SampleFile, SampleRevision};
use crate::protocol::document::UpdateKind;
use crate::protocol::ids::RevisionKey;

/// Updates of one line.
const LINE: usize = 8;
/// One in this many is expired from the start; one in that many has an older revision too.
const EXPIRED_EVERY: usize = 20;
const REVISED_EVERY: usize = 33;
const FIRST_REVISION: i32 = 200;
/// Revision numbers of daily changes start here.
const CHANGED_REVISION: i32 = 300;
const FIRST_ARTICLE: usize = 9_000_000;
const DRIVER_NAMESPACE: &str = "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsDriver";
const COMMAND_NAMESPACE: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation";

/// True for an update whose first publication is already expired.
pub fn starts_expired(index: usize) -> bool {
    index % EXPIRED_EVERY == 13
}

/// All revisions of one update as the catalogue begins: children, older revision, current one.
pub fn first(seed: u64, index: usize) -> Vec<SampleRevision> {
    let update = Update::new(seed, index);
    let (mut revisions, bundles) = update.children();
    if index % REVISED_EVERY == 7 {
        revisions.push(update.revision(FIRST_REVISION - 1, false, "", bundles.clone()));
    }
    revisions.push(update.revision(FIRST_REVISION, starts_expired(index), "", bundles));
    revisions
}

/// All revisions of an update that appears later; never expired.
pub fn added(seed: u64, index: usize) -> Vec<SampleRevision> {
    let update = Update::new(seed, index);
    let (mut revisions, bundles) = update.children();
    revisions.push(update.revision(FIRST_REVISION, false, "", bundles));
    revisions
}

/// A later revision of an update: revised, or withdrawn.
pub fn changed(seed: u64, index: usize, day: u32, expired: bool) -> SampleRevision {
    let update = Update::new(seed, index);
    let (_, bundles) = update.children();
    let number = CHANGED_REVISION.saturating_add(i32::try_from(day).unwrap_or(i32::MAX));
    update.revision(number, expired, if expired { "" } else { ", corrected" }, bundles)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bundle { leaves: usize },
    Nested { parts: usize, leaves: usize },
    Alone,
    Driver,
}

/// One update and what follows from its number.
struct Update {
    seed: u64,
    index: usize,
    product: &'static Product,
    classification: Uuid,
    subject: Subject,
    created: DateTime<Utc>,
    shape: Shape,
    replaces: Option<Uuid>,
    detectoid: Uuid,
    /// Languages beside English.
    languages: usize,
    x64: bool,
}

impl Update {
    fn new(seed: u64, index: usize) -> Self {
        let (line, member) = (index / LINE, index % LINE);
        let mut random = Random::new(seed, "line", line);
        let product = pick_product(&mut random);
        let (subject, classification) = topic_of(product, &mut random);
        let cumulative = line.is_multiple_of(3);
        let first_month = random.below(47);
        let detectoid = categories::detectoid(random.below(1_000));
        let x64 = random.chance(80);

        let mut random = Random::new(seed, "update", index);
        let month = first_month + if cumulative { member } else { random.below(11) };
        let shape = match (subject, random.below(100)) {
            (Subject::Driver, _) => Shape::Driver,
            (_, 0..50) => Shape::Bundle { leaves: 1 + random.below(3) },
            (_, 50..60) => Shape::Nested { parts: 1 + random.below(2), leaves: 1 + random.below(2) },
            _ => Shape::Alone,
        };
        Self {
            seed,
            index,
            product,
            classification,
            subject,
            created: moment(month, &mut random),
            shape,
            replaces: (cumulative && member > 0).then(|| update_id(seed, index - 1)),
            detectoid,
            languages: random.below(9),
            x64,
        }
    }

    /// The hidden revisions below this one, and the groups that name them.
    fn children(&self) -> (Vec<SampleRevision>, Vec<Vec<RevisionKey>>) {
        let mut revisions = Vec::new();
        let mut groups = Vec::new();
        match self.shape {
            Shape::Alone | Shape::Driver => {}
            Shape::Bundle { leaves } => {
                for place in 0..leaves {
                    let leaf = self.leaf(place);
                    groups.push(vec![leaf.key]);
                    revisions.push(leaf);
                }
            }
            Shape::Nested { parts, leaves } => {
                for part in 0..parts {
                    let children: Vec<_> =
                        (0..leaves).map(|place| self.leaf(part * leaves + place)).collect();
                    let keys = children.iter().map(|leaf| leaf.key).collect();
                    revisions.extend(children);
                    let middle = self.middle(part, vec![keys]);
                    groups.push(vec![middle.key]);
                    revisions.push(middle);
                }
            }
        }
        (revisions, groups)
    }

    /// What an administrator sees.
    fn revision(
        &self,
        number: i32,
        expired: bool,
        note: &str,
        bundles: Vec<Vec<RevisionKey>>,
    ) -> SampleRevision {
        let mut random = Random::new(self.seed, "revision", self.index);
        let article = (FIRST_ARTICLE + self.index).to_string();
        let month = self.created.format("%Y-%m").to_string();
        let topic = Topic {
            subject: self.subject,
            month: &month,
            product: self.product.title,
            article: &article,
            bits: if self.x64 { "64 bit" } else { "32 bit" },
            note,
        };
        let texts = words::texts(&mut random, &topic, self.languages);
        let severity = self.severity(&mut random);
        let mut attributes = severity.map(|word| format!(" MsrcSeverity=\"{word}\"")).unwrap_or_default();
        if random.chance(4) {
            let _ = write!(attributes, " EulaID=\"{}\"", id(self.seed, "eula", self.index % 20));
        }
        let mut properties =
            String::from("<upd:InstallationBehavior Impact=\"Normal\" RebootBehavior=\"CanRequestReboot\"/>");
        let _ = write!(properties, "<upd:SupportUrl>https://help.example.org/{article}</upd:SupportUrl>");
        if severity.is_some() && random.chance(50) {
            let _ = write!(
                properties,
                "<upd:SecurityBulletinID>SB{}-{:03}</upd:SecurityBulletinID>",
                self.created.format("%y"),
                self.index % 1_000
            );
        }
        let _ = write!(properties, "<upd:KBArticleID>{article}</upd:KBArticleID>");
        let mut prerequisites = vec![
            Group::One(if self.x64 { categories::X64 } else { categories::X86 }),
            Group::AnyOf(vec![self.detectoid, categories::detectoid(self.index)]),
            Group::Category(vec![self.classification]),
            Group::Category(vec![self.product.id]),
        ];
        if random.chance(2) {
            prerequisites.push(Group::One(id(self.seed, "absent", self.index)));
        }
        let files = if bundles.is_empty() { self.files(0) } else { Vec::new() };
        let driver = self.shape == Shape::Driver;
        let (rules, handler) = match (driver, files.first()) {
            (true, _) => (self.driver_rules(&mut random), String::new()),
            (false, Some(file)) => (self.rules(&mut random), command(file)),
            (false, None) => (String::new(), String::new()),
        };
        let key = RevisionKey { update_id: update_id(self.seed, self.index), revision: number };
        let kind = if driver { UpdateKind::Driver } else { UpdateKind::Software };
        let document = Draft {
            key,
            update_type: if driver { "Driver" } else { "Software" },
            approvable: true,
            expired,
            created: self.created + chrono::Duration::days(i64::from(number - FIRST_REVISION)),
            attributes,
            properties,
            texts,
            supersedes: self.replaces.into_iter().collect(),
            prerequisites,
            bundles,
            rules,
            files: &files,
            handler,
        }
        .write();
        SampleRevision { key, kind, approvable: true, expired, document, files }
    }

    /// A hidden bundle between the update and its leaves.
    fn middle(&self, part: usize, bundles: Vec<Vec<RevisionKey>>) -> SampleRevision {
        let prerequisites =
            vec![Group::AnyOf(vec![self.classification]), Group::AnyOf(vec![self.product.id])];
        self.hidden("middle", part, prerequisites, bundles, Vec::new())
    }

    /// A hidden revision that carries files. It names its product without the mark of a category, and no
    /// classification at all.
    fn leaf(&self, place: usize) -> SampleRevision {
        let architecture = if self.x64 { categories::X64 } else { categories::X86 };
        let prerequisites = vec![Group::One(architecture), Group::AnyOf(vec![self.product.id])];
        self.hidden("leaf", place, prerequisites, Vec::new(), self.files(place))
    }

    fn hidden(
        &self,
        purpose: &str,
        place: usize,
        prerequisites: Vec<Group>,
        bundles: Vec<Vec<RevisionKey>>,
        files: Vec<SampleFile>,
    ) -> SampleRevision {
        let number = self.index * 16 + place;
        let key = RevisionKey { update_id: id(self.seed, purpose, number), revision: FIRST_REVISION };
        let mut random = Random::new(self.seed, purpose, number);
        let title = format!("Part {} of package {}", place + 1, FIRST_ARTICLE + self.index);
        let document = Draft {
            key,
            update_type: "Software",
            approvable: false,
            expired: false,
            created: self.created,
            attributes: String::new(),
            properties: String::new(),
            texts: vec![Text { language: "en", title, description: String::new() }],
            supersedes: Vec::new(),
            prerequisites,
            bundles,
            rules: if files.is_empty() { String::new() } else { self.rules(&mut random) },
            files: &files,
            handler: files.first().map(command).unwrap_or_default(),
        }
        .write();
        SampleRevision { key, kind: UpdateKind::Software, approvable: false, expired: false, document, files }
    }

    /// One file, or two; one in seven is shared within the line.
    fn files(&self, place: usize) -> Vec<SampleFile> {
        let mut random = Random::new(self.seed, "files", self.index * 16 + place);
        let count = 1 + usize::from(self.shape == Shape::Driver && random.chance(30));
        (0..count)
            .map(|number| {
                let shared = number == 0 && random.chance(14);
                let content = match shared {
                    true => Random::new(self.seed, "shared", self.index / LINE).next(),
                    false => random.next(),
                };
                SampleFile::new(&format!("package-{}-{place}-{number}", FIRST_ARTICLE + self.index), content)
            })
            .collect()
    }

    fn severity(&self, random: &mut Random) -> Option<&'static str> {
        match self.subject {
            Subject::Security => {
                Some(*random.pick(&["Critical", "Important", "Important", "Moderate", "Low"]))
            }
            Subject::Critical => Some("Critical"),
            _ => None,
        }
    }

    /// Conditions that make some documents long enough to travel in a cabinet.
    fn rules(&self, random: &mut Random) -> String {
        let count = match random.below(100) {
            0..70 => 1 + random.below(5),
            70..98 => 10 + random.below(60),
            _ => 100 + random.below(400),
        };
        let mut rules = String::from("<upd:IsInstalled><lar:And>");
        for number in 0..count {
            let _ = write!(
                rules,
                "<bar:FileVersion Path=\"component{:04}.dll\" Csidl=\"37\" Comparison=\"GreaterThanOrEqualTo\" \
                 Version=\"10.0.{}.{number}\"/>",
                random.below(10_000),
                10_000 + random.below(20_000)
            );
        }
        rules.push_str("</lar:And></upd:IsInstalled><upd:IsInstallable><lar:True/></upd:IsInstallable>");
        rules
    }

    fn driver_rules(&self, random: &mut Random) -> String {
        let mut rules = format!("<upd:Metadata xmlns:drv=\"{DRIVER_NAMESPACE}\">");
        for _ in 0..1 + random.below(4) {
            let _ = write!(
                rules,
                "<drv:WindowsDriverMetaData HardwareID=\"pci\\ven_{:04x}&amp;dev_{:04x}\" WhqlDriverID=\"{}\" \
                 Manufacturer=\"Example Devices\" Company=\"Example Devices\" Provider=\"Example Devices\" \
                 Model=\"Example adapter {}\" Class=\"Net\" DriverVerDate=\"{}\" DriverVerVersion=\"1.{}.0.{}\"/>",
                random.below(0x1_0000),
                random.below(0x1_0000),
                random.below(1_000_000),
                random.below(900) + 100,
                self.created.format("%Y-%m-%d"),
                random.below(30),
                self.index % 1_000
            );
        }
        rules.push_str("</upd:Metadata><upd:IsInstalled><lar:False/></upd:IsInstalled>");
        rules
    }
}

fn update_id(seed: u64, index: usize) -> Uuid {
    id(seed, "update", index)
}

fn pick_product(random: &mut Random) -> &'static Product {
    let total: usize = PRODUCTS.iter().map(|product| product.weight).sum();
    let mut left = random.below(total);
    for product in &PRODUCTS {
        if left < product.weight {
            return product;
        }
        left -= product.weight;
    }
    &PRODUCTS[0]
}

fn topic_of(product: &Product, random: &mut Random) -> (Subject, Uuid) {
    if product.title.contains("rivers") {
        return (Subject::Driver, categories::DRIVERS);
    }
    if product.title.contains("Defender") {
        return (Subject::Definitions, categories::DEFINITIONS);
    }
    match random.below(100) {
        0..50 => (Subject::Security, categories::SECURITY),
        50..65 => (Subject::Critical, categories::CRITICAL),
        65..75 => (Subject::Rollup, categories::ROLLUPS),
        75..90 => (Subject::Other, categories::UPDATES),
        90..94 => (Subject::Other, categories::FEATURE_PACKS),
        94..97 => (Subject::Other, categories::TOOLS),
        _ => (Subject::Other, categories::UPGRADES),
    }
}

/// A moment in the month that is so many after January 2022.
fn moment(months: usize, random: &mut Random) -> DateTime<Utc> {
    let (year, month) = (2022 + months / 12, months % 12 + 1);
    let (day, hour, second) = (1 + random.below(28), random.below(24), random.below(3_600));
    Utc.with_ymd_and_hms(
        year as i32,
        month as u32,
        day as u32,
        hour as u32,
        second as u32 / 60,
        second as u32 % 60,
    )
    .single()
    .unwrap_or_default()
}

fn command(file: &SampleFile) -> String {
    format!(
        "<upd:HandlerSpecificData xsi:type=\"cmd:CommandLineInstallation\" xmlns:cmd=\"{COMMAND_NAMESPACE}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><cmd:InstallCommand Program=\"{}\" \
         Arguments=\"/quiet\"><cmd:ReturnCode Code=\"0\" Result=\"Succeeded\"/></cmd:InstallCommand>\
         </upd:HandlerSpecificData>",
        file.name
    )
}
