//! The sign-in on one connection: what to send with the next request, and what a 407 means.
//!
//! Pure: no network and no clock of its own, so every order of answers can be tried.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use super::challenge::{Challenge, params};
use super::digest::DigestSession;
use super::error::ProxyError;
use super::ntlm::{self, Account, Challenge as Second};
use super::scheme::{Choice, NoChoice, Scheme, choose, names};
use crate::upstream::ProxyCredentials;

/// The longest message of a server, in Base64 characters.
const MESSAGE_MAX: usize = 16 * 1024;
/// Between 1601, where Windows begins to count, and 1970.
const SECONDS_BEFORE_1970: u64 = 11_644_473_600;

/// Where the sign-in of a connection stands.
enum State {
    /// Nothing was sent.
    Silent,
    /// The first message is the next one, or was the last.
    Hello(Scheme),
    /// The third message is the next one, or was the last.
    Proof(Scheme, Zeroizing<String>),
    /// The connection itself is signed in.
    SignedIn(Scheme),
    Digest(Box<DigestSession>),
    Basic,
}

/// The sign-in of one connection to the proxy server.
pub(super) struct SignIn {
    /// Name and port of the proxy server, for messages.
    proxy: Arc<str>,
    who: Option<Arc<ProxyCredentials>>,
    state: State,
    /// `Hello` was begun because another connection needed it, not because this one was asked.
    is_guess: bool,
    /// The one second chance since the last success was taken.
    was_renewed: bool,
    /// Schemes whose first message, which names nobody, got no answer.
    unanswered: Vec<Scheme>,
}

impl SignIn {
    /// A connection on which nothing was said. `known` is the scheme that another connection needed.
    pub fn new(proxy: Arc<str>, who: Option<Arc<ProxyCredentials>>, known: Option<Scheme>) -> Self {
        let state = match known.filter(|_| who.is_some()) {
            Some(scheme @ (Scheme::Ntlm | Scheme::Negotiate)) => State::Hello(scheme),
            Some(Scheme::Basic) => State::Basic,
            Some(Scheme::Digest) | None => State::Silent, // the nonce is still to be had
        };
        let is_guess = matches!(state, State::Hello(_));
        Self { proxy, who, state, is_guess, was_renewed: false, unanswered: Vec::new() }
    }

    /// The scheme in use, once one was chosen.
    pub fn scheme(&self) -> Option<Scheme> {
        match &self.state {
            State::Silent => None,
            State::Hello(scheme) | State::Proof(scheme, _) | State::SignedIn(scheme) => Some(*scheme),
            State::Digest(_) => Some(Scheme::Digest),
            State::Basic => Some(Scheme::Basic),
        }
    }

    /// The `Proxy-Authorization` of the next request. `uri` is what stands in its first line.
    ///
    /// # Errors
    /// [`ProxyError::SignInBroken`] when what would be sent is not a header.
    pub fn header(&mut self, method: &str, uri: &str) -> Result<Option<HeaderValue>, ProxyError> {
        let Some(who) = &self.who else { return Ok(None) };
        let value = match &mut self.state {
            State::Silent | State::SignedIn(_) => return Ok(None),
            State::Hello(scheme) => {
                let text = format!("{} {}", scheme.name(), BASE64.encode(ntlm::negotiate()));
                Zeroizing::new(text.into_bytes())
            }
            State::Proof(_, value) => Zeroizing::new(value.as_bytes().to_vec()),
            State::Digest(session) => {
                let cnonce = hex::encode(rand::random::<[u8; 16]>());
                session.authorize(&who.qualified_user(), &who.password, method, uri, &cnonce)
            }
            State::Basic => {
                let plain = Zeroizing::new(format!("{}:{}", who.qualified_user(), *who.password));
                Zeroizing::new(format!("Basic {}", BASE64.encode(plain.as_bytes())).into_bytes())
            }
        };
        let mut header = HeaderValue::from_bytes(&value)
            .map_err(|_| self.broken("the account holds characters that cannot be sent"))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    /// An answer other than 407 came. `info` is its `Proxy-Authentication-Info`.
    pub fn accepted(&mut self, info: Option<&[u8]>) {
        self.was_renewed = false;
        match &mut self.state {
            State::Hello(scheme) | State::Proof(scheme, _) => self.state = State::SignedIn(*scheme),
            State::Digest(session) => {
                let next = info.map(params).unwrap_or_default();
                if let Some((_, nonce)) = next.iter().find(|(name, _)| name == "nextnonce") {
                    session.go_on_with(nonce);
                }
            }
            State::Silent | State::SignedIn(_) | State::Basic => {}
        }
    }

    /// The connection ended, and the next request goes over a new one.
    ///
    /// # Errors
    /// [`ProxyError::SignInBroken`] when it ended between the messages of a sign-in.
    pub fn reconnected(&mut self) -> Result<(), ProxyError> {
        match &self.state {
            State::Proof(..) => {
                Err(self.broken("it closed the connection between the second and the third message"))
            }
            State::SignedIn(scheme) => {
                self.state = State::Hello(*scheme);
                self.is_guess = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The connection ended while the answer was waited for.
    pub fn lost(&self) -> ProxyError {
        match &self.state {
            State::Proof(..) => self.broken("it closed the connection after the third message"),
            State::Hello(_) => self.broken("it closed the connection after the first message"),
            _ => ProxyError::BrokeOff { proxy: self.proxy.to_string() },
        }
    }

    /// A 407 with these offers came. After `Ok` the same request is sent again.
    ///
    /// # Errors
    /// What a person must do something about; nothing was sent since.
    pub fn challenged(&mut self, offers: &[Challenge]) -> Result<(), ProxyError> {
        match &self.state {
            State::Silent => self.begin(offers),
            State::Hello(scheme) => {
                let scheme = *scheme;
                let offer = offers.iter().find(|offer| offer.is(scheme.name()));
                if let Some(message) = offer.and_then(|offer| offer.token.as_deref()) {
                    return self.answer(scheme, message);
                }
                // Nothing of the account was sent yet, so what else is offered may be tried: a proxy server that means
                // Kerberos by Negotiate often offers Digest or Basic too.
                self.unanswered.push(scheme);
                match self.begin(offers) {
                    Err(_) if offer.is_some() => Err(self.broken(match scheme {
                        Scheme::Negotiate => {
                            "it did not answer the first message; perhaps it wants Kerberos, which is not offered"
                        }
                        _ => "it did not answer the first message",
                    })),
                    begun => begun,
                }
            }
            State::Digest(session) => {
                let old_nonce = !session.is_fresh();
                let stale = offers.iter().any(|offer| {
                    offer.is("Digest")
                        && offer.param("stale").is_some_and(|value| value.eq_ignore_ascii_case("true"))
                });
                if !(stale || old_nonce) {
                    return Err(self.refused());
                }
                if self.was_renewed {
                    return Err(match stale {
                        true => self.broken("it calls each nonce stale"),
                        false => self.refused(),
                    });
                }
                self.was_renewed = true;
                match DigestSession::strongest(offers) {
                    Some(Ok(session)) => self.state = State::Digest(Box::new(session)),
                    _ => return Err(self.refused()),
                }
                Ok(())
            }
            State::SignedIn(_) if !self.was_renewed => {
                self.was_renewed = true;
                self.begin(offers)
            }
            State::Proof(..) | State::SignedIn(_) | State::Basic => Err(self.refused()),
        }
    }

    fn begin(&mut self, offers: &[Challenge]) -> Result<(), ProxyError> {
        let proxy = self.proxy.to_string();
        let offered = names(offers);
        let Some(who) = &self.who else { return Err(ProxyError::SignInWanted { proxy, offered }) };
        self.is_guess = false;
        let left: Vec<Challenge> = offers
            .iter()
            .filter(|offer| !self.unanswered.iter().any(|scheme| offer.is(scheme.name())))
            .cloned()
            .collect();
        self.state = match choose(&left, who.basic_allowed) {
            Ok(Choice::Ntlm(scheme)) => State::Hello(scheme),
            Ok(Choice::Digest(session)) => State::Digest(session),
            Ok(Choice::Basic) => State::Basic,
            Err(NoChoice::OnlyBasic) => return Err(ProxyError::OnlyBasic { proxy }),
            Err(NoChoice::Digest(reason)) => return Err(ProxyError::DigestUnusable { proxy, reason }),
            Err(NoChoice::Unknown) => return Err(ProxyError::NoKnownScheme { proxy, offered }),
        };
        Ok(())
    }

    /// Computes the third message from the second.
    fn answer(&mut self, scheme: Scheme, message: &str) -> Result<(), ProxyError> {
        let Some(who) = self.who.clone() else { return Err(self.refused()) };
        if message.len() > MESSAGE_MAX {
            return Err(self.broken("its answer to the first message is too long"));
        }
        let bytes = BASE64
            .decode(message)
            .map_err(|_| self.broken("its answer to the first message is not Base64"))?;
        let (domain, user) = who.account();
        let account = Account { user, domain, password: &who.password };
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let now = (SECONDS_BEFORE_1970 + since_1970.as_secs()) * 10_000_000;
        let third = Second::parse(&bytes)
            .and_then(|second| second.answer(&ntlm::negotiate(), &account, rand::random(), now))
            .map_err(|error| self.broken(&error.to_string()))?;
        let value = Zeroizing::new(format!("{} {}", scheme.name(), BASE64.encode(&*third)));
        self.state = State::Proof(scheme, value);
        Ok(())
    }

    fn name(&self) -> &'static str {
        self.scheme().map_or("no scheme", Scheme::name)
    }

    fn refused(&self) -> ProxyError {
        ProxyError::SignInRefused { proxy: self.proxy.to_string(), scheme: self.name() }
    }

    fn broken(&self, reason: &str) -> ProxyError {
        let (proxy, scheme) = (self.proxy.to_string(), self.name());
        ProxyError::SignInBroken { proxy, scheme, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests;
