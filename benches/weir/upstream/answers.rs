//! What the scripted update server answers to each call.

use anyhow::{Context, Result, bail};
use chrono::{TimeDelta, Utc};
use weir::protocol::ids::{ConfigAnchor, SyncAnchor};
use weir::protocol::server_sync::{
    AuthPlugIn, AuthorizationCookie, Cookie, GetAuthConfigReply, GetAuthorizationCookieReply,
    GetConfigDataReply, GetCookieReply, GetRevisionIdList, GetRevisionIdListReply, GetUpdateData, Language,
    Reply, Request,
};
use weir::protocol::soap::{Message, Method, SoapVersion};

use super::shelf::Shelf;

const PLUG_IN: &str = "DssTargeting";
const COOKIE_LIFE: TimeDelta = TimeDelta::hours(4);
/// Revisions that may be asked for at once. Source: what real servers say.
const BATCH_MAX: i32 = 100;

/// One answer.
pub struct Answer {
    pub body: Vec<u8>,
    /// It holds documents, so it takes the time of the profile.
    pub has_documents: bool,
}

/// Answers one call. `frame`: what stands around the documents of an answer.
pub fn answer(shelf: &mut Shelf, frame: &(Vec<u8>, Vec<u8>), body: &[u8]) -> Result<Answer> {
    let message = Message::open(body)?;
    let v11 = SoapVersion::V11;
    let small = |body| Ok(Answer { body, has_documents: false });
    match message.method().context("an operation of the protocol")? {
        Method::GetAuthConfig => {
            let plug_in = AuthPlugIn {
                plug_in_id: AuthPlugIn::DSS_TARGETING.to_owned(),
                service_url: AuthPlugIn::SERVICE_URL.to_owned(),
            };
            small(GetAuthConfigReply { plug_ins: vec![plug_in] }.to_bytes(v11))
        }
        Method::GetAuthorizationCookie => {
            let cookie = AuthorizationCookie { plug_in_id: PLUG_IN.to_owned(), cookie_data: vec![7; 40] };
            small(GetAuthorizationCookieReply { cookie }.to_bytes(v11))
        }
        Method::GetCookie => {
            let expiration = weir::protocol::time::format(Utc::now() + COOKIE_LIFE);
            let cookie = Cookie { expiration, encrypted_data: vec![9; 40] };
            small(GetCookieReply { cookie }.to_bytes(v11))
        }
        Method::GetConfigData => small(config(shelf)?.to_bytes(v11)),
        Method::GetRevisionIdList => {
            let request = GetRevisionIdList::from_message(message)?;
            let new_revisions = shelf.list(&request.filter);
            let anchor = SyncAnchor::parse(shelf.clock.to_string())?;
            small(GetRevisionIdListReply { anchor, new_revisions }.to_bytes(v11))
        }
        Method::GetUpdateData => {
            let request = GetUpdateData::from_message(message)?;
            let elements = shelf.elements(&request.update_ids).context("revisions that are known")?;
            let length: usize = elements.iter().map(|element| element.len()).sum();
            let mut body = Vec::with_capacity(frame.0.len() + length + frame.1.len());
            body.extend_from_slice(&frame.0);
            elements.iter().for_each(|element| body.extend_from_slice(element));
            body.extend_from_slice(&frame.1);
            shelf.state.batches += 1;
            shelf.state.sent += request.update_ids.len() as u64;
            shelf.state.bytes += body.len() as u64;
            Ok(Answer { body, has_documents: true })
        }
        other => bail!("{} is not scripted", other.name()),
    }
}

fn config(shelf: &Shelf) -> Result<GetConfigDataReply> {
    let all = Language { id: 0, short_name: "all".to_owned(), long_name: "all".to_owned(), enabled: true };
    Ok(GetConfigDataReply {
        catalog_only_sync: false,
        lazy_sync: true,
        server_hosts_psf_files: false,
        computer_ids_max: 0,
        driver_sets_max: 0,
        hardware_ids_max: 0,
        updates_max: BATCH_MAX,
        new_config_anchor: ConfigAnchor::parse(format!("1,{}", shelf.clock))?,
        protocol_version: Some("1.20".to_owned()),
        languages: vec![all],
        decryption_updates_max: BATCH_MAX,
    })
}
