//! The key of this server, kept in a file, and what it seals: passwords at rest, cookies on the wire.
//!
//! XChaCha20-Poly1305 with a random nonce; the purpose is authenticated, so that what was sealed for one
//! use cannot be opened for another.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
/// First byte of everything sealed; another one would mean another cipher.
const FORMAT: u8 = 1;

/// A fault of the key file or of something sealed. Never tells what was inside.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("The key file {} could not be read or written: {source}.", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "The key file {} can be read by other accounts (mode {mode:03o}); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    LoosePermissions { path: PathBuf, mode: u32 },
    #[error("The key file {} does not hold a key; restore it from a backup.", path.display())]
    NotAKey { path: PathBuf },
    #[error("The random source of this computer failed.")]
    NoRandomness,
    #[error("This was sealed with another key, for another purpose, or was changed.")]
    CannotOpen,
}

/// The key of this server. Its bytes are wiped from memory when it is dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; KEY_LEN]>);

impl SecretKey {
    /// Reads the key file; makes it first, with mode 0600, when there is none.
    ///
    /// Two programs that start at once end up with the same key.
    ///
    /// # Errors
    /// [`SecretError::LoosePermissions`] when others may read the file, [`SecretError::NotAKey`] when it
    /// does not hold 64 hexadecimal digits, [`SecretError::File`] for everything else.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        match File::open(path) {
            Ok(file) => Self::read(file, path),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(path)?;
                Self::read(File::open(path).map_err(failed)?, path)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// A key that is written nowhere, for tests.
    ///
    /// # Errors
    /// [`SecretError::NoRandomness`].
    pub fn generate() -> Result<Self, SecretError> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        OsRng.try_fill_bytes(key.as_mut_slice()).map_err(|_| SecretError::NoRandomness)?;
        Ok(Self(key))
    }

    fn read(file: File, path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        let mode = file.metadata().map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretError::LoosePermissions { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(128));
        let not_a_key = || SecretError::NotAKey { path: path.to_owned() };
        file.take(128).read_to_string(&mut text).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => not_a_key(),
            _ => failed(error),
        })?;
        let mut key = Zeroizing::new([0; KEY_LEN]);
        hex::decode_to_slice(text.trim_end(), key.as_mut_slice()).map_err(|_| not_a_key())?;
        Ok(Self(key))
    }

    /// Seals `plain` for one purpose, e.g. `"proxy password"`: 41 bytes longer than `plain`.
    ///
    /// # Errors
    /// [`SecretError::NoRandomness`] only.
    pub fn try_seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        let mut nonce = [0; NONCE_LEN];
        OsRng.try_fill_bytes(&mut nonce).map_err(|_| SecretError::NoRandomness)?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: purpose.as_bytes() })
            .map_err(|_| SecretError::NoRandomness)?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// [`SecretKey::try_seal`] for callers that cannot go on without: panics when the computer has no
    /// random source, in which case nothing is safe to do.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        self.try_seal(purpose, plain).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Opens what [`SecretKey::seal`] made for the same purpose.
    ///
    /// # Errors
    /// [`SecretError::CannotOpen`], one answer for every reason.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (nonce, body) = sealed
            .strip_prefix(&[FORMAT])
            .and_then(|rest| rest.split_first_chunk::<NONCE_LEN>())
            .ok_or(SecretError::CannotOpen)?;
        self.cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: purpose.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| SecretError::CannotOpen)
    }

    /// Names the key without telling it, to notice that a database was sealed with another one.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"weir key fingerprint\0")
            .chain_update(self.0.as_slice())
            .finalize()
            .into()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

/// Written beside, then linked: the file appears complete or not at all, and is never overwritten.
fn create(path: &Path) -> Result<(), SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let key = SecretKey::generate()?;
    let text = Zeroizing::new(format!("{}\n", hex::encode(key.0.as_slice())));
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let _ = std::fs::remove_file(&temporary);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::hard_link(&temporary, path));
    let _ = std::fs::remove_file(&temporary);
    match written {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let key = SecretKey::generate().unwrap();
        let sealed = key.seal("proxy password", b"hunter2");
        assert_eq!(key.open("proxy password", &sealed).unwrap().as_slice(), b"hunter2");
        assert!(key.open("cookie", &sealed).is_err());
        assert!(SecretKey::generate().unwrap().open("proxy password", &sealed).is_err());
        assert_ne!(sealed, key.seal("proxy password", b"hunter2"));
        for cut in 0..sealed.len() {
            assert!(key.open("proxy password", &sealed[..cut]).is_err());
            let mut changed = sealed.clone();
            changed[cut] ^= 1;
            assert!(key.open("proxy password", &changed).is_err());
        }
    }

    #[test]
    fn the_file_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let first = SecretKey::load_or_create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(first.fingerprint(), SecretKey::load_or_create(&path).unwrap().fingerprint());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = SecretKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, SecretError::LoosePermissions { mode: 0o640, .. }), "{error}");
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        for bad in [b"".as_slice(), b"abc", &[0xff; 64], &[b'0'; 63], &[b'g'; 64]] {
            std::fs::write(&path, bad).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(SecretKey::load_or_create(&path), Err(SecretError::NotAKey { .. })));
            assert_eq!(std::fs::read(&path).unwrap(), bad);
        }
    }
}
