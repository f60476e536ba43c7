//! Who is connected, and what each connection is waiting for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::limits::Limits;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No request has come yet.
    Fresh,
    /// Between two requests.
    Idle,
    /// Some bytes of a request's headers are here.
    Headers,
    /// The body is being read.
    Body,
    /// An answer is being made or sent.
    Serving,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    write_blocked: Option<Instant>,
}

/// One open connection.
#[derive(Debug)]
pub struct Connection {
    pub peer: IpAddr,
    /// Cancelled when the connection has to make room for another.
    pub evicted: CancellationToken,
    state: Mutex<State>,
}

impl Connection {
    fn new(peer: IpAddr) -> Self {
        let state = State { phase: Phase::Fresh, since: Instant::now(), write_blocked: None };
        Self { peer, evicted: CancellationToken::new(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    pub fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
    }

    /// Bytes came in. The clock for the headers starts with the first one of a request.
    pub fn bytes_came(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Headers);
        }
    }

    /// Notes whether the peer takes what we send.
    pub fn write_went(&self, blocked: bool) {
        let mut state = self.state();
        if !blocked {
            state.write_blocked = None;
        } else if state.write_blocked.is_none() {
            state.write_blocked = Some(Instant::now());
        }
    }

    /// The limit that has passed, in words for the log; `None` while all is well.
    pub fn overdue(&self, limits: &Limits) -> Option<&'static str> {
        let state = self.state();
        let waited = state.since.elapsed();
        if state.write_blocked.is_some_and(|since| since.elapsed() > limits.write_stall) {
            return Some("the peer does not take the answer");
        }
        match state.phase {
            Phase::Fresh | Phase::Headers if waited > limits.header_time => {
                Some("the request headers took too long")
            }
            Phase::Idle if waited > limits.keep_alive => Some("no further request came"),
            _ => None, // the body has its own clock
        }
    }
}

/// All open connections of one listener.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_id: HashMap<u64, Arc<Connection>>,
}

impl Connections {
    /// Makes room for one more, closing the connection that has been waiting longest where needed.
    /// `None`: every connection in question is busy with an answer.
    /// A `shared` peer is a proxy that brings many people and has no limit of its own.
    pub fn admit(self: &Arc<Self>, peer: IpAddr, shared: bool, limits: &Limits) -> Option<Admitted> {
        let peer = peer.to_canonical();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !shared
            && open.by_id.values().filter(|one| one.peer == peer).count() >= limits.connections_per_peer
        {
            open.evict(|one| one.peer == peer)?;
        }
        if open.by_id.len() >= limits.connections {
            open.evict(|_| true)?;
        }
        let id = open.next;
        open.next += 1;
        let connection = Arc::new(Connection::new(peer));
        open.by_id.insert(id, connection.clone());
        Some(Admitted { id, connection, all: self.clone() })
    }
}

impl Open {
    fn evict(&mut self, eligible: impl Fn(&Connection) -> bool) -> Option<()> {
        let longest = self
            .by_id
            .iter()
            .filter(|(_, one)| eligible(one) && one.phase() != Phase::Serving)
            .min_by_key(|(_, one)| one.state().since)
            .map(|(id, _)| *id)?;
        self.by_id.remove(&longest)?.evicted.cancel();
        Some(())
    }
}

/// A place among the open connections; given back on drop.
#[derive(Debug)]
pub struct Admitted {
    id: u64,
    pub connection: Arc<Connection>,
    all: Arc<Connections>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_id.remove(&self.id);
    }
}
