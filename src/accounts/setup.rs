//! The first administrator: a one-time code from the log, kept in memory only.

use super::throttle::{Gate, Key};
use super::{
    Account, AccountError, AccountName, PasswordHashText, Pool, any_account, audit, create_first, signin,
};
use diesel_async::AsyncPgConnection;
use std::net::IpAddr;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Letters and digits that cannot be mistaken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789x";
/// Groups and characters in each: 80 bits and more.
const GROUPS: usize = 4;
const GROUP_CHARS: usize = 5;

/// What the setup page asks for. Made at start; `None` inside means that there were accounts already. `Debug` hides it.
pub struct SetupCode(Option<Zeroizing<String>>);

impl std::fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "SetupCode(hidden)" } else { "SetupCode(none)" })
    }
}

impl SetupCode {
    /// Makes a code when there is no account yet. The caller writes [`SetupCode::reveal`] to the log.
    ///
    /// # Errors
    /// [`AccountError::Database`].
    pub async fn prepare(conn: &mut AsyncPgConnection) -> Result<Self, AccountError> {
        Ok(Self(if any_account(conn).await? { None } else { Some(generate()) }))
    }

    /// A code that lets nobody in, for a console that was set up.
    pub fn none() -> Self {
        Self(None)
    }

    /// The code, for the log and nowhere else.
    pub fn reveal(&self) -> Option<&str> {
        self.0.as_deref().map(String::as_str)
    }

    fn is(&self, typed: &str) -> bool {
        let typed = Zeroizing::new(typed.trim().to_ascii_lowercase());
        self.reveal().is_some_and(|code| bool::from(code.as_bytes().ct_eq(typed.as_bytes())))
    }
}

/// What the setup form sent.
pub struct FirstAccount<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub password: &'a str,
    pub peer: Option<IpAddr>,
    pub request_id: &'a str,
}

/// Makes the first administrator. The password is hashed before a connection is borrowed.
///
/// # Errors
/// [`AccountError::Wait`], [`AccountError::SetupCode`], [`AccountError::AlreadySetUp`], those of name and
/// password, the database's.
pub async fn complete(
    pool: &Pool,
    gate: &Gate,
    code: &SetupCode,
    form: FirstAccount<'_>,
) -> Result<Account, AccountError> {
    let keys: Vec<Key> = form.peer.map(Key::address).into_iter().collect();
    gate.begin(&keys)?;
    if !code.is(form.code) {
        return Err(AccountError::SetupCode);
    }
    gate.succeeded(&keys);
    let name = AccountName::parse(form.name)?;
    let hash = PasswordHashText::of(form.password).await?;
    let conn = &mut *signin::borrow(pool).await?;
    let account = create_first(conn, &name, &hash).await?;
    let peer = form.peer.map(|ip| ip.to_string()).unwrap_or_default();
    let entry = audit::Entry {
        actor: &account.name,
        account_id: Some(account.id),
        peer: &peer,
        action: "setup",
        object: &account.name,
        request_id: form.request_id,
        ..audit::Entry::default()
    };
    audit::record(conn, entry).await?;
    Ok(account)
}

fn generate() -> Zeroizing<String> {
    let random: [u8; GROUPS * GROUP_CHARS] = rand::random();
    let chars: Vec<char> = random.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
    let groups: Vec<String> = chars.chunks(GROUP_CHARS).map(|group| group.iter().collect()).collect();
    Zeroizing::new(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_accepted_in_any_case_and_only_itself() {
        let code = SetupCode(Some(generate()));
        let text = code.reveal().unwrap().to_owned();
        assert_eq!(text.len(), GROUPS * GROUP_CHARS + GROUPS - 1);
        assert!(code.is(&text) && code.is(&format!(" {} ", text.to_uppercase())));
        assert!(!code.is("") && !code.is(&text[1..]));
        assert!(!SetupCode::none().is(""));
        assert!(!format!("{code:?}").contains(&text[..5]), "Debug hides it");
    }
}
