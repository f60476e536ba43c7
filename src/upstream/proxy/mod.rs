//! The way through a proxy server, with its sign-in.
//!
//! The HTTP library knows Basic only, and says little about a proxy server that refuses. So its proxy server is a
//! relay in this process, which signs in to the real one: NTLM and Digest take several rounds on one connection.
//! The relay has no other way out than the proxy server of the settings.
//!
//! What is offered is answered in this order, the first that both sides can: NTLM, Negotiate (with an NTLM message
//! inside; Kerberos is not offered), Digest (SHA-512-256, SHA-256, MD5), Basic. Basic needs the administrator's
//! permission. There is no second try with another scheme after a refusal, because each counts towards the lock of
//! the account.

mod answer;
mod challenge;
mod digest;
mod error;
mod gate;
mod line;
mod ntlm;
mod offer;
mod relay;
mod scheme;
mod sign_in;

pub use error::ProxyError;
#[doc(hidden)] // for the fuzzer
pub use {challenge::Challenge as ProxyChallenge, ntlm::Challenge as NtlmChallenge};

pub(super) use offer::{Offer, ask};
pub(super) use relay::Relay;
