//! What those who fetch files share with the one who looks after them: what is due, what is under way and what has ended.
//!
//! Whoever has fetched a file takes the next one from here, without waiting for anybody.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use tokio::sync::Notify;

use super::fetcher::Fetcher;
use super::ledger::Ended;
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
    ended: Vec<Ended>,
    /// Somebody waits for the next one that ends.
    is_awaited: bool,
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
            ended: Vec::new(),
            is_awaited: false,
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

    /// Lists files that are due, after those that are listed already or in their place. What somebody took meanwhile is
    /// none of them.
    pub fn list(&self, due: Vec<Wanted>, in_place: bool) {
        let state = &mut *self.state();
        if in_place {
            state.due.clear();
        }
        for file in due {
            let is_taken = state.under_way.contains_key(&file.file_row)
                || state.ended.iter().any(|one| one.file.file_row == file.file_row);
            if !is_taken {
                let host = state.fetcher.host(&file);
                state.due.push_back((file, host));
            }
        }
    }

    /// Rows of the files that are under way or have ended; with `and_due` also of those that are listed.
    pub fn held(&self, and_due: bool) -> Vec<i32> {
        let state = self.state();
        let ended = state.ended.iter().map(|one| one.file.file_row);
        let due = state.due.iter().filter(|_| and_due).map(|(file, _)| file.file_row);
        state.under_way.keys().copied().chain(ended).chain(due).collect()
    }

    /// Few are listed.
    pub fn is_low(&self) -> bool {
        self.state().due.len() < DUE_MIN
    }

    /// How many could be begun now, at most.
    pub fn places(&self) -> usize {
        let state = self.state();
        match state.next() {
            Some(_) => state.due.len().min(usize::from(state.limits.workers) - state.under_way.len()),
            None => 0,
        }
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

    /// What has ended since the last time. With none, [`Board::changed`] tells of the next.
    pub fn take_ended(&self) -> Vec<Ended> {
        let mut state = self.state();
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

    /// Fetches one file after the other, until none can be begun.
    pub async fn work(self: Arc<Self>) {
        while let Some(taken) = self.take() {
            taken.fetch().await;
        }
    }

    fn take(self: &Arc<Self>) -> Option<Taken> {
        let state = &mut *self.state();
        let (file, host) = state.next().and_then(|place| state.due.remove(place))?;
        if state.due.len() + 1 == DUE_MIN {
            self.bell.notify_one();
        }
        let here = Arc::<AtomicU64>::default();
        let begun = Begun { file_row: file.file_row, at: Utc::now(), bytes: 0 };
        let place = Place { board: self.clone(), file_row: file.file_row };
        let under_way = UnderWay { host, begun, here: here.clone(), is_noted: false };
        state.under_way.insert(file.file_row, under_way);
        Some(Taken { file, fetcher: state.fetcher.clone(), here, place })
    }
}

impl State {
    /// The place of the file that is begun next.
    fn next(&self) -> Option<usize> {
        let has_place =
            self.under_way.len() < usize::from(self.limits.workers) && self.ended.len() < ENDED_MAX;
        if !self.is_ready || !has_place {
            return None;
        }
        let of_host = |host: &str| self.under_way.values().filter(|one| one.host == host).count();
        self.due.iter().position(|(_, host)| of_host(host) < usize::from(self.limits.per_host))
    }
}

/// A file that somebody took to fetch it.
struct Taken {
    file: Wanted,
    fetcher: Arc<Fetcher>,
    here: Arc<AtomicU64>,
    place: Place,
}

impl Taken {
    async fn fetch(self) {
        let Self { file, fetcher, here, place } = self;
        let mut restarted = false;
        let result = fetcher.fetch(&file, &here, &mut restarted).await;
        place.end(Ended { file, result, restarted });
    }
}

/// The place of a file that is under way. Given back with this value, also when fetching breaks off.
struct Place {
    board: Arc<Board>,
    file_row: i32,
}

impl Place {
    fn end(self, ended: Ended) {
        let mut state = self.board.state();
        // in one step, so that it is never in neither place
        state.under_way.remove(&self.file_row);
        state.ended.push(ended);
        if std::mem::take(&mut state.is_awaited) {
            self.board.bell.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.board.state().under_way.remove(&self.file_row);
    }
}
