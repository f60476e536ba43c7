//! GetAuthConfig: which authorization service to ask. Source: MS-WSUSSS 3.1.4.1.

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
