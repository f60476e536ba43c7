//! One sign-in at a time until one was accepted, and none after one was refused, so that many connections with a
//! wrong password do not lock the account.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::random;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

use super::error::ProxyError;
use crate::upstream::ProxyTarget;

/// What was refused is not tried again by background work for this long (ours; half an hour is what Windows domains
/// take to forget failed attempts).
const HOLD_BACK: Duration = Duration::from_secs(30 * 60);
/// Accounts that are remembered as refused.
const REMEMBERED_MAX: usize = 64;

/// What this process knows of refused accounts; their names and passwords are only recognized.
static REFUSED: Mutex<Vec<([u8; 32], Instant)>> = Mutex::new(Vec::new());

/// The gate in front of the sign-ins of one relay.
pub(super) struct Gate {
    account: [u8; 32],
    /// Held by the one that tries first.
    first: tokio::sync::Mutex<()>,
    is_open: AtomicBool,
    refused: OnceLock<ProxyError>,
}

/// Leave to sign in.
pub(super) struct Turn<'a> {
    _first: Option<tokio::sync::MutexGuard<'a, ()>>,
}

impl Gate {
    pub fn new(target: &ProxyTarget) -> Self {
        let refused = OnceLock::new();
        let account = recognize(target);
        if target.is_patient
            && let Some(since) = refused_since(account)
        {
            let (waited, whole) = (since.elapsed(), HOLD_BACK.as_secs() / 60);
            let minutes = waited.as_secs() / 60;
            let _ = refused.set(ProxyError::SignInHeldBack {
                proxy: target.shown(),
                minutes,
                left: whole.saturating_sub(minutes).max(1),
            });
        }
        let is_open = AtomicBool::new(target.credentials.is_none());
        Self { account, first: tokio::sync::Mutex::default(), is_open, refused }
    }

    /// Waits until it is known whether the account is good, or one's own turn to find out.
    ///
    /// # Errors
    /// What the proxy server said to the one before.
    pub async fn enter(&self) -> Result<Turn<'_>, ProxyError> {
        let mut turn = Turn { _first: None };
        if !self.is_open.load(Ordering::Acquire) {
            let guard = self.first.lock().await;
            if !self.is_open.load(Ordering::Acquire) {
                turn._first = Some(guard);
            }
        }
        match self.refused.get() {
            Some(error) => Err(error.clone()),
            None => Ok(turn),
        }
    }

    /// The proxy server let a request pass.
    pub fn passed(&self) {
        if !self.is_open.swap(true, Ordering::AcqRel) {
            remembered().retain(|(account, _)| *account != self.account);
        }
    }

    /// The proxy server refused. Nobody tries again here, and background work waits.
    pub fn refused(&self, error: &ProxyError) {
        if self.refused.set(error.clone()).is_ok() && matches!(error, ProxyError::SignInRefused { .. }) {
            let mut list = remembered();
            list.retain(|(account, since)| *account != self.account && since.elapsed() < HOLD_BACK);
            if list.len() < REMEMBERED_MAX {
                list.push((self.account, Instant::now()));
            }
        }
    }
}

fn remembered() -> std::sync::MutexGuard<'static, Vec<([u8; 32], Instant)>> {
    REFUSED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn refused_since(account: [u8; 32]) -> Option<Instant> {
    let list = remembered();
    let found = list.iter().find(|(one, since)| *one == account && since.elapsed() < HOLD_BACK)?;
    Some(found.1)
}

/// Proxy server and account as a number that means nothing outside this process.
fn recognize(target: &ProxyTarget) -> [u8; 32] {
    static SALT: OnceLock<[u8; 32]> = OnceLock::new();
    let mut hash = Sha256::new();
    hash.update(SALT.get_or_init(random));
    hash.update(target.shown());
    if let Some(who) = &target.credentials {
        for part in [who.user.as_str(), &who.domain, &who.password] {
            hash.update([0]);
            hash.update(part);
        }
        hash.update([u8::from(who.basic_allowed)]);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::ProxyCredentials;

    fn target(user: &str, is_patient: bool) -> ProxyTarget {
        let credentials = ProxyCredentials {
            user: user.to_owned(),
            domain: String::new(),
            password: zeroize::Zeroizing::new("p".to_owned()),
            basic_allowed: false,
        };
        let server = "gate.example".to_owned();
        ProxyTarget { server, port: 3128, credentials: Some(credentials), is_patient }
    }

    fn refusal() -> ProxyError {
        ProxyError::SignInRefused { proxy: "gate.example:3128".to_owned(), scheme: "NTLM" }
    }

    #[tokio::test]
    async fn r120_while_one_tries_the_others_wait_and_share_its_answer() {
        let gate = std::sync::Arc::new(Gate::new(&target("waiting", false)));
        let first = gate.enter().await.unwrap();
        let others: Vec<_> = (0..5)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.enter().await.err() })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.refused(&refusal());
        drop(first);
        for other in others {
            assert_eq!(other.await.unwrap(), Some(refusal()));
        }
    }

    #[tokio::test]
    async fn r120_background_work_does_not_repeat_a_refused_account() {
        Gate::new(&target("kept", false)).refused(&refusal());
        let held = Gate::new(&target("kept", true)).enter().await.err().unwrap();
        assert!(matches!(held, ProxyError::SignInHeldBack { left: 30, .. }), "{held}");
        assert!(Gate::new(&target("other", true)).enter().await.is_ok());
        // A run that somebody asked for tries, and its success ends the waiting.
        let gate = Gate::new(&target("kept", false));
        let turn = gate.enter().await.unwrap();
        gate.passed();
        drop(turn);
        assert!(Gate::new(&target("kept", true)).enter().await.is_ok());
    }
}
