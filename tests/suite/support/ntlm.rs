//! The server's side of NTLMv2, written from MS-NLMP and not from Weir's client: makes challenges, checks answers.

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;

/// An account that a proxy server knows.
#[derive(Debug, Clone)]
pub struct Known {
    pub user: &'static str,
    pub domain: &'static str,
    pub password: &'static str,
}

/// One sign-in: the messages so far.
#[derive(Default)]
pub struct Exchange {
    first: Vec<u8>,
    second: Vec<u8>,
    nonce: [u8; 8],
}

impl Exchange {
    /// The second message, with everything that a Windows server sends.
    pub fn challenge(&mut self, first: Vec<u8>) -> Vec<u8> {
        assert_eq!(&first[..12], b"NTLMSSP\0\x01\0\0\0");
        self.nonce = rand::random();
        let mut info = Vec::new();
        let mut pair = |id: u16, value: &[u8]| {
            info.extend_from_slice(&id.to_le_bytes());
            info.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
            info.extend_from_slice(value);
        };
        pair(2, &wide("CORP"));
        pair(1, &wide("PROXY"));
        pair(4, &wide("corp.example"));
        pair(3, &wide("proxy.corp.example"));
        pair(7, &133_500_000_000_000_000_u64.to_le_bytes());
        pair(0, &[]);
        let name = wide("CORP");
        let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
        let field = |len: usize, at: usize| {
            let len = u16::try_from(len).unwrap().to_le_bytes();
            [&len[..], &len, &u32::try_from(at).unwrap().to_le_bytes()].concat()
        };
        message.extend_from_slice(&field(name.len(), 56));
        message.extend_from_slice(&0xe289_8235_u32.to_le_bytes());
        message.extend_from_slice(&self.nonce);
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&field(info.len(), 56 + name.len()));
        message.extend_from_slice(&[10, 0, 0x63, 0x45, 0, 0, 0, 15]);
        message.extend_from_slice(&name);
        message.extend_from_slice(&info);
        (self.first, self.second) = (first, message.clone());
        message
    }

    /// Who it is; `None` when user, domain, password or integrity code is wrong.
    pub fn check(&self, third: &[u8], known: &Known) -> Option<String> {
        assert_eq!(&third[..12], b"NTLMSSP\0\x03\0\0\0");
        let field = |at: usize| {
            let len = usize::from(u16::from_le_bytes(third[at..at + 2].try_into().unwrap()));
            let from = u32::from_le_bytes(third[at + 4..at + 8].try_into().unwrap()) as usize;
            &third[from..from + len]
        };
        let (older, response, domain, user) = (field(12), field(20), field(28), field(36));
        let text = |bytes: &[u8]| {
            let units: Vec<u16> = bytes.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
            String::from_utf16(&units).unwrap()
        };
        let (user, domain) = (text(user), text(domain));
        assert_eq!(older, [0; 24], "nothing weaker goes beside the response of version 2");
        let password = Md4::digest(wide(known.password));
        let key = keyed(&password, &[&wide(&user.to_uppercase()), &wide(&domain)]);
        let (proof, blob) = response.split_at(16);
        assert_eq!(&blob[..2], [1, 1]);
        assert_eq!(blob[8..16], 133_500_000_000_000_000_u64.to_le_bytes(), "the time is the server's");
        let session = keyed(&key, &[proof]);
        let mut zeroed = third.to_vec();
        zeroed[72..88].fill(0);
        let integrity = keyed(&session, &[&self.first, &self.second, &zeroed]);
        let is_known = user.eq_ignore_ascii_case(known.user)
            && domain.eq_ignore_ascii_case(known.domain)
            && proof == keyed(&key, &[&self.nonce, blob])
            && third[72..88] == integrity;
        is_known.then(|| format!("{domain}\\{user}"))
    }
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn keyed(key: &[u8], texts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).unwrap();
    texts.iter().for_each(|text| mac.update(text));
    mac.finalize().into_bytes().into()
}
