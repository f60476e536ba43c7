//! GetAuthConfig: which authorization service to ask. Source: MS-WSUSSS 3.1.4.1.

use super::{Reply, Request};
use crate::protocol::ProtocolError;
use crate::protocol::soap::fields::{self, Once};
use crate::protocol::soap::{Method, Reader, Writer};

/// Plug-ins an answer may name. Real servers name one.
const PLUG_INS_MAX: usize = 16;
/// A date nobody uses; servers must send one.
const LAST_CHANGE: &str = "2026-01-01T00:00:00Z";

/// The question. It has no parameters and needs no cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAuthConfig;

/// One way to be authorized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthPlugIn {
    /// [`AuthPlugIn::DSS_TARGETING`] is the only one there is.
    pub plug_in_id: String,
    /// Address of its service, relative to the server's root, whatever path was asked.
    pub service_url: String,
}

impl AuthPlugIn {
    /// The plug-in every update server offers.
    pub const DSS_TARGETING: &'static str = "DssTargeting";
    /// Where it lives on every real server.
    pub const SERVICE_URL: &'static str = "DssAuthWebService/DssAuthWebService.asmx";
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAuthConfigReply {
    pub plug_ins: Vec<AuthPlugIn>,
}

impl Request for GetAuthConfig {
    const METHOD: Method = Method::GetAuthConfig;
    type Reply = GetAuthConfigReply;

    fn write(&self, _: &mut Writer) {}

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        while reader.next_field()?.is_some() {
            reader.skip()?;
        }
        Ok(Self)
    }
}

impl Reply for GetAuthConfigReply {
    const METHOD: Method = Method::GetAuthConfig;

    fn write(&self, writer: &mut Writer) {
        writer.open("GetAuthConfigResult");
        writer.text("LastChange", LAST_CHANGE);
        writer.open("AuthInfo");
        for plug_in in &self.plug_ins {
            writer.open("AuthPlugInInfo");
            writer.text("PlugInID", &plug_in.plug_in_id);
            writer.text("ServiceUrl", &plug_in.service_url);
            writer.empty("Parameter");
            writer.close("AuthPlugInInfo");
        }
        writer.close("AuthInfo");
        writer.close("GetAuthConfigResult");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let mut plug_ins = Once::new("AuthInfo");
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "AuthInfo" => plug_ins.set(read_plug_ins(reader)?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self { plug_ins: plug_ins.required()? })
    }
}

fn read_plug_ins(reader: &mut Reader<'_>) -> Result<Vec<AuthPlugIn>, ProtocolError> {
    let mut plug_ins = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != "AuthPlugInInfo" || item.nil {
            reader.skip()?;
            continue;
        }
        if plug_ins.len() == PLUG_INS_MAX {
            return Err(ProtocolError::TooMany { field: "AuthInfo", max: PLUG_INS_MAX });
        }
        plug_ins.push(read_plug_in(reader)?);
    }
    Ok(plug_ins)
}

fn read_plug_in(reader: &mut Reader<'_>) -> Result<AuthPlugIn, ProtocolError> {
    let (mut id, mut url) = (Once::new("PlugInID"), Once::new("ServiceUrl"));
    while let Some(field) = reader.next_field()? {
        match field.name.as_str() {
            "PlugInID" => id.set(fields::string(reader, &field)?)?,
            "ServiceUrl" => url.set(fields::string(reader, &field)?)?,
            _ => reader.skip()?,
        }
    }
    Ok(AuthPlugIn { plug_in_id: id.required()?, service_url: url.required()? })
}
