//! Hashing and checking of passwords: argon2id, off the async threads, two at a time.

use super::AccountError;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password, in characters; checked before any hashing.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// Memory of one hash in KiB (19 MiB), passes and lanes: the floor OWASP names for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Words that are common here.
const CONTEXT: &[&str] = &["weir", "wsus", "windows", "microsoft", "update", "updates", "server"];

/// Hashes at once: each takes [`MEMORY_KIB`] and a processor.
const HASHERS: usize = 2;

type Work = Box<dyn FnOnce() + Send>;

/// Threads of their own, always the same: the allocator keeps what a thread has freed for that thread, so on ever new
/// ones of the runtime's pool the memory of a few hashes grew to that of dozens.
static QUEUE: LazyLock<mpsc::Sender<Work>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel::<Work>();
    let receiver = std::sync::Arc::new(Mutex::new(receiver));
    for _ in 0..HASHERS {
        let receiver = receiver.clone();
        std::thread::spawn(move || {
            loop {
                let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(work) = next else { return };
                // A panic is the loss of one answer, not of the thread.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            }
        });
    }
    sender
});

/// Checked against when there is no such user, so that the answer takes as long. Nobody knows its password.
static NOBODY: LazyLock<PasswordHashText> = LazyLock::new(|| {
    let random: [u8; 32] = rand::random();
    hash_now(&hex::encode(random)).unwrap_or_else(|_| PasswordHashText(String::new()))
});

/// A PHC string: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
#[derive(Clone)]
pub struct PasswordHashText(String);

impl PasswordHashText {
    /// Hashes a new password, if it can be one and is not a common one.
    ///
    /// # Errors
    /// Those of [`check_shape`], [`AccountError::PasswordCommon`], [`AccountError::Hash`].
    pub async fn of(password: &str) -> Result<Self, AccountError> {
        check_shape(password)?;
        let password = Zeroizing::new(password.to_owned());
        run(
            move || {
                if is_common(&password) { Err(AccountError::PasswordCommon) } else { hash_now(&password) }
            },
        )
        .await?
    }

    /// The hash of a password that nobody knows: for an account whose password is still to be set.
    ///
    /// # Errors
    /// [`AccountError::Hash`].
    pub async fn of_nothing() -> Result<Self, AccountError> {
        let random: [u8; 32] = rand::random();
        run(move || hash_now(&Zeroizing::new(hex::encode(random)))).await?
    }

    /// Wraps what the database holds; it is judged only when it is used.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `password` could be one: nothing is trimmed, NUL is refused.
///
/// # Errors
/// [`AccountError::PasswordLength`], [`AccountError::PasswordNul`].
pub(super) fn check_shape(password: &str) -> Result<(), AccountError> {
    // The byte bound comes first: counting the characters of a megabyte is work too.
    if password.len() > PASSWORD_CHARS_MAX * 4 {
        return Err(AccountError::PasswordLength);
    }
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.chars().count()) {
        return Err(AccountError::PasswordLength);
    }
    if password.contains('\0') {
        return Err(AccountError::PasswordNul);
    }
    Ok(())
}

/// Whether those who guess begin with passwords like this one: it is on the lists of common passwords, words and
/// names that zxcvbn brings, or only repeats them, counts, or follows a keyboard. No rule about kinds of characters.
fn is_common(password: &str) -> bool {
    zxcvbn::zxcvbn(password, CONTEXT).score() < zxcvbn::Score::Three
}

/// Checks `password` against `hash`, or against nobody's hash when there is none. Both take the same time.
///
/// # Errors
/// [`AccountError::Hash`] when the thread was lost.
pub(super) async fn verify(hash: Option<PasswordHashText>, password: &str) -> Result<bool, AccountError> {
    let password = Zeroizing::new(password.to_owned());
    run(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let Ok(parsed) = PasswordHash::new(hash.as_str()) else {
            tracing::error!("a stored password hash cannot be read");
            return false;
        };
        Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known
    })
    .await
}

/// Makes the stand-in hash, so that the first unknown user is not slower than the next.
pub(super) async fn warm_up() {
    let _ = run(|| LazyLock::force(&NOBODY).0.len()).await;
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
    let (sender, done) = oneshot::channel();
    let work = Box::new(move || {
        if !sender.is_closed() {
            let _ = sender.send(work()); // who asked may have left meanwhile
        }
    });
    QUEUE.send(work).map_err(|_| AccountError::Hash)?;
    done.await.map_err(|_| AccountError::Hash)
}

fn hash_now(password: &str) -> Result<PasswordHashText, AccountError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| AccountError::Hash)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.as_bytes()).map_err(|_| AccountError::Hash)?;
    Ok(PasswordHashText(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn r169_emoji_and_spaces_are_kept_as_typed() {
        let password = " 🦀 correct horse ";
        let hash = PasswordHashText::of(password).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(verify(Some(hash.clone()), password).await.unwrap());
        assert!(!verify(Some(hash), password.trim()).await.unwrap());
    }

    #[tokio::test]
    async fn r167_nobody_matches_no_password() {
        assert!(!verify(None, "correct horse battery").await.unwrap());
    }

    #[tokio::test]
    async fn common_passwords_are_refused_and_long_unusual_ones_of_any_kind_are_not() {
        for common in [
            "password1234",
            "passwordpassword",
            "123456789012",
            "qwertyuiop123",
            "P@ssw0rd1234",
            "Passw0rd!2024",
            "iloveyou1234",
            "adminadmin123",
            "administrator",
            "trustno1trustno1",
            "1qaz2wsx3edc",
            "abcdefghijkl",
            "weirweirweir",
            &"a".repeat(PASSWORD_CHARS_MAX),
        ] {
            let refused = PasswordHashText::of(common).await.err();
            assert!(matches!(refused, Some(AccountError::PasswordCommon)), "{common}: {refused:?}");
        }
        // no kind of character is asked for
        for good in ["correct horse battery", "zwölf kleine boote", "72610489533817", "vier große fische"] {
            assert!(PasswordHashText::of(good).await.is_ok(), "{good}");
        }
        assert!(PasswordHashText::of_nothing().await.is_ok());
    }

    #[test]
    fn r169_length_and_nul_are_judged_before_hashing() {
        assert!(check_shape(&"x".repeat(1 << 20)).is_err());
        assert!(check_shape(&"x".repeat(129)).is_err());
        assert!(check_shape(&"🦀".repeat(128)).is_ok());
        assert!(check_shape("eleven char").is_err());
        assert!(matches!(check_shape("twelve chars\0"), Err(AccountError::PasswordNul)));
    }
}
