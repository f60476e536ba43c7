//! Where it is waited for the disk: on threads that nobody else waits for.
//!
//! Looks at the disk are short but may last, and a thread of the server that waits answers nobody meanwhile. Handing them
//! to another thread and being woken again costs more than most of them take. So whoever fetches many files has
//! [`Threads`] of his own, which wait themselves.

use std::cell::Cell;
use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use super::StoreError;

thread_local! {
    static MAY_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Threads for tasks that may wait for the disk. They end with this value, and their tasks are dropped.
pub struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts so many.
    ///
    /// # Errors
    /// The system's, when it has no more threads.
    pub fn start(count: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name("weir-files")
            .on_thread_start(|| MAY_WAIT.set(true))
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// To spawn tasks there.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background(); // waiting is not allowed here
        }
    }
}

/// Does what may wait for the disk for a moment: here, or on a thread for that.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    if MAY_WAIT.get() {
        return Ok(work()?);
    }
    hand_over(work).await
}

/// Does what waits for the disk for long.
pub(super) async fn hand_over<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{Threads, apart};

    #[tokio::test]
    async fn only_threads_for_files_wait_themselves() {
        let name = || Ok(thread::current().id());
        assert_ne!(apart(name).await.unwrap(), thread::current().id());
        let threads = Threads::start(2).unwrap();
        let there =
            threads.handle().spawn(async move { (apart(name).await.unwrap(), thread::current().id()) });
        let (worked, asked) = there.await.unwrap();
        assert_eq!(worked, asked);
        let endless = threads.handle().spawn(std::future::pending::<()>());
        drop(threads);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
