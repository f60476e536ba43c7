//! The wire format between update servers: pure types and rules.
//!
//! Nothing here does I/O, looks at a clock or knows the database. Reading is tolerant where real
//! servers differ (order of children, prefixes, letter case of ids) and strict where a mistake would
//! hide something (repeated fields, cut messages, document types). Writing keeps the schema's order.
//! Source: MS-WSUSSS, and what real servers were seen to send.

pub mod cabinet;
pub mod document;
mod error;
pub mod ids;
pub mod server_sync;
pub mod soap;
pub mod time;
pub mod version;

pub use error::ProtocolError;
