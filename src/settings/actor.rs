//! Who changes settings.

/// Who saves, for the audit log.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Account name, or `command line`.
    pub name: String,
    pub account_id: Option<i64>,
    /// Address the request came from; empty on the command line.
    pub peer: String,
    /// The request's id, as in the log; empty on the command line.
    pub request_id: String,
}
