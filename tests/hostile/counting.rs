//! An allocator that counts for each thread what it holds and the most it held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // Not there any more while a thread ends.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What something took.
#[derive(Debug)]
pub struct Used {
    /// The most bytes held at once by this thread, beyond what it held before.
    pub bytes: usize,
    /// On a processor, so that a busy machine does not count.
    pub time: Duration,
}

/// How long this thread has been on a processor; the wall clock where the system does not say.
fn time_used(begun: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|first| first.parse().ok()).filter(|used| *used > 0);
    nanoseconds.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// Does something on this thread and measures it.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Used) {
    let begun = Instant::now();
    let time_before = time_used(begun);
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    let bytes = (PEAK.get() - before) as usize;
    (result, Used { bytes, time: time_used(begun) - time_before })
}
