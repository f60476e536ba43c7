//! Reads a request body whole, within the limits of the listener.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::limits::Limits;
use super::refusal::Refusal;

/// A request body in memory, with its share of the memory all bodies may take together.
#[derive(Debug)]
pub struct Received {
    pub bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl Received {
    /// The bytes, and the share to hold until they are no longer needed.
    pub fn into_parts(self) -> (Vec<u8>, Option<OwnedSemaphorePermit>) {
        (self.bytes, self.share)
    }
}

/// # Errors
/// [`Refusal::BodyTooLarge`] as soon as the announced or the received length says so;
/// [`Refusal::BodyTooSlow`], [`Refusal::BodyBroken`], [`Refusal::Busy`].
pub async fn read(
    body: &mut Incoming,
    path: &str,
    limits: &Limits,
    memory: &Arc<Semaphore>,
) -> Result<Received, Refusal> {
    let bytes_max = (limits.body_bytes)(path);
    let announced = body.size_hint();
    if announced.lower() > bytes_max as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    let started = Instant::now();
    let mut received = Received { bytes: Vec::new(), share: None };
    if let Some(exact) = announced.exact() {
        received.bytes.reserve_exact((exact as usize).min(64 * 1024));
    }
    loop {
        let deadline = started + limits.body_time(received.bytes.len());
        let next = tokio::time::timeout_at(deadline, body.frame()).await;
        let Some(frame) = next.map_err(|_| Refusal::BodyTooSlow)? else {
            return Ok(received);
        };
        let Ok(chunk) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else {
            continue; // trailers say nothing to us
        };
        if received.bytes.len() + chunk.len() > bytes_max {
            return Err(Refusal::BodyTooLarge);
        }
        received.take_share(chunk.len(), memory)?;
        received.bytes.extend_from_slice(&chunk);
    }
}

/// Takes in what a refused peer goes on sending, and forgets it: were the connection cut while bytes arrive, the peer
/// would see a reset instead of the answer. Ends after [`Limits::linger`], or [`Limits::linger_bytes`].
pub async fn drain(mut body: Incoming, limits: Limits) {
    let mut left = limits.linger_bytes;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, bytes::Bytes::len);
            match left.checked_sub(len) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(limits.linger, rest).await; // the answer is on its way in any case
}

impl Received {
    fn take_share(&mut self, len: usize, memory: &Arc<Semaphore>) -> Result<(), Refusal> {
        let len = u32::try_from(len).map_err(|_| Refusal::BodyTooLarge)?;
        let more = memory.clone().try_acquire_many_owned(len).map_err(|_| Refusal::Busy)?;
        match &mut self.share {
            Some(share) => share.merge(more),
            None => self.share = Some(more),
        }
        Ok(())
    }
}
