//! Every order of answers that a proxy server may give.

use super::*;

const BASIC: &str = "Basic realm=x";
const DIGEST: &str = r#"Digest realm="r", nonce="n1", qop="auth""#;

fn someone(basic_allowed: bool) -> Option<Arc<ProxyCredentials>> {
    Some(Arc::new(ProxyCredentials {
        user: "svc".to_owned(),
        domain: "CORP".to_owned(),
        password: Zeroizing::new("geheim:pass@wort".to_owned()),
        basic_allowed,
    }))
}

fn sign_in(basic_allowed: bool) -> SignIn {
    SignIn::new("proxy:3128".into(), someone(basic_allowed), None)
}

fn offers(header: &str) -> Vec<Challenge> {
    Challenge::parse(header.as_bytes())
}

fn sent(sign_in: &mut SignIn) -> String {
    let header = sign_in.header("CONNECT", "wsus:8531").unwrap();
    header.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// A second message without target information.
fn second(scheme: &str) -> String {
    let message = [b"NTLMSSP\0\x02\0\0\0".as_slice(), &[0; 8], &[1, 0, 0, 0], &[9; 8]].concat();
    format!("{scheme} {}", BASE64.encode(message))
}

#[test]
fn ntlm_takes_three_messages_and_then_none() {
    for scheme in ["NTLM", "Negotiate"] {
        let mut one = sign_in(false);
        assert_eq!(sent(&mut one), "");
        one.challenged(&offers(scheme)).unwrap();
        assert!(sent(&mut one).starts_with(&format!("{scheme} TlRMTVNTUAABAAAA")));
        one.challenged(&offers(&second(scheme))).unwrap();
        assert!(sent(&mut one).starts_with(&format!("{scheme} TlRMTVNTUAADAAAA")));
        one.accepted(None);
        assert_eq!(sent(&mut one), "");
        // Later on a new connection: from the first message on, without being asked.
        one.reconnected().unwrap();
        assert!(sent(&mut one).starts_with(&format!("{scheme} TlRMTVNTUAABAAAA")));
    }
}

#[test]
fn r120_a_refused_proof_is_not_repeated() {
    let mut ntlm = sign_in(true);
    ntlm.challenged(&offers("NTLM, Basic realm=x")).unwrap();
    ntlm.challenged(&offers(&second("NTLM"))).unwrap();
    let error = ntlm.challenged(&offers("NTLM, Basic realm=x")).unwrap_err();
    assert_eq!(error.to_string(), "The proxy server proxy:3128 rejected the credentials (NTLM).");
    assert!(!error.may_pass());

    let mut digest = sign_in(false);
    digest.challenged(&offers(DIGEST)).unwrap();
    sent(&mut digest);
    assert!(matches!(digest.challenged(&offers(DIGEST)), Err(ProxyError::SignInRefused { .. })));

    let mut basic = sign_in(true);
    basic.challenged(&offers(BASIC)).unwrap();
    sent(&mut basic);
    assert!(matches!(basic.challenged(&offers(BASIC)), Err(ProxyError::SignInRefused { .. })));
}

#[test]
fn r119_basic_is_sent_only_when_allowed() {
    let mut refused = sign_in(false);
    let error = refused.challenged(&offers(BASIC)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The proxy server proxy:3128 offers only basic authentication, which is switched off."
    );
    assert_eq!(sent(&mut refused), "");
    let mut allowed = sign_in(true);
    allowed.challenged(&offers(BASIC)).unwrap();
    let plain = BASE64.decode(sent(&mut allowed).strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(plain, b"CORP\\svc:geheim:pass@wort");
}

#[test]
fn r121_stale_is_retried_once_and_nextnonce_is_used() {
    let mut one = sign_in(false);
    one.challenged(&offers(DIGEST)).unwrap();
    assert!(sent(&mut one).contains("nonce=\"n1\""));
    let stale = r#"Digest realm="r", nonce="n2", qop="auth", stale=TRUE"#;
    one.challenged(&offers(stale)).unwrap();
    assert!(sent(&mut one).contains("nonce=\"n2\""));
    let error = one.challenged(&offers(stale)).unwrap_err();
    assert!(error.to_string().contains("calls each nonce stale"), "{error}");

    let mut other = sign_in(false);
    other.challenged(&offers(DIGEST)).unwrap();
    sent(&mut other);
    other.accepted(Some(b"nextnonce=\"n3\""));
    assert!(sent(&mut other).contains("nonce=\"n3\", uri=\"wsus:8531\""));
    other.accepted(None);
    sent(&mut other);
    // An old nonce that the proxy server has forgotten: once more with its new one, and no more.
    other.challenged(&offers(DIGEST)).unwrap();
    assert!(sent(&mut other).contains("nonce=\"n1\""));
    assert!(matches!(other.challenged(&offers(DIGEST)), Err(ProxyError::SignInRefused { .. })));
}

#[test]
fn r122_each_way_to_fail_between_the_messages_has_its_own_words() {
    let failed = |answer: &str| {
        let mut one = sign_in(false);
        one.challenged(&offers("NTLM")).unwrap();
        one.challenged(&offers(answer)).unwrap_err().to_string()
    };
    assert!(failed("NTLM").contains("did not answer the first message"));
    assert!(failed("Basic realm=x").contains("offers only basic authentication"));
    assert!(failed("NTLM TlRMTVNTUAA").contains("not Base64"));
    assert!(failed("NTLM AAAA").contains("not an NTLM message"));
    assert!(failed("NTLM TlRMTVNTUAACAAAA").contains("cut off"));
    assert!(failed(&format!("NTLM {}", "A".repeat(MESSAGE_MAX + 1))).contains("too long"));

    let mut closed = sign_in(false);
    closed.challenged(&offers("NTLM")).unwrap();
    assert!(closed.lost().to_string().contains("after the first message"));
    closed.challenged(&offers(&second("NTLM"))).unwrap();
    assert!(closed.lost().to_string().contains("after the third message"));
    let error = closed.reconnected().unwrap_err();
    assert!(error.to_string().contains("between the second and the third message"), "{error}");
}

#[test]
fn what_wants_kerberos_gives_way_to_the_other_offers() {
    let both = format!("Negotiate, {DIGEST}");
    let mut one = sign_in(false);
    one.challenged(&offers(&both)).unwrap();
    assert!(sent(&mut one).starts_with("Negotiate "));
    one.challenged(&offers(&both)).unwrap();
    assert!(sent(&mut one).starts_with("Digest "));

    let mut alone = sign_in(false);
    alone.challenged(&offers("Negotiate, Basic realm=x")).unwrap();
    let error = alone.challenged(&offers("Negotiate, Basic realm=x")).unwrap_err();
    assert!(error.to_string().contains("perhaps it wants Kerberos, which is not offered"), "{error}");
    let mut allowed = sign_in(true);
    allowed.challenged(&offers("Negotiate, Basic realm=x")).unwrap();
    allowed.challenged(&offers("Negotiate, Basic realm=x")).unwrap();
    assert!(sent(&mut allowed).starts_with("Basic "));
}

#[test]
fn a_wrong_guess_of_the_scheme_is_mended() {
    let mut one = SignIn::new("proxy:3128".into(), someone(false), Some(Scheme::Ntlm));
    assert!(sent(&mut one).starts_with("NTLM "));
    one.challenged(&offers(DIGEST)).unwrap();
    assert!(sent(&mut one).starts_with("Digest "));
    let mut nobody = SignIn::new("proxy:3128".into(), None, Some(Scheme::Basic));
    assert_eq!(sent(&mut nobody), "");
    let error = nobody.challenged(&offers("NTLM, Basic realm=x")).unwrap_err();
    assert!(error.to_string().contains("(NTLM, Basic)"), "{error}");
}

#[test]
fn r131_accounts_of_every_kind_are_sent_by_the_rule_of_the_scheme() {
    let account = |user: &str, domain: &str| ProxyCredentials {
        user: user.to_owned(),
        domain: domain.to_owned(),
        password: Zeroizing::default(),
        basic_allowed: false,
    };
    assert_eq!(account("svc", "CORP").account(), ("CORP", "svc"));
    assert_eq!(account("CORP\\svc", "").account(), ("CORP", "svc"));
    assert_eq!(account("svc@corp.example", "").account(), ("", "svc@corp.example"));
    assert_eq!(account("a\\b", "CORP").account(), ("CORP", "a\\b"));
    assert_eq!(account("svc", "CORP").qualified_user(), "CORP\\svc");
    let mut unicode = SignIn::new(
        "proxy:3128".into(),
        Some(Arc::new(ProxyCredentials { basic_allowed: true, ..account("Jürgen 石", "ÄÖ") })),
        None,
    );
    unicode.challenged(&offers(DIGEST)).unwrap();
    assert!(sent(&mut unicode).contains("username=\"ÄÖ\\\\Jürgen 石\""));
}
