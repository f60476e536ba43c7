//! The console's site: the pages for people.

use super::health;
use crate::db::Pool;
use crate::listen::{Limits, ListenError, Site, quiet_config};

/// Largest form in bytes: ten thousand ticked products fit.
const FORM_BYTES: usize = 2 * 1024 * 1024;

pub async fn site(pool: &Pool) -> Result<Site, ListenError> {
    let rocket = rocket::custom(quiet_config(FORM_BYTES)).manage(pool.clone()).mount("/", health::routes());
    Site::launch(rocket).await
}

pub fn limits() -> Limits {
    Limits { body_bytes: |_| FORM_BYTES, ..Limits::default() }
}
