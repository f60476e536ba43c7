//! What those who fetch files share with the one who looks after them: what is due, what is under way and what has ended.
//!
//! Whoever has fetched a file takes the next one from here, without waiting for anybody.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use tokio::sync::Notify;

use super::fetcher::Fetcher;
use super::ledger::Ended;
use super::problem::Problem;
use crate::content::limits::Limits;
use crate::content::wanted::{Begun, Wanted};

/// Files that have come and are not written down yet; more are not begun then.
const ENDED_MAX: usize = 256;
/// With less than so many due files left, more of them are looked for.
const DUE_MIN: usize = 250;

/// Shared by all.
pub(super) struct Board {
    state: Mutex<State>,
    bell: Notify,
}

struct State {
    /// The way that files go from now on.
    fetcher: Arc<Fetcher>,
    limits: Limits,
    /// The store takes files.
    is_ready: bool,
    /// With their hosts.
    due: VecDeque<(Wanted, String)>,
    /// By row.
    under_way: HashMap<i32, UnderWay>,
    /// How many are under way from each host.
    from: HashMap<String, u16>,
    ended: Vec<Ended>,
    /// Rows of what is being written down.
    settling: Vec<i32>,
    /// Rows of what was written down since the board was asked what it holds.
    settled: HashSet<i32>,
    /// Somebody waits for the next one that ends.
    is_awaited: bool,
    /// Somebody took a file since [`Board::is_busy`] was asked.
    was_taken: bool,
}

/// A file that is under way.
struct UnderWay {
    host: String,
    begun: Begun,
    /// Bytes that were here when it began.
    here: Arc<AtomicU64>,
    /// The list says so; a file that is here within a moment never gets there.
    is_noted: bool,
}

impl Board {
    /// Nothing is due yet.
    pub fn new(fetcher: Arc<Fetcher>, limits: Limits) -> Self {
        let state = State {
            fetcher,
            limits,
            is_ready: false,
            due: VecDeque::new(),
            under_way: HashMap::new(),
            from: HashMap::new(),
            ended: Vec::new(),
            settling: Vec::new(),
            settled: HashSet::new(),
            is_awaited: false,
            was_taken: false,
        };
        Self { state: Mutex::new(state), bell: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fetcher(&self) -> Arc<Fetcher> {
        self.state().fetcher.clone()
    }

    pub fn is_ready(&self) -> bool {
        self.state().is_ready
    }

    /// What is under way ends as it began; what begins now goes the new way.
    pub fn set(&self, fetcher: Arc<Fetcher>, limits: Limits, is_ready: bool) {
        let mut state = self.state();
        (state.fetcher, state.limits, state.is_ready) = (fetcher, limits, is_ready);
    }

    /// All places are taken, and have been since this was asked last.
    pub fn is_busy(&self) -> bool {
        let mut state = self.state();
        let was_taken = std::mem::take(&mut state.was_taken);
        !was_taken && !state.has_place()
    }

    /// Rows of files that are no longer due: they are under way, have ended or are being written down; with `and_listed`
    /// also those that are listed here.
    pub fn held(&self, and_listed: bool) -> Vec<i32> {
        let state = &mut *self.state();
        state.settled.clear();
        let ended = state.ended.iter().map(|one| one.file.file_row);
        let listed = state.due.iter().filter(|_| and_listed).map(|(file, _)| file.file_row);
        let moving = state.under_way.keys().copied().chain(state.settling.iter().copied());
        moving.chain(ended).chain(listed).collect()
    }

    /// Lists files that are due, after those that are listed already or in their place. What has moved on since the board
    /// was asked what it holds is none of them.
    pub fn list(&self, due: Vec<Wanted>, in_place: bool) {
        let fetcher = self.fetcher();
        let hosts: Vec<String> = due.iter().map(|file| fetcher.host(file)).collect();
        let state = &mut *self.state();
        if in_place {
            state.due.clear();
        }
        let ended: HashSet<i32> = state.ended.iter().map(|one| one.file.file_row).collect();
        for (file, host) in due.into_iter().zip(hosts) {
            let row = file.file_row;
            let moved = state.under_way.contains_key(&row)
                || ended.contains(&row)
                || state.settling.contains(&row)
                || state.settled.contains(&row);
            if !moved {
                state.due.push_back((file, host));
            }
        }
    }

    /// Few are listed.
    pub fn is_low(&self) -> bool {
        self.state().due.len() < DUE_MIN
    }

    /// Those under way that the list does not know of yet; it does from now on.
    pub fn note_fresh(&self) -> Vec<Begun> {
        let mut state = self.state();
        let fresh = state.under_way.values_mut().filter(|one| !one.is_noted);
        fresh
            .map(|one| {
                one.is_noted = true;
                Begun { bytes: one.here.load(Ordering::Relaxed), ..one.begun }
            })
            .collect()
    }

    /// Rows of those that are not under way any more.
    pub fn that_left(&self, begun: &[Begun]) -> Vec<i32> {
        let state = self.state();
        begun.iter().map(|one| one.file_row).filter(|row| !state.under_way.contains_key(row)).collect()
    }

    /// What has ended since the last time, to be written down; what was taken before is written down by now. With none,
    /// [`Board::changed`] tells of the next.
    pub fn take_ended(&self) -> Vec<Ended> {
        let state = &mut *self.state();
        state.settled.extend(state.settling.drain(..));
        state.settling.extend(state.ended.iter().map(|one| one.file.file_row));
        state.is_awaited = state.ended.is_empty();
        std::mem::take(&mut state.ended)
    }

    pub fn has_ended(&self) -> bool {
        !self.state().ended.is_empty()
    }

    /// Until somebody should look here.
    pub async fn changed(&self) {
        self.bell.notified().await;
    }

    /// The file that is begun next, if one may be begun now.
    pub fn take(self: &Arc<Self>) -> Option<Taken> {
        let state = &mut *self.state();
        let (file, host) = state.next().and_then(|place| state.due.remove(place))?;
        if state.due.len() + 1 == DUE_MIN {
            self.bell.notify_one();
        }
        state.was_taken = true;
        let here = Arc::<AtomicU64>::default();
        let begun = Begun { file_row: file.file_row, at: Utc::now(), bytes: 0 };
        *state.from.entry(host.clone()).or_default() += 1;
        state.under_way.insert(file.file_row, UnderWay { host, begun, here: here.clone(), is_noted: false });
        let ended = Ended { file, result: Err(Problem::BrokenOff), restarted: false };
        Some(Taken { board: self.clone(), fetcher: state.fetcher.clone(), here, ended: Some(ended) })
    }
}

impl State {
    fn has_place(&self) -> bool {
        self.under_way.len() < usize::from(self.limits.workers) && self.ended.len() < ENDED_MAX
    }

    /// The place of the file that is begun next.
    fn next(&self) -> Option<usize> {
        if !self.is_ready || !self.has_place() {
            return None;
        }
        let of_host = |host: &str| self.from.get(host).copied().unwrap_or(0);
        self.due.iter().position(|(_, host)| of_host(host) < u16::from(self.limits.per_host))
    }

    fn leave(&mut self, file_row: i32) {
        let Some(UnderWay { host, .. }) = self.under_way.remove(&file_row) else { return };
        if let Some(count) = self.from.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                self.from.remove(&host);
            }
        }
    }
}

/// A file that somebody took to fetch it. When this is dropped it has ended, also when fetching it broke off.
pub(super) struct Taken {
    board: Arc<Board>,
    fetcher: Arc<Fetcher>,
    here: Arc<AtomicU64>,
    /// How it has ended if nothing else comes of it.
    ended: Option<Ended>,
}

impl Taken {
    /// Fetches it, and then one after the other until none may be begun.
    pub async fn work(self) {
        let board = self.board.clone();
        let mut next = Some(self);
        while let Some(taken) = next {
            taken.fetch().await;
            next = board.take();
        }
    }

    async fn fetch(mut self) {
        if let Some(ended) = &mut self.ended {
            ended.result = self.fetcher.fetch(&ended.file, &self.here, &mut ended.restarted).await;
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(ended) = self.ended.take() else { return };
        let state = &mut *self.board.state();
        // in one step, so that it is never in neither place
        state.leave(ended.file.file_row);
        state.ended.push(ended);
        if std::mem::take(&mut state.is_awaited) {
            self.board.bell.notify_one();
        }
    }
}
