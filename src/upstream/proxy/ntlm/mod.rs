//! The three messages of NTLM, version 2 of the responses only.
//!
//! Source: MS-NLMP, sections 2.2.1 and 3.1.5. Nothing is signed or sealed afterwards, so no session key is exchanged;
//! the message integrity code is sent when the challenge has a timestamp, as section 3.1.5.1.2 wants.

mod compute;

use zeroize::Zeroizing;

use compute::Proof;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

const UNICODE: u32 = 1;
const REQUEST_TARGET: u32 = 1 << 2;
const NTLM: u32 = 1 << 9;
const ALWAYS_SIGN: u32 = 1 << 15;
const EXTENDED_SECURITY: u32 = 1 << 19;
const TARGET_INFO: u32 = 1 << 23;
const KEYS_OF_128_BITS: u32 = 1 << 29;
const KEYS_OF_56_BITS: u32 = 1 << 31;

/// What we ask for.
const WANTED: u32 = UNICODE
    | REQUEST_TARGET
    | NTLM
    | ALWAYS_SIGN
    | EXTENDED_SECURITY
    | TARGET_INFO
    | KEYS_OF_128_BITS
    | KEYS_OF_56_BITS;

/// Ids of pairs in the target information.
const PAIR_END: u16 = 0;
const PAIR_FLAGS: u16 = 6;
const PAIR_TIMESTAMP: u16 = 7;
/// The bit in the flags' pair that announces an integrity code.
const HAS_INTEGRITY_CODE: u32 = 2;
/// Where the integrity code stands in the third message, and where its texts begin.
const INTEGRITY_CODE_AT: usize = 72;
const PAYLOAD_AT: usize = INTEGRITY_CODE_AT + 16;

/// Why a second message cannot be answered. Half a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NtlmError {
    #[error("its answer to the first message is not an NTLM message")]
    NotNtlm,
    #[error("its answer to the first message is cut off or points outside itself")]
    Malformed,
    #[error("it knows no Unicode")]
    NoUnicode,
    #[error("the account is too long for the message")]
    TooLong,
}

/// Who signs in.
pub(super) struct Account<'a> {
    pub user: &'a str,
    pub domain: &'a str,
    pub password: &'a str,
}

/// The second message, from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    flags: u32,
    nonce: [u8; 8],
    /// The pairs of the target information, in order and without the end.
    pairs: Vec<(u16, Vec<u8>)>,
    /// As it came, for the integrity code.
    message: Vec<u8>,
}

/// The first message: what we can do. It names nobody.
pub(super) fn negotiate() -> Vec<u8> {
    let mut message = Vec::with_capacity(40);
    message.extend_from_slice(SIGNATURE);
    message.extend_from_slice(&1_u32.to_le_bytes());
    message.extend_from_slice(&WANTED.to_le_bytes());
    message.extend_from_slice(&[0; 24]); // no domain, no workstation, no version
    message
}

impl Challenge {
    /// Reads the second message.
    ///
    /// # Errors
    /// [`NtlmError`].
    pub fn parse(message: &[u8]) -> Result<Self, NtlmError> {
        if message.get(..8) != Some(SIGNATURE.as_slice()) || number(message, 8)? != 2 {
            return Err(NtlmError::NotNtlm);
        }
        let flags = number(message, 20)?;
        if flags & UNICODE == 0 {
            return Err(NtlmError::NoUnicode);
        }
        let nonce = *slice(message, 24, 8)?.first_chunk().ok_or(NtlmError::Malformed)?;
        // Servers from before NTLMv2 end their message here.
        let info = if flags & TARGET_INFO != 0 { field(message, 40)? } else { &[] };
        Ok(Self { flags, nonce, pairs: pairs(info)?, message: message.to_vec() })
    }

    fn pair(&self, id: u16) -> Option<&[u8]> {
        self.pairs.iter().find(|(one, _)| *one == id).map(|(_, value)| value.as_slice())
    }

    /// The server's clock, in 100 ns since 1601.
    fn timestamp(&self) -> Option<[u8; 8]> {
        self.pair(PAIR_TIMESTAMP)?.try_into().ok()
    }

    /// The target information as it goes back; with the announcement of an integrity code where one will be.
    fn info(&self, announces: bool) -> Vec<u8> {
        let mut flags =
            self.pair(PAIR_FLAGS).and_then(|value| value.try_into().ok()).map_or(0, u32::from_le_bytes);
        let mut bytes = Vec::new();
        let mut add = |id: u16, value: &[u8]| {
            bytes.extend_from_slice(&id.to_le_bytes());
            bytes.extend_from_slice(&(value.len() as u16).to_le_bytes()); // lengths came as 16 bits
            bytes.extend_from_slice(value);
        };
        for (id, value) in self.pairs.iter().filter(|(id, _)| !announces || *id != PAIR_FLAGS) {
            add(*id, value);
        }
        if announces {
            flags |= HAS_INTEGRITY_CODE;
            add(PAIR_FLAGS, &flags.to_le_bytes());
        }
        add(PAIR_END, &[]);
        bytes
    }

    /// The third message, to `first` and this second one. `nonce` is ours, `now` in 100 ns since 1601.
    ///
    /// # Errors
    /// [`NtlmError::TooLong`].
    pub(super) fn answer(
        &self,
        first: &[u8],
        account: &Account<'_>,
        nonce: [u8; 8],
        now: u64,
    ) -> Result<Zeroizing<Vec<u8>>, NtlmError> {
        let timestamp = self.timestamp();
        let info = self.info(timestamp.is_some());
        let time = timestamp.unwrap_or(now.to_le_bytes());
        let proof = Proof::compute(account, self.nonce, nonce, time, &info);
        // With a timestamp, the older response carries nothing.
        let older = if timestamp.is_some() { [0; 24] } else { proof.older(self.nonce, nonce) };
        let (domain, user) = (compute::utf16(account.domain), compute::utf16(account.user));
        let mut message = Zeroizing::new(Vec::with_capacity(1_024));
        message.extend_from_slice(SIGNATURE);
        message.extend_from_slice(&3_u32.to_le_bytes());
        let mut at = PAYLOAD_AT;
        let texts: [&[u8]; 6] = [&older, &proof.response, &domain, &user, &[], &[]];
        for text in texts {
            let length = u16::try_from(text.len()).map_err(|_| NtlmError::TooLong)?.to_le_bytes();
            message.extend_from_slice(&length);
            message.extend_from_slice(&length);
            message.extend_from_slice(&u32::try_from(at).map_err(|_| NtlmError::TooLong)?.to_le_bytes());
            at += text.len();
        }
        message.extend_from_slice(&(self.flags & WANTED).to_le_bytes());
        message.extend_from_slice(&[0; 8 + 16]); // no version; the integrity code comes last
        for text in texts {
            message.extend_from_slice(text);
        }
        if timestamp.is_some() {
            let code = proof.integrity_code(&[first, &self.message, &message]);
            message[INTEGRITY_CODE_AT..PAYLOAD_AT].copy_from_slice(&code);
        }
        Ok(message)
    }
}

fn slice(message: &[u8], at: usize, len: usize) -> Result<&[u8], NtlmError> {
    at.checked_add(len).and_then(|end| message.get(at..end)).ok_or(NtlmError::Malformed)
}

fn number(message: &[u8], at: usize) -> Result<u32, NtlmError> {
    slice(message, at, 4)?.first_chunk().copied().map(u32::from_le_bytes).ok_or(NtlmError::Malformed)
}

/// What a field (length, space, offset) at `at` points to.
fn field(message: &[u8], at: usize) -> Result<&[u8], NtlmError> {
    let len = number(message, at)? & 0xffff;
    slice(message, number(message, at + 4)? as usize, len as usize)
}

/// The pairs up to the end, which may be missing.
fn pairs(mut info: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, NtlmError> {
    let mut found = Vec::new();
    while !info.is_empty() {
        let head = number(info, 0)?;
        let (id, len) = (head as u16, (head >> 16) as usize);
        if id == PAIR_END {
            break;
        }
        found.push((id, slice(info, 4, len)?.to_vec()));
        info = &info[4 + len..];
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
