//! The published example of MS-NLMP, section 4.2.4, and what servers may send.

use super::*;

const ACCOUNT: Account<'_> = Account { user: "User", domain: "Domain", password: "Password" };
const SERVER: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const CLIENT: [u8; 8] = [0xaa; 8];

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

/// The `CHALLENGE_MESSAGE` of section 4.2.4.3.
fn published() -> Vec<u8> {
    bytes(
        "4e544c4d53535000 02000000 0c000c0038000000 33828ae2 0123456789abcdef 0000000000000000
         2400240044000000 0600 7017 0000000f 530065007200760065007200
         02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000",
    )
}

/// A second message with these pairs.
fn second(pairs: &[(u16, &[u8])]) -> Vec<u8> {
    let challenge = Challenge {
        flags: 0,
        nonce: SERVER,
        pairs: pairs.iter().map(|(id, value)| (*id, value.to_vec())).collect(),
        message: Vec::new(),
    };
    let info = challenge.info(false);
    let mut message =
        [SIGNATURE.as_slice(), &[2, 0, 0, 0], &[0; 8], &(UNICODE | TARGET_INFO).to_le_bytes()].concat();
    message.extend_from_slice(&SERVER);
    message.extend_from_slice(&[0; 8]);
    let len = (info.len() as u16).to_le_bytes();
    message.extend_from_slice(&[&len[..], &len, &48_u32.to_le_bytes()].concat());
    [message, info].concat()
}

#[test]
fn the_published_responses_are_computed() {
    let challenge = Challenge::parse(&published()).unwrap();
    assert_eq!(challenge.nonce, SERVER);
    let proof = Proof::compute(&ACCOUNT, SERVER, CLIENT, [0; 8], &challenge.info(false));
    assert_eq!(proof.response[..16], bytes("68cd0ab851e51c96aabc927bebef6a1c"));
    assert_eq!(proof.session_key.to_vec(), bytes("8de40ccadbc14a82f15cb0ad0de95ca3"));
    let older = bytes("86c35097ac9cec102554764a57cccc19 aaaaaaaaaaaaaaaa");
    assert_eq!(proof.older(SERVER, CLIENT).to_vec(), older);
}

#[test]
fn the_third_message_carries_what_was_computed() {
    let challenge = Challenge::parse(&published()).unwrap();
    let third = challenge.answer(&negotiate(), &ACCOUNT, CLIENT, 0).unwrap();
    assert_eq!(third[..12], *b"NTLMSSP\0\x03\0\0\0");
    assert_eq!(field(&third, 12).unwrap(), bytes("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"));
    assert_eq!(field(&third, 20).unwrap()[..16], bytes("68cd0ab851e51c96aabc927bebef6a1c"));
    assert_eq!(field(&third, 28).unwrap(), compute::utf16("Domain"));
    assert_eq!(field(&third, 36).unwrap(), compute::utf16("User"));
    assert_eq!(third[INTEGRITY_CODE_AT..PAYLOAD_AT], [0; 16], "no timestamp, no integrity code");
}

#[test]
fn a_timestamp_brings_the_integrity_code_and_its_announcement() {
    let message = second(&[(2, b"D\0"), (PAIR_FLAGS, &[4, 0, 0, 0]), (PAIR_TIMESTAMP, &[7; 8])]);
    let challenge = Challenge::parse(&message).unwrap();
    let first = negotiate();
    let third = challenge.answer(&first, &ACCOUNT, CLIENT, 99).unwrap();
    assert_eq!(field(&third, 12).unwrap(), [0; 24]);
    let response = field(&third, 20).unwrap();
    assert_eq!(response[24..32], [7; 8], "the server's clock, not ours");
    let sent = pairs(&response[44..response.len() - 4]).unwrap();
    assert!(sent.contains(&(PAIR_FLAGS, vec![6, 0, 0, 0])), "{sent:?}");
    let proof = Proof::compute(&ACCOUNT, SERVER, CLIENT, [7; 8], &challenge.info(true));
    let mut zeroed = third.to_vec();
    zeroed[INTEGRITY_CODE_AT..PAYLOAD_AT].fill(0);
    let code = proof.integrity_code(&[&first, &message, &zeroed]);
    assert_eq!(third[INTEGRITY_CODE_AT..PAYLOAD_AT], code);
}

#[test]
fn a_server_from_before_target_information_is_answered() {
    let old = [SIGNATURE.as_slice(), &[2, 0, 0, 0], &[0; 8], &UNICODE.to_le_bytes(), &SERVER].concat();
    let challenge = Challenge::parse(&old).unwrap();
    assert!(challenge.answer(&negotiate(), &ACCOUNT, CLIENT, 0).is_ok());
}

#[test]
fn r122_a_malformed_second_message_is_named_and_never_panics() {
    let good = second(&[(2, b"D\0"), (PAIR_TIMESTAMP, &[7; 8])]);
    for cut in 0..good.len() {
        if let Ok(challenge) = Challenge::parse(&good[..cut]) {
            panic!("cut at {cut}: {challenge:?}");
        }
    }
    let mut far = good.clone();
    far[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Challenge::parse(&far), Err(NtlmError::Malformed));
    let mut long_pair = good.clone();
    long_pair[50] = 0xff;
    assert_eq!(Challenge::parse(&long_pair), Err(NtlmError::Malformed));
    let mut oem = good.clone();
    oem[20] &= !1;
    assert_eq!(Challenge::parse(&oem), Err(NtlmError::NoUnicode));
    assert_eq!(Challenge::parse(&negotiate()), Err(NtlmError::NotNtlm));
    assert_eq!(Challenge::parse(b""), Err(NtlmError::NotNtlm));
}

#[test]
fn an_account_that_does_not_fit_is_refused() {
    let long = "x".repeat(40_000);
    let account = Account { user: &long, domain: "", password: "" };
    let challenge = Challenge::parse(&published()).unwrap();
    assert_eq!(challenge.answer(&[], &account, CLIENT, 0).unwrap_err(), NtlmError::TooLong);
}
