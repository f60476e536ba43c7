//! Keys of the advisory locks that processes share: in one place, so that no two are the same.

/// What a lock is for. The numbers must not change: two versions of the program may work on one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Lock {
    /// One migrates.
    Migration = BASE + 1,
    /// Publications, one after the other, so that their stamps rise in the order of their commits.
    Publication = BASE + 2,
    /// Shared: works with the secret key. Alone: replaces it.
    SecretKey = BASE + 3,
    /// Importers take turns.
    Import = BASE + 4,
    /// One makes the first account.
    Setup = 0x5765_6972_5365_7475,
}

/// "weir" and a number.
const BASE: i64 = 0x7765_6972_0000_0000;

impl Lock {
    /// What PostgreSQL knows it by.
    #[must_use]
    pub const fn key(self) -> i64 {
        self as i64
    }
}
