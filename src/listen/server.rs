//! Accepts connections and serves them until told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Answer;
use super::arrival::Proxies;
use super::connections::{Admitted, Connection, Connections, Phase};
use super::dispatch::{Incoming, Site};
use super::hosts::Hosts;
use super::limits::Limits;
use super::plain::Plain;
use super::refusal::{NO_ROOM, Refusal, SPEAK_TLS};
use super::tls::Tls;
use super::watched::Watched;
use super::{ListenError, body, refusal};

/// The browser shall ask with TLS only, for a year.
pub const HSTS: &str = "max-age=31536000";
/// First byte of a TLS connection: a handshake record. Source: RFC 8446 5.1. No HTTP request begins with it.
const TLS_HANDSHAKE: u8 = 22;
/// Bytes of a plain request that are taken in before it is told to speak TLS.
const PLAIN_BYTES: usize = 16 * 1024;

/// How a listener is reached, beside its address.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// Speaks TLS only; without it plain HTTP.
    pub tls: Option<Arc<Tls>>,
    pub plain: Plain,
    pub proxies: Proxies,
    pub hosts: Hosts,
    /// What a proxy puts before our paths: empty, or a path such as `/weir` without a slash at the end.
    pub base: Arc<str>,
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Port 0 takes a free port; [`Listener::address`] tells which.
    ///
    /// # Errors
    /// [`ListenError::Bind`].
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let refused = |source| ListenError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Self { socket, address })
    }

    /// Where this listener is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on with `site`.
    pub fn serve(self, site: Site, limits: Limits, door: Door) -> Serving {
        let shared = Arc::new(Shared {
            memory: Arc::new(Semaphore::new(limits.bodies_bytes.min(Semaphore::MAX_PERMITS))),
            limits,
            door,
            site,
            stopping: CancellationToken::new(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(accept(self.socket, shared.clone()));
        Serving { address: self.address, shared }
    }
}

struct Shared {
    limits: Limits,
    door: Door,
    site: Site,
    memory: Arc<Semaphore>,
    /// No new connections or requests; those under way may end.
    stopping: CancellationToken,
    /// Everything ends now.
    stopped: CancellationToken,
    tasks: TaskTracker,
}

/// A listener at work. Dropping it does not stop it; [`Serving::stop`] does.
pub struct Serving {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Serving {
    /// Where this listener is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, lets those under way finish, and cuts what is left after `within`.
    /// `true` when nothing had to be cut.
    pub async fn stop(self, within: Duration) -> bool {
        self.shared.stopping.cancel();
        self.shared.site.end_streams();
        self.shared.tasks.close();
        self.shared.site.tasks.close();
        let finished = async {
            self.shared.tasks.wait().await;
            self.shared.site.tasks.wait().await;
        };
        let in_time = tokio::time::timeout(within, finished).await.is_ok();
        self.shared.stopped.cancel();
        self.shared.tasks.wait().await;
        in_time
    }
}

async fn accept(socket: TcpListener, shared: Arc<Shared>) {
    let connections = Arc::new(Connections::default());
    loop {
        let accepted = tokio::select! {
            () = shared.stopping.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the peer left already: wait for better times.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let is_proxy = shared.door.proxies.include(peer.ip());
        match connections.admit(peer.ip(), is_proxy, &shared.limits) {
            Some(admitted) => {
                shared.tasks.spawn(serve_connection(stream, peer, admitted, shared.clone()));
            }
            None => {
                let _ = stream.try_write(NO_ROOM); // best effort: the connection closes either way
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, admitted: Admitted, shared: Arc<Shared>) {
    let connection = admitted.connection.clone();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "connection closed: the peer is gone");
        return;
    }
    // Watched below TLS, where it shows whether the peer takes what we send.
    let stream = Watched { stream, connection: connection.clone() };
    let Some(tls) = &shared.door.tls else {
        return converse(stream, peer, connection, shared).await;
    };
    let handshake = async {
        let mut first = [0];
        stream.stream.peek(&mut first).await?;
        if first[0] == TLS_HANDSHAKE {
            return tls.acceptor().accept(stream).await.map(Some);
        }
        refuse_plain(stream).await.map(|()| None)
    };
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(shared.limits.header_time, handshake) => outcome,
        () = connection.evicted.cancelled() => return,
        () = shared.stopping.cancelled() => return,
    };
    match outcome {
        Ok(Ok(Some(stream))) => converse(stream, peer, connection, shared).await,
        Ok(Ok(None)) => tracing::debug!(%peer, "connection closed: plain HTTP where TLS is spoken"),
        Ok(Err(error)) => tracing::debug!(%error, %peer, "connection closed: no TLS"),
        Err(_) => tracing::debug!(%peer, "connection closed: the TLS handshake took too long"),
    }
}

/// Takes the request in before the answer: were bytes left unread, the peer would see a reset instead.
async fn refuse_plain(mut stream: Watched<TcpStream>) -> std::io::Result<()> {
    let mut request = vec![0; PLAIN_BYTES];
    let _ = stream.read(&mut request).await?;
    stream.write_all(SPEAK_TLS).await?;
    stream.shutdown().await
}

/// Answers the requests of one connection until it ends.
async fn converse<S>(stream: S, peer: SocketAddr, connection: Arc<Connection>, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    connection.enter(Phase::Fresh); // the handshake had its own time
    let service = service_fn(|request| answer(request, peer, connection.clone(), shared.clone()));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None) // `Connection::overdue` tells headers from a pause between requests
        .max_headers(shared.limits.headers)
        .max_buf_size(shared.limits.header_bytes.max(8 * 1024))
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let mut clock = tokio::time::interval(Duration::from_secs(1).min(shared.limits.header_time / 4));
    let mut told_to_end = false;
    loop {
        tokio::select! {
            done = serving.as_mut() => {
                if let Err(error) = done {
                    tracing::debug!(%error, %peer, "connection closed");
                }
                return;
            }
            () = connection.evicted.cancelled() => return,
            () = shared.stopped.cancelled() => return,
            () = shared.stopping.cancelled(), if !told_to_end => {
                if matches!(connection.phase(), Phase::Fresh | Phase::Idle) {
                    return;
                }
                told_to_end = true;
                serving.as_mut().graceful_shutdown();
            }
            _ = clock.tick() => if let Some(why) = connection.overdue(&shared.limits) {
                tracing::debug!(why, %peer, "connection closed");
                return;
            }
        }
    }
}

/// The service hyper calls for each request. Never fails: a refusal is an answer too.
async fn answer(
    request: Request<hyper::body::Incoming>,
    peer: SocketAddr,
    connection: Arc<Connection>,
    shared: Arc<Shared>,
) -> Result<Response<Answer>, std::convert::Infallible> {
    connection.enter(Phase::Body);
    let (parts, mut body) = request.into_parts();
    let waits_for_leave = parts.headers.contains_key(hyper::header::EXPECT);
    let as_page = refusal::reads_pages(&parts.headers);
    let outcome = async {
        let incoming = Incoming::check(parts, peer, &shared.door)?;
        let received = body::read(&mut body, incoming.path(), &shared.limits, &shared.memory).await?;
        connection.enter(Phase::Serving);
        let (bytes, memory) = received.into_parts();
        shared.site.answer(incoming.with_body(bytes, memory), &connection).await
    };
    let outcome: Result<Response<Answer>, Refusal> = outcome.await;
    Ok(outcome.unwrap_or_else(|refusal| {
        if refusal.leaves_a_body() && !waits_for_leave {
            shared.tasks.spawn(body::drain(body, shared.limits.clone()));
        }
        let mut answer = refusal.answer(connection, as_page, &shared.door.base);
        if shared.door.tls.is_some() {
            answer
                .headers_mut()
                .insert(hyper::header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
        }
        answer
    }))
}
