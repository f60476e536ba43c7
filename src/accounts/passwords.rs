//! Hashing and checking of passwords: argon2id, off the async threads, two at a time.

use super::AccountError;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::cell::RefCell;
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use zeroize::{Zeroize, Zeroizing};

/// Shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password, in characters; checked before any hashing.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// Memory of one hash in KiB (19 MiB), passes and lanes: the floor OWASP names for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const ALGORITHM: Algorithm = Algorithm::Argon2id;
const VERSION: Version = Version::V0x13;

/// Words that are common here.
const CONTEXT: &[&str] = &["weir", "wsus", "windows", "microsoft", "update", "updates", "server"];

/// Hashes at once: each takes [`MEMORY_KIB`] and a processor.
const HASHERS: usize = 2;

type Work = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The memory of one hash, kept for the next one of this thread. Were it given back each time, the allocator would
    /// cut pieces from it and take new memory for the next hash, until a few hashes hold that of a dozen.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Threads of their own, always the same, so that there is [`MEMORY`] for [`HASHERS`] hashes and no more.
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

/// Checked against when there is no such user, so that the answer takes as long.
static NOBODY: LazyLock<PasswordHashText> =
    LazyLock::new(|| PasswordHashText::of_nothing().unwrap_or_else(|_| PasswordHashText(String::new())));

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

    /// What could be the hash of a password, and is that of none that anybody could find: random bytes. For an account
    /// whose password is still to be set.
    ///
    /// # Errors
    /// [`AccountError::Hash`].
    pub fn of_nothing() -> Result<Self, AccountError> {
        let random: [u8; Params::DEFAULT_OUTPUT_LEN] = rand::random();
        in_words(&params()?, Salt::generate(), &random)
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
        is_of(&password, &parsed) && known
    })
    .await
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

fn params() -> Result<Params, AccountError> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| AccountError::Hash)
}

fn hash_now(password: &str) -> Result<PasswordHashText, AccountError> {
    let (params, salt) = (params()?, Salt::generate());
    let mut bytes = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
    fill(&Argon2::new(ALGORITHM, VERSION, params.clone()), password, &salt, &mut *bytes)?;
    in_words(&params, salt, &*bytes)
}

fn in_words(params: &Params, salt: Salt, bytes: &[u8]) -> Result<PasswordHashText, AccountError> {
    let hash = PasswordHash {
        algorithm: ALGORITHM.ident(),
        version: Some(VERSION.into()),
        params: ParamsString::try_from(params).map_err(|_| AccountError::Hash)?,
        salt: Some(salt),
        hash: Some(Output::new(bytes).map_err(|_| AccountError::Hash)?),
    };
    Ok(PasswordHashText(hash.to_string()))
}

/// Whether `stored` is the hash of `password`, by the memory and passes that stand in it. Compared in constant time.
fn is_of(password: &str, stored: &PasswordHash) -> bool {
    let (Some(salt), Some(wanted)) = (&stored.salt, &stored.hash) else { return false };
    let version = stored.version.map_or(Ok(Version::V0x13), Version::try_from);
    let (Ok(algorithm), Ok(version), Ok(params)) =
        (Algorithm::new(stored.algorithm.as_str()), version, Params::try_from(&stored.params))
    else {
        return false;
    };
    let mut bytes = Zeroizing::new([0; Output::MAX_LENGTH]);
    let Some(bytes) = bytes.get_mut(..wanted.len()) else { return false };
    let filled = fill(&Argon2::new(algorithm, version, params), password, salt, bytes);
    filled.is_ok() && bool::from(bytes.ct_eq(wanted.as_bytes()))
}

/// The hash into `bytes`, with this thread's [`MEMORY`], in which nothing of the password is left.
fn fill(argon2: &Argon2<'_>, password: &str, salt: &[u8], bytes: &mut [u8]) -> Result<(), AccountError> {
    let count = argon2.params().block_count();
    MEMORY.with_borrow_mut(|memory| {
        let missing = count.saturating_sub(memory.len());
        memory.try_reserve_exact(missing).map_err(|_| AccountError::Hash)?;
        memory.resize(count.max(memory.len()), Block::new());
        let blocks = &mut memory[..count];
        let filled = argon2.hash_password_into_with_memory(password.as_bytes(), salt, bytes, &mut *blocks);
        blocks.iter_mut().zeroize();
        // A stored hash may ask for more than ours do; that much is not kept.
        if count > MEMORY_KIB as usize {
            *memory = Vec::new();
        }
        filled.map_err(|_| AccountError::Hash)
    })
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

    #[test]
    fn a_hash_leaves_its_memory_for_the_next_one_and_nothing_in_it() {
        let kept = || MEMORY.with_borrow(|memory| (memory.as_ptr(), memory.len()));
        let hash = hash_now("correct horse battery").unwrap();
        let first = kept();
        assert_eq!(first.1, MEMORY_KIB as usize);
        for password in ["correct horse battery", "another horse battery"] {
            let parsed = PasswordHash::new(hash.as_str()).unwrap();
            assert_eq!(is_of(password, &parsed), password.starts_with("correct"));
            assert_eq!(kept(), first);
        }
        MEMORY.with_borrow(|memory| {
            assert!(memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
        });
    }

    #[test]
    fn hashes_of_other_strengths_are_read_as_they_say_and_their_memory_is_not_kept() {
        use argon2::password_hash::{PasswordHasher, PasswordVerifier};
        for (memory, passes, lanes) in [(8, 1, 1), (64 * 1024, 1, 2)] {
            let params = Params::new(memory, passes, lanes, None).unwrap();
            let theirs = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash = theirs.hash_password(b"correct horse battery").unwrap();
            assert!(is_of("correct horse battery", &hash) && !is_of("correct horse batterx", &hash));
        }
        assert_eq!(MEMORY.with_borrow(Vec::len), 0);
        // and theirs is what reads ours
        let ours = PasswordHash::new(hash_now("correct horse battery").unwrap().as_str()).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse battery", &ours).is_ok());
    }

    #[tokio::test]
    async fn r167_nobody_matches_no_password_and_takes_as_much_work() {
        assert!(!verify(None, "correct horse battery").await.unwrap());
        let (nobody, real) = (NOBODY.as_str(), hash_now("correct horse battery").unwrap());
        let head = |text: &str| text.rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(head(nobody), head(real.as_str()), "the same algorithm, memory and passes");
        assert_eq!(nobody.len(), real.as_str().len());
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
        assert!(PasswordHashText::of_nothing().is_ok());
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
