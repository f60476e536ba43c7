//! Prepares a test of the way to the update source, with options that may not be saved.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use url::Url;

use super::context::{self, MicrosoftUpdate};
use super::{SyncError, files};
use crate::db::schema::{files as file_rows, server_identity};
use crate::secret::SecretKey;
use crate::settings::{SourceKind, SyncOptions};
use crate::upstream::Identity;
use crate::upstream::probe::Probe;

/// Where the first files of Microsoft Update come from. Source: Microsoft's list of addresses a WSUS server must
/// reach.
const DELIVERY: &str = "http://download.windowsupdate.com/";

/// What a test takes from the program rather than from the options.
pub struct Prober {
    microsoft: MicrosoftUpdate,
    secret: SecretKey,
    host_name: String,
}

impl Prober {
    /// `host_name` is this machine's own name, told to the update source.
    pub fn new(microsoft: MicrosoftUpdate, secret: SecretKey, host_name: String) -> Self {
        Self { microsoft, secret, host_name }
    }

    /// The test of `options`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SyncError::Unusable`] when the options make no address or the proxy's password cannot be opened, else the
    /// database's.
    pub async fn prepare(
        &self,
        conn: &mut AsyncPgConnection,
        options: &SyncOptions,
    ) -> Result<Probe, SyncError> {
        let (_, target) = context::target(options, &self.microsoft, &self.secret)?;
        let server_id = server_identity::table.select(server_identity::server_id).first(conn).await?;
        let known: Option<String> = file_rows::table
            .filter(file_rows::mu_url.ne(""))
            .select(file_rows::mu_url)
            .first(conn)
            .await
            .optional()?;
        let is_real = target.origin.host_str().is_some_and(|host| host.ends_with(".microsoft.com"));
        let elsewhere = known.filter(|_| !is_real).or_else(|| is_real.then(|| DELIVERY.to_owned()));
        Ok(Probe {
            identity: Identity::new(server_id, &self.host_name),
            content_root: match options.source.kind {
                SourceKind::MicrosoftUpdate => None,
                SourceKind::Upstream => Some(files::content_root(options)?),
            },
            elsewhere: elsewhere.and_then(|text| Url::parse(&text).ok()),
            target,
        })
    }
}
