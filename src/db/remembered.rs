//! A value that was read from the database, kept while the database says that it is still so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last value, and the mark of the state it was read from: something short that the database gives out, and that
/// changes with everything the value is made of. Asked for each time, so servers need not tell each other of changes.
pub struct Remembered<M, T>(Mutex<Option<(M, Arc<T>)>>);

impl<M, T> Default for Remembered<M, T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<M: PartialEq, T> Remembered<M, T> {
    /// The value, where it was kept under this very mark.
    pub fn under(&self, mark: &M) -> Option<Arc<T>> {
        self.lock().as_ref().filter(|(kept, _)| kept == mark).map(|(_, value)| Arc::clone(value))
    }

    /// Keeps a value in place of the last one. Its mark must have been read before it: then a change in between makes it
    /// newer than its mark says, and it is only read once more.
    pub fn keep(&self, mark: M, value: T) -> Arc<T> {
        let value = Arc::new(value);
        *self.lock() = Some((mark, Arc::clone(&value)));
        value
    }

    fn lock(&self) -> MutexGuard<'_, Option<(M, Arc<T>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Remembered;

    #[test]
    fn a_value_is_given_out_under_its_own_mark_only() {
        let remembered = Remembered::default();
        assert_eq!(remembered.under(&1), None);
        remembered.keep(1, "one");
        assert_eq!(remembered.under(&1).as_deref(), Some(&"one"));
        assert_eq!(remembered.under(&2), None);
        remembered.keep(2, "two");
        assert_eq!(remembered.under(&1), None);
    }
}
