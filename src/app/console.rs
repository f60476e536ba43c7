//! The console's site: the pages for people.

use super::health;
use crate::accounts::AccountError;
use crate::accounts::setup::SetupCode;
use crate::content::Store;
use crate::db::Pool;
use crate::listen::{Limits, ListenError, Site, quiet_config};
use crate::web::options::OptionsParts;
use crate::web::{self, ConsoleParts};

/// Largest form in bytes: ten thousand ticked products fit.
const FORM_BYTES: usize = 2 * 1024 * 1024;

/// The pages, and `/healthz` beside them. `setup` lets the first administrator in.
pub async fn site(
    pool: &Pool,
    setup: SetupCode,
    store: Store,
    options: OptionsParts,
) -> Result<Site, ListenError> {
    let rocket = rocket::custom(quiet_config(FORM_BYTES)).mount("/", health::routes());
    let parts = ConsoleParts { pool: pool.clone(), setup, store, options };
    Site::launch(web::attach(rocket, parts)).await
}

/// Looks for accounts; on a server that has none, writes the one-time code of the setup page to the log.
///
/// # Errors
/// Those of the database.
pub async fn prepare_setup(pool: &Pool) -> Result<SetupCode, AccountError> {
    let mut conn = pool.get().await.map_err(|_| AccountError::NoConnection)?;
    let code = SetupCode::prepare(&mut conn).await?;
    if let Some(text) = code.reveal() {
        tracing::warn!("there is no account yet; open /setup in a browser and enter this code once: {text}");
    }
    Ok(code)
}

pub fn limits() -> Limits {
    Limits { body_bytes: |_| FORM_BYTES, ..Limits::default() }
}
