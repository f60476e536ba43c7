//! People who may use the console: accounts with a role, their sessions, and the audit log.
//!
//! Passwords are hashed with argon2id away from the async threads; sessions are opaque tokens of
//! which only the hash is stored. This module owns the tables `accounts`, `sessions`, `password_links`,
//! `api_tokens` and `audit`.

pub mod audit;
pub mod display;
pub mod failures;
pub mod history;
pub mod links;
mod names;
pub mod own;
mod passwords;
pub mod people;
pub mod retention;
pub mod sessions;
pub mod setup;
mod signin;
mod store;
pub mod throttle;
pub mod tokens;
pub mod views;

pub use names::{AccountName, NAME_CHARS_MAX};
pub use passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordHashText};
pub use sessions::{Session, session_of, sign_out};
pub use signin::{Attempt, SignedIn, sign_in};
pub use store::{any_account, create, create_first};

/// The pool this module borrows connections from, never while it hashes.
pub use crate::db::Pool;

/// What a person may do. The order is the rank: each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads everything, changes nothing.
    Reporter,
    /// Starts and stops synchronizations.
    Operator,
    /// Changes settings and people.
    Administrator,
}

impl Role {
    /// As stored, and as typed on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reporter => "reporter",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    /// As shown on screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reporter => "Reporter",
            Self::Operator => "Operator",
            Self::Administrator => "Administrator",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = AccountError;

    /// # Errors
    /// [`AccountError::UnknownRole`] for anything but the three words.
    fn from_str(text: &str) -> Result<Self, AccountError> {
        match text {
            "reporter" => Ok(Self::Reporter),
            "operator" => Ok(Self::Operator),
            "administrator" => Ok(Self::Administrator),
            _ => Err(AccountError::UnknownRole),
        }
    }
}

/// One person, as the rest of the program sees them. The password hash never leaves this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Row id.
    pub id: i64,
    /// The name as it was typed when the account was made.
    pub name: String,
    /// What they may do now.
    pub role: Role,
}

/// Why something about an account did not work. The texts are for the person at the keyboard.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("Enter a user name of 1 to {NAME_CHARS_MAX} characters.")]
    NameLength,
    #[error("The user name has a character that cannot be seen. Type it again.")]
    NameInvisible,
    #[error("The user name mixes letters of different alphabets. Use one.")]
    NameMixed,
    #[error("Weir uses this name itself in the audit log. Choose another.")]
    NameReserved,
    #[error("There is already a user with this name.")]
    NameTaken,
    #[error("Use a password of {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters.")]
    PasswordLength,
    #[error("The password has a character that cannot be used (NUL).")]
    PasswordNul,
    #[error(
        "Many people use this password or one like it, so it is tried first. Choose another; a few unrelated words make a good one."
    )]
    PasswordCommon,
    #[error("The role is one of administrator, operator, reporter.")]
    UnknownRole,
    /// Wrong password, unknown user, disabled user: one answer for all.
    #[error("The user name or the password is not right.")]
    Refused,
    #[error("Too many failed attempts. Try again in {}.", in_words(*seconds))]
    Wait { seconds: u64 },
    #[error("The code is not right. It was written to the log when Weir started.")]
    SetupCode,
    #[error("Weir is already set up.")]
    AlreadySetUp,
    #[error("Nobody could administer this server any more. Make somebody else an administrator first.")]
    LastAdministrator,
    #[error("There is no such user, or the user may not sign in.")]
    Unknown,
    #[error("The link was used, replaced by a newer one, or is over. Ask an administrator for another.")]
    LinkOver,
    #[error("the password could not be hashed")]
    Hash,
    #[error("no database connection was free in time")]
    NoConnection,
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
}

/// `1 second`, `30 seconds`: a pause as a sentence tells it.
pub fn in_words(seconds: u64) -> String {
    format!("{seconds} {}", if seconds == 1 { "second" } else { "seconds" })
}

impl AccountError {
    /// Whether a new password was refused; the sentence belongs beside its field.
    pub fn is_about_new_password(&self) -> bool {
        matches!(self, Self::PasswordLength | Self::PasswordNul | Self::PasswordCommon)
    }
}

#[cfg(test)]
mod tests {
    use super::AccountError;

    #[test]
    fn a_pause_is_told_in_the_right_number() {
        let told = |seconds| AccountError::Wait { seconds }.to_string();
        assert_eq!(told(1), "Too many failed attempts. Try again in 1 second.");
        assert_eq!(told(30), "Too many failed attempts. Try again in 30 seconds.");
    }
}
