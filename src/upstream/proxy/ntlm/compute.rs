//! What NTLMv2 computes from a password and two nonces.
//!
//! Source: MS-NLMP, section 3.3.2.

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;
use zeroize::Zeroizing;

use super::Account;

/// The keys and the response for one sign-in.
pub(super) struct Proof {
    /// `NTOWFv2`.
    key: Zeroizing<[u8; 16]>,
    /// `NtChallengeResponse`.
    pub response: Vec<u8>,
    /// `SessionBaseKey`, which is the exported one too, because no other is exchanged.
    pub session_key: Zeroizing<[u8; 16]>,
}

impl Proof {
    pub fn compute(
        account: &Account<'_>,
        server: [u8; 8],
        client: [u8; 8],
        time: [u8; 8],
        info: &[u8],
    ) -> Self {
        let password = Zeroizing::new(utf16(account.password));
        let hash: Zeroizing<[u8; 16]> = Zeroizing::new(Md4::digest(&*password).into());
        let name = [utf16(&upper(account.user)), utf16(account.domain)].concat();
        let key = Zeroizing::new(keyed(&*hash, &[&name]));
        let blob = [&[1, 1, 0, 0, 0, 0, 0, 0], &time[..], &client, &[0; 4], info, &[0; 4]].concat();
        let proof = keyed(&*key, &[&server, &blob]);
        let session_key = Zeroizing::new(keyed(&*key, &[&proof]));
        Self { key, response: [&proof[..], &blob].concat(), session_key }
    }

    /// `LmChallengeResponse`, for servers without a timestamp.
    pub fn older(&self, server: [u8; 8], client: [u8; 8]) -> [u8; 24] {
        let mut response = [0; 24];
        response[..16].copy_from_slice(&keyed(&*self.key, &[&server, &client]));
        response[16..].copy_from_slice(&client);
        response
    }

    /// The code over all three messages, the third with zeros in its place.
    pub fn integrity_code(&self, messages: &[&[u8]]) -> [u8; 16] {
        keyed(&*self.session_key, messages)
    }
}

/// Little-endian UTF-16.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Capital letters as Windows makes them: a letter stays one letter, so that ß stays ß.
fn upper(text: &str) -> String {
    let single = |letter: char| {
        let mut upper = letter.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(one), None) => one,
            _ => letter,
        }
    };
    text.chars().map(single).collect()
}

fn keyed(key: &[u8], texts: &[&[u8]]) -> [u8; 16] {
    // A key of any length will do for this function, so there is no error to report.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return [0; 16] };
    for text in texts {
        mac.update(text);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capital_letters_are_one_for_one() {
        assert_eq!(upper("straße.ñ.ǆ"), "STRAßE.Ñ.Ǆ");
    }
}
