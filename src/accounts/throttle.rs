//! A growing pause after failed sign-ins, for each account and each address, in bounded memory.
//!
//! A try counts when it begins, under one lock, so that parallel guesses cannot slip through;
//! a right answer takes the count back. Pauses are short, and who signed in to an account before is counted apart
//! from those who guess at it from elsewhere, so that nobody can be locked out for good.

use super::AccountError;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Keys remembered at once; beyond that the oldest are forgotten.
const KEYS_MAX: usize = 20_000;
/// Pairs of account and address remembered as known; beyond that the oldest are forgotten.
const KNOWN_MAX: usize = 2_000;
/// With so many addresses those that nobody waits for are forgotten; the others are as few as there are requests.
const TURNS_SWEPT: usize = 256;
/// A count is forgotten after so long without a try.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

/// What failures are counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The start of a hash of the account's folded name, known or not.
    Account([u8; 16]),
    /// An IPv4 address, or the first 64 bits of an IPv6 one.
    Address([u8; 8]),
    /// An account from an address that signed in to it before.
    Known([u8; 16], [u8; 8]),
}

impl Key {
    /// Tries before the first pause, and the longest pause.
    fn rule(&self) -> (u32, Duration) {
        match self {
            Self::Account(_) | Self::Known(..) => (5, Duration::from_secs(30)),
            Self::Address(_) => (20, Duration::from_secs(60)),
        }
    }

    /// The key of an account name.
    pub fn account(folded: &str) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&Sha256::digest(folded.as_bytes())[..16]);
        Self::Account(short)
    }

    /// The key of a peer's address.
    pub fn address(ip: IpAddr) -> Self {
        let mut short = [0; 8];
        match ip.to_canonical() {
            IpAddr::V4(ip) => short[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => short.copy_from_slice(&ip.octets()[..8]),
        }
        Self::Address(short)
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    tries: u32,
    last: Instant,
    open_at: Instant,
}

/// The counts of this process.
#[derive(Debug, Default)]
pub struct Gate {
    counts: Mutex<HashMap<Key, Count>>,
    /// Account and address of those who signed in, with the moment.
    known: Mutex<HashMap<Key, Instant>>,
    /// Addresses whose password is being checked.
    turns: Mutex<HashMap<Key, Weak<tokio::sync::Mutex<()>>>>,
}

/// The right of an address to have a password checked; others of the same address wait until it is dropped.
pub struct Turn {
    _guard: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Gate {
    /// What a sign-in to `account` from `address` is counted for.
    pub fn keys(&self, account: Option<Key>, address: Option<Key>) -> Vec<Key> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = pair(account.as_ref(), address.as_ref()).filter(|pair| known.contains_key(pair));
        pair.or(account).into_iter().chain(address).collect()
    }

    /// From now on whoever guesses at the account from elsewhere does not keep this address waiting.
    fn remember(&self, keys: &[Key]) {
        let find = |wanted: fn(&Key) -> bool| keys.iter().find(|key| wanted(key));
        let account = find(|key| matches!(key, Key::Account(_)));
        let Some(pair) = pair(account, find(|key| matches!(key, Key::Address(_)))) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            let oldest = known.iter().min_by_key(|(_, since)| **since).map(|(key, _)| key.clone());
            oldest.and_then(|key| known.remove(&key));
        }
        known.insert(pair, Instant::now());
    }

    /// Waits until no other password of this address is being checked. Hashing is slow and its queue has one end, so
    /// without this a burst from one address, although it is soon paused, would keep everybody waiting.
    pub async fn turn(&self, keys: &[Key]) -> Turn {
        let Some(key) = keys.iter().find(|key| matches!(key, Key::Address(_))) else {
            return Turn { _guard: None };
        };
        let lock = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= TURNS_SWEPT {
                turns.retain(|_, lock| lock.strong_count() > 0);
            }
            let lock = turns.get(key).and_then(Weak::upgrade).unwrap_or_default();
            turns.insert(key.clone(), Arc::downgrade(&lock));
            lock
        };
        Turn { _guard: Some(lock.lock_owned().await) }
    }

    /// Counts one try for each of `keys`, or says how long to wait; then nothing is counted. `true`: with this try
    /// the pauses begin for one of them.
    ///
    /// # Errors
    /// [`AccountError::Wait`] with the longest pause of the keys, in whole seconds, rounded up.
    pub fn begin(&self, keys: &[Key]) -> Result<bool, AccountError> {
        self.begin_at(keys, Instant::now())
    }

    fn begin_at(&self, keys: &[Key], now: Instant) -> Result<bool, AccountError> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let open_at = keys.iter().filter_map(|key| counts.get(key)).map(|count| count.open_at).max();
        if let Some(wait) =
            open_at.and_then(|at| at.checked_duration_since(now)).filter(|wait| !wait.is_zero())
        {
            return Err(AccountError::Wait { seconds: wait.as_secs() + 1 });
        }
        if counts.len() + keys.len() > KEYS_MAX {
            make_room(&mut counts, now);
        }
        let mut begins = false;
        for key in keys {
            let fresh = Count { tries: 0, last: now, open_at: now };
            let count = counts.entry(key.clone()).or_insert(fresh);
            if now.duration_since(count.last) > FORGET_AFTER {
                *count = fresh;
            }
            let (free, pause_max) = key.rule();
            count.tries = count.tries.saturating_add(1);
            count.last = now;
            begins |= count.tries == free;
            if count.tries >= free {
                let pause = Duration::from_secs(1 << (count.tries - free).min(10)).min(pause_max);
                count.open_at = now + pause;
            }
        }
        Ok(begins)
    }

    /// Takes the try back: an account that signed in starts anew, an address gets this one try back.
    pub fn succeeded(&self, keys: &[Key]) {
        self.remember(keys);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            match key {
                Key::Account(_) | Key::Known(..) => drop(counts.remove(key)),
                Key::Address(_) => {
                    if let Some(count) = counts.get_mut(key) {
                        count.tries = count.tries.saturating_sub(1);
                        count.open_at = count.last;
                    }
                }
            }
        }
    }
}

fn pair(account: Option<&Key>, address: Option<&Key>) -> Option<Key> {
    match (account, address) {
        (Some(Key::Account(account)), Some(Key::Address(address))) => Some(Key::Known(*account, *address)),
        _ => None,
    }
}

/// Forgets what is old, and if that is not enough, the older half.
fn make_room(counts: &mut HashMap<Key, Count>, now: Instant) {
    counts.retain(|_, count| now.duration_since(count.last) <= FORGET_AFTER);
    if counts.len() * 10 > KEYS_MAX * 9 {
        let mut ages: Vec<Instant> = counts.values().map(|count| count.last).collect();
        let middle = ages.len() / 2;
        let (_, median, _) = ages.select_nth_unstable(middle);
        let median = *median;
        counts.retain(|_, count| count.last > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_of(result: Result<bool, AccountError>) -> u64 {
        match result {
            Err(AccountError::Wait { seconds }) => seconds,
            _ => 0,
        }
    }

    #[tokio::test]
    async fn one_address_has_one_password_checked_at_a_time_and_leaves_nothing_behind() {
        let gate = Gate::default();
        let key = |last: u8| [Key::address([192, 0, 2, last].into())];
        let first = gate.turn(&key(1)).await;
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, gate.turn(&key(1))).await.is_err(), "the second waits");
        assert!(tokio::time::timeout(short, gate.turn(&key(2))).await.is_ok(), "another address does not");
        assert!(tokio::time::timeout(short, gate.turn(&[])).await.is_ok());
        drop(first);
        assert!(tokio::time::timeout(short, gate.turn(&key(1))).await.is_ok());
        for n in 0..10_000_u32 {
            drop(gate.turn(&[Key::address(std::net::Ipv4Addr::from(n).into())]).await);
        }
        assert!(gate.turns.lock().unwrap().len() <= TURNS_SWEPT);
    }

    #[test]
    fn r164_the_pause_grows_and_ends() {
        let gate = Gate::default();
        let key = [Key::account("admin")];
        let mut now = Instant::now();
        for _ in 0..5 {
            assert_eq!(wait_of(gate.begin_at(&key, now)), 0);
        }
        assert_eq!(wait_of(gate.begin_at(&key, now)), 2);
        for _ in 0..20 {
            now += Duration::from_secs(31);
            assert_eq!(wait_of(gate.begin_at(&key, now)), 0, "never longer than the longest pause");
        }
        assert_eq!(wait_of(gate.begin_at(&key, now)), 31);
        gate.succeeded(&key);
        assert_eq!(wait_of(gate.begin_at(&key, now)), 0);
    }

    #[test]
    fn r165_an_address_is_paused_over_many_accounts() {
        let gate = Gate::default();
        let now = Instant::now();
        let address = Key::address("192.0.2.7".parse().unwrap());
        for n in 0..20 {
            let keys = [Key::account(&format!("user{n}")), address.clone()];
            assert_eq!(wait_of(gate.begin_at(&keys, now)), 0);
        }
        assert!(wait_of(gate.begin_at(&[Key::account("other"), address], now)) > 0);
        let elsewhere = Key::address("192.0.2.8".parse().unwrap());
        assert_eq!(wait_of(gate.begin_at(&[Key::account("other"), elsewhere], now)), 0);
    }

    #[test]
    fn r164_ten_thousand_guesses_get_a_few_answers_and_the_right_one_comes_through_afterwards() {
        let (gate, key) = (Gate::default(), [Key::account("admin")]);
        let start = Instant::now();
        let at = |n: u64| start + Duration::from_millis(n * 6); // 10,000 in a minute
        let answered = (0..10_000).filter(|n| gate.begin_at(&key, at(*n)).is_ok()).count();
        assert!((5..=10).contains(&answered), "{answered}");
        let wait = wait_of(gate.begin_at(&key, at(10_000)));
        assert!(wait <= 31, "{wait}");
        assert!(gate.begin_at(&key, at(10_000) + Duration::from_secs(wait)).is_ok());
    }

    #[test]
    fn r164_parallel_guesses_are_counted_exactly() {
        let (gate, key, now) = (Gate::default(), Key::account("admin"), Instant::now());
        let passed = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    if gate.begin_at(std::slice::from_ref(&key), now).is_ok() {
                        passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 5);
    }

    #[test]
    fn r165_guesses_from_elsewhere_keep_nobody_out_who_signed_in_before() {
        let (gate, now) = (Gate::default(), Instant::now());
        let account = Key::account("admin");
        let from = |last: u8| Key::address(std::net::Ipv4Addr::new(192, 0, 2, last).into());
        let own = gate.keys(Some(account.clone()), Some(from(1)));
        gate.begin_at(&own, now).unwrap();
        gate.succeeded(&own);
        for stranger in 2..250 {
            let _ = gate.begin_at(&gate.keys(Some(account.clone()), Some(from(stranger))), now);
        }
        let elsewhere = gate.keys(Some(account.clone()), Some(from(250)));
        assert!(wait_of(gate.begin_at(&elsewhere, now)) > 0);
        for _ in 0..5 {
            let own = gate.keys(Some(account.clone()), Some(from(1)));
            assert_eq!(wait_of(gate.begin_at(&own, now)), 0);
        }
        let own = gate.keys(Some(account), Some(from(1)));
        assert!(wait_of(gate.begin_at(&own, now)) > 0, "guesses from there have their own limit");
    }

    #[test]
    fn memory_stays_bounded() {
        let gate = Gate::default();
        let now = Instant::now();
        for n in 0..(KEYS_MAX * 2) {
            let _ = gate.begin_at(&[Key::account(&n.to_string())], now + Duration::from_millis(n as u64));
        }
        assert!(gate.counts.lock().unwrap().len() <= KEYS_MAX);
        for n in 0..(KNOWN_MAX as u32 + 50) {
            let address = Key::address(std::net::Ipv4Addr::from(n).into());
            gate.succeeded(&gate.keys(Some(Key::account("anna")), Some(address)));
        }
        assert!(gate.known.lock().unwrap().len() <= KNOWN_MAX);
    }
}
