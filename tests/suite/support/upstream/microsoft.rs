//! What Microsoft Update does otherwise than an update server: order of members, form of anchors, limits, dress.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use weir::protocol::ids::ConfigAnchor;
use weir::protocol::server_sync::{GetConfigDataReply, Language};
use weir::protocol::soap::Method;

use super::wire::Answer;

const FORM: &str = "%Y-%m-%d %H:%M:%S%.3f";

/// Members of a filter in the order of the schema; others are not read at all by the real service.
const FILTER: [&str; 6] =
    ["<Anchor>", "<GetConfig>", "<Get63LanguageOnly>", "<Categories>", "<Classifications>", "<Languages>"];

/// The members of the configuration in the order that was observed.
const CONFIG: [&str; 11] = [
    "CatalogOnlySync",
    "LazySync",
    "ServerHostsPsfFiles",
    "MaxNumberOfUpdatesPerRequest",
    "MaxNumberOfDriverSetsPerRequest",
    "MaxNumberOfComputerIdsInRequest",
    "MaxNumberOfPnpHardwareIdsInRequest",
    "NewConfigAnchor",
    "ProtocolVersion",
    "LanguageUpdateList",
    "MaxUpdatesPerRequestInGetUpdateDecryptionData",
];

/// A moment without a counter before it.
pub fn anchor(clock: u64) -> String {
    let at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(clock as i64);
    at.format(FORM).to_string()
}

/// The clock of such an anchor; `None` for any other text.
pub fn moment(anchor: &str) -> Option<u64> {
    let at = NaiveDateTime::parse_from_str(anchor, FORM).ok()?.and_utc();
    u64::try_from((at - DateTime::UNIX_EPOCH - TimeDelta::days(20_000)).num_seconds()).ok()
}

pub fn config(clock: u64) -> GetConfigDataReply {
    let language = |id, short: &str, enabled| Language {
        id,
        short_name: short.to_owned(),
        long_name: short.to_owned(),
        enabled,
    };
    GetConfigDataReply {
        catalog_only_sync: true,
        lazy_sync: true,
        server_hosts_psf_files: true,
        computer_ids_max: 200,
        driver_sets_max: 100,
        hardware_ids_max: 450,
        updates_max: 100,
        new_config_anchor: ConfigAnchor::parse(anchor(clock)).unwrap(),
        protocol_version: Some("1.21".to_owned()),
        languages: vec![language(1033, "en", false), language(0, "all", true), language(1031, "de", false)],
        decryption_updates_max: 500,
    }
}

/// Are the members of the filter in the order of the schema?
pub fn is_in_order(method: Method, body: &[u8]) -> bool {
    if method != Method::GetRevisionIdList {
        return true;
    }
    let body = String::from_utf8_lossy(body);
    let places: Vec<usize> = FILTER.iter().filter_map(|member| body.find(member)).collect();
    places.len() >= 2 && places.is_sorted()
}

/// The same answer as the real service dresses it: no declaration, another prefix, members in another order.
pub fn dress(method: Method, mut answer: Answer) -> Answer {
    let mut text = String::from_utf8(answer.body).unwrap();
    if let Some(end) = text.find("?>") {
        text.drain(..end + 2);
    }
    text = text.replace("soap:", "s:").replace("xmlns:soap=", "xmlns:s=");
    if method == Method::GetConfigData && answer.status == 200 {
        let members: String = CONFIG.iter().filter_map(|name| member(&text, name)).collect();
        let open = "<GetConfigDataResult>";
        let from = text.find(open).unwrap() + open.len();
        let to = text.find("</GetConfigDataResult>").unwrap();
        assert_eq!(members.len(), to - from, "every member has its place");
        text.replace_range(from..to, &members);
    }
    answer.body = text.into_bytes();
    answer
}

fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let from = text.find(&format!("<{name}>"))?;
    let close = format!("</{name}>");
    Some(&text[from..text.find(&close)? + close.len()])
}
