//! How long a call may take and how much it may bring.

use std::time::Duration;

/// Limits of one call. Ours; the protocol sets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportLimits {
    /// Name lookup, TCP, proxy tunnel and TLS together.
    pub connect: Duration,
    /// From the request's last byte to the end of the answer's headers.
    pub headers: Duration,
    /// The whole call.
    pub call: Duration,
    /// Silence between two pieces of an answer.
    pub idle: Duration,
    /// The span over which the rate is measured.
    pub rate_window: Duration,
    /// Fewer unpacked bytes than this within one `rate_window` end the call.
    pub rate_min_bytes: usize,
    /// Unpacked bytes of one answer that holds documents.
    pub documents_max_bytes: usize,
    /// Unpacked bytes of any other answer (a list of 200,000 revisions has about 26 MB).
    pub answer_max_bytes: usize,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(120),
            call: Duration::from_secs(180),
            idle: Duration::from_secs(45),
            rate_window: Duration::from_secs(30),
            rate_min_bytes: 16 * 1024,
            documents_max_bytes: 288 << 20,
            answer_max_bytes: 128 << 20,
        }
    }
}
