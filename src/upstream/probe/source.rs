//! The whole way, station by station.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::Sender;
use url::Url;

use super::super::client::UpstreamClient;
use super::super::clock::ClockDifference;
use super::super::content::{ContentClient, ContentError};
use super::super::error::UpstreamError;
use super::super::proxy::{self, Offer};
use super::super::session::{Identity, PROTOCOL_VERSION};
use super::super::target::{ProxyTarget, Target};
use super::super::tls::Handshake;
use super::step::{Outcome, Station, Step};
use super::way::{self, Next};
use super::{limits, no_repetition};
use crate::protocol::server_sync::GetConfigDataReply;

/// A certificate that ends sooner is pointed out.
const ENDS_SOON: chrono::TimeDelta = chrono::TimeDelta::days(14);

/// How far a test goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All the way, to the first host that files come from.
    Source,
    /// Until the proxy server has passed a request on.
    Proxy,
}

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Probe {
    pub target: Target,
    pub identity: Identity,
    /// Where files come from when the source has them itself.
    pub content_root: Option<Url>,
    /// An address that files come from when the source has none itself; only its host is asked.
    pub elsewhere: Option<Url>,
}

/// The test has ended: a step failed, or nobody listens any more.
struct Ended;

impl Probe {
    /// Tries every station until one fails, and hands over each step when it is done. Ends early when the receiver
    /// is dropped.
    pub async fn run(self, scope: Scope, steps: Sender<Step>) {
        let teller = Teller { steps };
        let _ = match scope {
            Scope::Source => self.source(&teller).await,
            Scope::Proxy => self.proxy(&teller).await,
        };
    }

    async fn source(&self, teller: &Teller) -> Result<(), Ended> {
        self.way(teller).await?;
        let client = self.client(teller).await?;
        let url = self.first_call(teller, &client).await?;
        self.conversation(teller, &client, &url).await
    }

    async fn proxy(&self, teller: &Teller) -> Result<(), Ended> {
        self.way(teller).await?;
        let started = Instant::now();
        let client = self.client(teller).await?;
        let answer = client.authorization_service().await;
        let took = started.elapsed();
        let address = self.target.shown();
        match answer {
            Err(error) if Station::of(&error) <= Station::ProxySignIn => {
                teller.fail(Station::of(&error), &error, took).await
            }
            Err(error @ UpstreamError::Proxy(_)) => {
                self.signed_in(teller, &client, took).await?;
                teller.fail(Station::Way, &error, took).await
            }
            Err(
                error @ (UpstreamError::Status { .. }
                | UpstreamError::NotSoap { .. }
                | UpstreamError::BrokeOff { .. }
                | UpstreamError::TimedOut { .. }),
            ) => {
                self.signed_in(teller, &client, took).await?;
                teller.fail(Station::Way, &error, took).await
            }
            _ => {
                self.signed_in(teller, &client, took).await?;
                let text = format!("The proxy server passes connections on to {address}.");
                teller.tell(Station::Way, Outcome::passed(text), took).await
            }
        }
    }

    /// Name, TCP, and what the proxy server offers.
    async fn way(&self, teller: &Teller) -> Result<(), Ended> {
        let next = Next::of(&self.target);
        let started = Instant::now();
        let addresses = match next.look_up().await {
            Ok(addresses) => addresses,
            Err(error) => return teller.fail(Station::Name, &error, started.elapsed()).await,
        };
        let ips: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        let mut text = match next.is_address() {
            true => format!("{} is an address; no name is looked up.", next.host),
            false => format!("{} is {}.", next.host, ips.join(", ")),
        };
        if self.target.proxy.is_some() {
            let host = self.target.origin.host_str().unwrap_or_default();
            text.push_str(&format!(" The proxy server looks {host} up."));
        }
        teller.tell(Station::Name, Outcome::passed(text), started.elapsed()).await?;

        let started = Instant::now();
        let stream = match next.connect(&addresses).await {
            Ok(stream) => stream,
            Err(error) => return teller.fail(Station::Tcp, &error, started.elapsed()).await,
        };
        let peer = stream.peer_addr().map_or_else(|_| next.shown(), |peer| peer.to_string());
        let outcome = Outcome::passed(format!("Connected to {peer}."));
        teller.tell(Station::Tcp, outcome, started.elapsed()).await?;

        let Some(settings) = &self.target.proxy else { return Ok(()) };
        let started = Instant::now();
        match proxy::ask(stream, settings, &self.target, &limits()).await {
            Ok(offer) => teller.tell(Station::Proxy, offered(settings, &offer), started.elapsed()).await,
            Err(error) => teller.fail(Station::Proxy, &error.into(), started.elapsed()).await,
        }
    }

    async fn client(&self, teller: &Teller) -> Result<UpstreamClient, Ended> {
        let made = UpstreamClient::new(self.target.clone(), self.identity.clone(), limits(), no_repetition());
        match made {
            Ok(client) => Ok(client),
            Err(error) => teller.fail(Station::of(&error), &error, Duration::ZERO).await,
        }
    }

    /// The first call goes through proxy, TLS and HTTP at once; its answer or its error tells how far it came.
    async fn first_call(&self, teller: &Teller, client: &UpstreamClient) -> Result<Url, Ended> {
        let started = Instant::now();
        let answer = client.authorization_service().await;
        let took = started.elapsed();
        let handshake = client.connections().handshake();
        let secure = self.target.origin.scheme() == "https";
        let failed_at = match &answer {
            Ok(_) => None,
            Err(_) if secure && handshake.is_none() => {
                Some(answer.as_ref().err().map_or(Station::Tls, Station::of).min(Station::Tls))
            }
            Err(error) => Some(Station::of(error)),
        };
        let reached = |station: Station| failed_at.is_none_or(|failed| failed > station);
        let to_handshake = handshake.as_ref().map_or(took, |handshake| handshake.at.duration_since(started));
        if reached(Station::ProxySignIn) {
            self.signed_in(teller, client, to_handshake).await?;
        }
        if let Some(handshake) = handshake.filter(|_| reached(Station::Tls)) {
            teller.tell(Station::Tls, secured(&handshake), to_handshake).await?;
        }
        if reached(Station::Http) {
            let text = format!("{} answers as an update server.", self.target.shown());
            let text = if answer.is_ok() { text } else { format!("{} answers.", self.target.shown()) };
            let took = if secure { took.saturating_sub(to_handshake) } else { took };
            teller.tell(Station::Http, Outcome::passed(text), took).await?;
        }
        match answer {
            Ok((url, date)) => {
                if let Some(date) = date {
                    teller.tell(Station::Clock, clock(date, Utc::now()), Duration::ZERO).await?;
                }
                Ok(url)
            }
            Err(error) => {
                let station = failed_at.unwrap_or(Station::Http);
                let garbled = matches!(error, UpstreamError::NotHttp { .. } | UpstreamError::BrokeOff { .. });
                if garbled && !secure && self.target.proxy.is_none() && way::speaks_tls(&self.target).await {
                    let outcome = Outcome::Failed {
                        text: format!("{} speaks TLS on this port.", self.target.shown()),
                        advice: "Tick Use SSL when synchronizing update information, or enter the port number that the server uses without SSL."
                            .to_owned(),
                    };
                    return teller.end(station, outcome, took).await;
                }
                teller.fail(station, &error, took).await
            }
        }
    }

    /// Cookie, configuration, and the first host of files.
    async fn conversation(&self, teller: &Teller, client: &UpstreamClient, url: &Url) -> Result<(), Ended> {
        let started = Instant::now();
        let cookie = match client.first_cookie(url).await {
            Ok(cookie) => cookie,
            Err(error @ UpstreamError::IncompatibleVersion { .. }) => {
                return teller.fail(Station::Protocol, &error, started.elapsed()).await;
            }
            Err(error) => return teller.fail(Station::Cookie, &error, started.elapsed()).await,
        };
        let took = started.elapsed();
        let text = format!("Version {PROTOCOL_VERSION} is accepted.");
        teller.tell(Station::Protocol, Outcome::passed(text), took).await?;
        let until = cookie.and_then(|cookie| cookie.expires_at());
        let until = until.map_or_else(String::new, |end| format!(", good until {}", end.format("%H:%M UTC")));
        let text = format!("Signed in as {}{until}.", self.identity.name);
        // Its time is told with the version, because one exchange answers both.
        teller.tell(Station::Cookie, Outcome::passed(text), Duration::ZERO).await?;

        let started = Instant::now();
        let config = match client.config_data(None).await {
            Ok(config) => config,
            Err(error) => return teller.fail(Station::Configuration, &error, started.elapsed()).await,
        };
        let text = configuration(&config);
        teller.tell(Station::Configuration, Outcome::passed(text), started.elapsed()).await?;
        let files = if config.catalog_only_sync { &self.elsewhere } else { &self.content_root };
        match files.as_ref().or(self.elsewhere.as_ref()) {
            Some(url) => self.files(teller, url).await,
            None => Ok(()),
        }
    }

    /// Any answer of the host will do: there is no file that a server must have.
    async fn files(&self, teller: &Teller, url: &Url) -> Result<(), Ended> {
        let started = Instant::now();
        let host = url.host_str().unwrap_or("?");
        let shown =
            url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let target = Target { origin: url.clone(), ..self.target.clone() };
        let answer = match ContentClient::new(target, limits()) {
            Ok(client) => client.get(url, 0, 0).await.map(drop),
            Err(error) => Err(error.into()),
        };
        let took = started.elapsed();
        let outcome = match answer {
            Ok(()) | Err(ContentError::Page { .. }) => Outcome::passed(format!("{shown} answers.")),
            Err(ContentError::Status { status, .. }) if status < 500 && status != 407 => {
                Outcome::passed(format!("{shown} answers."))
            }
            Err(ContentError::Upstream(error)) => return teller.fail(Station::Files, &error, took).await,
            Err(error) => Outcome::Failed {
                text: format!("Files do not come: {error}."),
                advice: "Check the port number for files under More connection settings, and that the proxy server and firewalls let connections to this host through."
                    .to_owned(),
            },
        };
        teller.tell(Station::Files, outcome, took).await
    }

    /// Said when a request went through the proxy server.
    async fn signed_in(&self, teller: &Teller, client: &UpstreamClient, took: Duration) -> Result<(), Ended> {
        let who = self.target.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref());
        let Some((who, scheme)) = who.zip(client.connections().proxy_scheme()) else { return Ok(()) };
        let text = format!("Signed in as {} with {scheme}.", who.qualified_user());
        teller.tell(Station::ProxySignIn, Outcome::passed(text), took).await
    }
}

fn offered(proxy: &ProxyTarget, offer: &Offer) -> Outcome {
    let shown = proxy.shown();
    match offer {
        Offer::Open if proxy.credentials.is_some() => {
            Outcome::passed(format!("{shown} did not ask for the user name."))
        }
        Offer::Open => Outcome::passed(format!("{shown} needs no sign-in.")),
        Offer::SignIn { names, in_clear: true, .. } => Outcome::noted(format!(
            "{shown} offers {names}. The password is sent in clear text, because only Basic can be used."
        )),
        Offer::SignIn { names, has_negotiate, .. } => {
            let kerberos = if *has_negotiate { " Weir does not offer Kerberos." } else { "" };
            Outcome::passed(format!("{shown} offers {names}.{kerberos}"))
        }
    }
}

fn secured(handshake: &Handshake) -> Outcome {
    let Some(presented) = &handshake.presented else {
        return Outcome::passed(format!("{}.", handshake.version));
    };
    let text = format!("{}, a certificate {presented}.", handshake.version);
    if presented.not_after - Utc::now() < ENDS_SOON {
        return Outcome::noted(format!("{text} It ends soon; have it renewed."));
    }
    Outcome::passed(text)
}

fn clock(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> Outcome {
    let difference = ClockDifference::between(theirs, ours);
    if difference.is_far() { Outcome::noted(difference.words()) } else { Outcome::passed(difference.words()) }
}

fn configuration(config: &GetConfigDataReply) -> String {
    let languages = config.languages.iter().filter(|language| language.id != 0).count();
    let version = config.protocol_version.as_deref().unwrap_or_default();
    let version: String = version.chars().filter(char::is_ascii_graphic).take(12).collect();
    let version = if version.is_empty() { String::new() } else { format!(" It reports version {version}.") };
    let languages = match languages {
        0 => "all languages".to_owned(),
        1 => "1 language".to_owned(),
        count => format!("{count} languages"),
    };
    let files = match config.catalog_only_sync {
        true => "Catalogue only: files come from the addresses that the update information names.",
        false => "It has files itself.",
    };
    format!("{} revisions in one request at most, {languages}. {files}{version}", config.batch_size())
}

/// Hands steps over.
struct Teller {
    steps: Sender<Step>,
}

impl Teller {
    async fn tell(&self, station: Station, outcome: Outcome, took: Duration) -> Result<(), Ended> {
        let is_failed = matches!(outcome, Outcome::Failed { .. });
        let heard = self.steps.send(Step { station, outcome, took }).await.is_ok();
        if heard && !is_failed { Ok(()) } else { Err(Ended) }
    }

    /// The last step.
    async fn end<T>(&self, station: Station, outcome: Outcome, took: Duration) -> Result<T, Ended> {
        let _ = self.tell(station, outcome, took).await;
        Err(Ended)
    }

    async fn fail<T>(&self, station: Station, error: &UpstreamError, took: Duration) -> Result<T, Ended> {
        self.end(station, error.into(), took).await
    }
}
