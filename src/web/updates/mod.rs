//! Updates: the list with its filters, and one update in full.

mod address;
mod detail;
mod list;

use rocket::Route;

use super::PageError;
use crate::catalog::CatalogError;

pub(super) fn routes() -> Vec<Route> {
    [list::routes(), detail::routes()].concat()
}

impl From<CatalogError> for PageError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Query(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

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
