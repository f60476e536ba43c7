//! Updates: the list with its filters, and one update in full.

mod address;
mod approve;
mod choices;
mod decisions;
mod decline;
mod detail;
mod document;
mod done;
mod export;
mod facts;
mod list;
mod views;

use diesel_async::AsyncPgConnection;
use rocket::Route;
use rocket::http::uri::Origin;

use super::PageError;
use crate::approvals::{ApprovalError, Side};
use crate::catalog::CatalogError;
use crate::settings;

pub(super) fn routes() -> Vec<Route> {
    [
        list::routes(),
        approve::routes(),
        decline::routes(),
        detail::routes(),
        document::routes(),
        export::routes(),
        views::routes(),
    ]
    .concat()
}

impl From<CatalogError> for PageError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Query(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<ApprovalError> for PageError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Database(error) => error.into(),
            ApprovalError::Catalog(error) => error.into(),
            ApprovalError::RulesChanged | ApprovalError::NothingToUndo => Self::Conflict(error.to_string()),
            ApprovalError::UnknownUpdate => Self::NotFound { what: "update" },
            ApprovalError::UnknownGroup => Self::NotFound { what: "computer group" },
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Who decides on approvals when this server does not: the upstream server of a replica.
pub(super) async fn decided_by(
    conn: &mut AsyncPgConnection,
    side: Side,
) -> Result<Option<String>, PageError> {
    Ok(match side {
        Side::Own => None,
        Side::Mirrored => Some(settings::load(conn).await.map_err(PageError::internal)?.source.shown()),
    })
}

/// The way back to a list or an update; anything else leads to the list, also what no redirect could name: by then
/// the deed is done.
fn way_back(back: &str) -> &str {
    let below = back.strip_prefix("/updates");
    let good = below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '/']));
    let plain =
        back.len() <= BACK_LEN_MAX && back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if good && plain && Origin::parse(back).is_ok() { back } else { "/updates" }
}

/// Longest way back that is kept, in bytes. Our own are shorter.
const BACK_LEN_MAX: usize = 2_000;

/// Severity in words; empty when the vendor gave none.
fn severity(code: i16) -> &'static str {
    match code {
        1 => "Low",
        2 => "Moderate",
        3 => "Important",
        4 => "Critical",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use rocket::http::uri::Reference;

    use super::done::Done;
    use super::way_back;

    #[test]
    fn the_way_back_stays_among_the_updates() {
        for good in
            ["/updates", "/updates?q=KB5&approval=install", "/updates/00000000-0000-4000-8000-000000000001"]
        {
            assert_eq!(way_back(good), good);
        }
        for bad in [
            "",
            "/",
            "//evil.test",
            "https://evil.test/updates",
            "/updatesx",
            "/updates\\..",
            "/updates\r\nX: y",
            "/updates?q=\"x",
            "/updates?q=<x>",
            "/updates?q=x#y",
        ] {
            assert_eq!(way_back(bad), "/updates", "{bad}");
        }
    }

    #[test]
    fn every_way_back_can_be_gone() {
        for sign in (0_u8..=127).map(char::from) {
            for text in
                [format!("/updates?q={sign}"), format!("/updates/{sign}"), format!("/updates?q=%{sign}")]
            {
                let back = Done::Approved(1).after(way_back(&text));
                assert!(Reference::parse(&back).is_ok(), "{text:?} became {back:?}");
            }
        }
    }
}
