//! The services' site: what downstream servers ask.

use super::health;
use crate::db::Pool;
use crate::listen::{Limits, ListenError, Site, quiet_config};

/// Largest request in bytes. A filter that names every product there is takes a tenth of it.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;

pub async fn site(pool: &Pool) -> Result<Site, ListenError> {
    let rocket =
        rocket::custom(quiet_config(REQUEST_BYTES)).manage(pool.clone()).mount("/", health::routes());
    Site::launch(rocket).await
}

pub fn limits() -> Limits {
    Limits { connections: 512, body_bytes: |_| REQUEST_BYTES, ..Limits::default() }
}
