//! What one listener allows, by name.

use std::time::Duration;

/// Bounds of one listener. All of them are ours; HTTP sets none.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at once. One more closes the connection that has been waiting longest.
    pub connections: usize,
    /// The same for one peer address.
    pub connections_per_peer: usize,
    /// From the first moment of a connection, or the first byte of a later request, to the end of its headers.
    pub header_time: Duration,
    /// Request line and headers together, in bytes. At least 8,192.
    pub header_bytes: usize,
    /// Number of request headers.
    pub headers: usize,
    /// Largest request body in bytes, by path.
    pub body_bytes: fn(&str) -> usize,
    /// Request bodies of all connections together, in bytes.
    pub bodies_bytes: usize,
    /// A body may take this long, plus the time it needs at [`Limits::body_rate`].
    pub body_grace: Duration,
    /// Slowest average pace of a body, in bytes per second.
    pub body_rate: u32,
    /// A kept-open connection without a next request is closed after this time.
    pub keep_alive: Duration,
    /// The rest of a refused body is still taken in for this time, so that its sender reads why.
    pub linger: Duration,
    /// The same in bytes.
    pub linger_bytes: usize,
    /// An answer the peer does not take is given up after this time without progress.
    pub write_stall: Duration,
}

impl Limits {
    /// The longest a body may still take after `received` bytes, counted from its start.
    pub(super) fn body_time(&self, received: usize) -> Duration {
        self.body_grace + Duration::from_secs_f64(received as f64 / f64::from(self.body_rate.max(1)))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_per_peer: 128,
            header_time: Duration::from_secs(10),
            header_bytes: 32 * 1024,
            headers: 100,
            body_bytes: |_| 64 * 1024,
            bodies_bytes: 64 * 1024 * 1024,
            body_grace: Duration::from_secs(10),
            body_rate: 4 * 1024,
            keep_alive: Duration::from_secs(75),
            linger: Duration::from_secs(5),
            linger_bytes: 16 * 1024 * 1024,
            write_stall: Duration::from_secs(60),
        }
    }
}
