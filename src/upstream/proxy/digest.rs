//! Digest authentication: one nonce of the proxy server, and what is computed with it for each request.
//!
//! Source: RFC 7616. `qop=auth` and none at all (RFC 2069) are known, `auth-int` is not.

use md5::Md5;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512_256};
use zeroize::Zeroizing;

use super::challenge::Challenge;

/// A nonce, an opaque or a realm longer than this is not believed (ours).
const VALUE_MAX: usize = 4 * 1024;

/// The hash functions, the strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
    Sha512_256,
}

impl Hash {
    /// In hexadecimal digits.
    fn of(self, text: &[u8]) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Md5 => hex::encode(Md5::digest(text)),
            Self::Sha256 => hex::encode(Sha256::digest(text)),
            Self::Sha512_256 => hex::encode(Sha512_256::digest(text)),
        })
    }
}

/// A nonce and what came with it.
#[derive(Debug, Clone)]
pub(super) struct DigestSession {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As it was written; `None`: MD5 by default.
    algorithm: Option<String>,
    hash: Hash,
    is_session: bool,
    has_qop: bool,
    hides_user: bool,
    /// Requests answered for with this nonce.
    count: u32,
}

impl DigestSession {
    /// The strongest of the offers that are Digest; `None` when there is none.
    ///
    /// # Errors
    /// Half a sentence that says what is wrong, when all of them are unusable.
    pub fn strongest(offers: &[Challenge]) -> Option<Result<Self, String>> {
        let mut best: Option<Result<Self, String>> = None;
        for offer in offers.iter().filter(|offer| offer.is("Digest")) {
            match (Self::new(offer), &best) {
                (Ok(new), Some(Ok(old))) if old.hash >= new.hash => {}
                (Err(_), Some(_)) => {}
                (new, _) => best = Some(new),
            }
        }
        best
    }

    fn new(offer: &Challenge) -> Result<Self, String> {
        let short = |name: &str| match offer.param(name) {
            Some(value) if value.len() > VALUE_MAX => Err(format!("its {name} is too long")),
            value => Ok(value.map(str::to_owned)),
        };
        let realm = short("realm")?.ok_or("it names no realm")?;
        let nonce = short("nonce")?.filter(|nonce| !nonce.is_empty()).ok_or("it sends no nonce")?;
        let algorithm = short("algorithm")?;
        let named = algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let (name, is_session) =
            named.strip_suffix("-SESS").map_or((named.as_str(), false), |name| (name, true));
        let hash = match name {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512_256,
            _ => {
                return Err(format!("its algorithm {} is unknown", super::super::error::quote(&named)));
            }
        };
        let has_qop = match offer.param("qop") {
            None => false,
            Some(offered) if offered.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")) => true,
            Some(offered) => {
                return Err(format!("its qop {} is unknown", super::super::error::quote(offered)));
            }
        };
        let hides_user = offer.param("userhash").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let opaque = short("opaque")?;
        Ok(Self { realm, nonce, opaque, algorithm, hash, is_session, has_qop, hides_user, count: 0 })
    }

    /// Has the nonce been used only once so far?
    pub fn is_fresh(&self) -> bool {
        self.count <= 1
    }

    /// Goes on with the nonce of a `Proxy-Authentication-Info`.
    pub fn go_on_with(&mut self, nonce: &str) {
        if !nonce.is_empty() && nonce.len() <= VALUE_MAX {
            nonce.clone_into(&mut self.nonce);
            self.count = 0;
        }
    }

    /// The header's value for one request. `uri` is what stands in the request line.
    pub fn authorize(
        &mut self,
        user: &str,
        password: &str,
        method: &str,
        uri: &str,
        cnonce: &str,
    ) -> Zeroizing<Vec<u8>> {
        self.count += 1;
        let Self { realm, nonce, hash, .. } = &*self;
        let count = format!("{:08x}", self.count);
        let mut a1 = hash.of(&Zeroizing::new(format!("{user}:{realm}:{password}").into_bytes()));
        if self.is_session {
            a1 = hash.of(format!("{}:{nonce}:{cnonce}", *a1).as_bytes());
        }
        let a2 = hash.of(format!("{method}:{uri}").as_bytes());
        let response = if self.has_qop {
            hash.of(format!("{}:{nonce}:{count}:{cnonce}:auth:{}", *a1, *a2).as_bytes())
        } else {
            hash.of(format!("{}:{nonce}:{}", *a1, *a2).as_bytes())
        };
        let shown_user = match self.hides_user {
            true => hash.of(format!("{user}:{realm}").as_bytes()).to_string(),
            false => user.to_owned(),
        };
        let mut text = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"",
            quoted(&shown_user),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
            *response
        );
        if let Some(algorithm) = &self.algorithm {
            text.push_str(&format!(", algorithm={algorithm}"));
        }
        if self.has_qop {
            text.push_str(&format!(", qop=auth, nc={count}, cnonce={}", quoted(cnonce)));
        } else if self.is_session {
            text.push_str(&format!(", cnonce={}", quoted(cnonce)));
        }
        if let Some(opaque) = &self.opaque {
            text.push_str(&format!(", opaque={}", quoted(opaque)));
        }
        if self.hides_user {
            text.push_str(", userhash=true");
        }
        Zeroizing::new(text.into_bytes())
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(header: &str) -> DigestSession {
        DigestSession::strongest(&Challenge::parse(header.as_bytes())).unwrap().unwrap()
    }

    fn response(header: &[u8]) -> String {
        let found = Challenge::parse(header);
        found[0].param("response").unwrap().to_owned()
    }

    /// RFC 7616, section 3.9.1.
    #[test]
    fn the_published_example_with_md5_and_sha_256() {
        let header = |algorithm: &str| {
            format!(
                r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
            )
        };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, wanted) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut session = session(&header(algorithm));
            let value = session.authorize("Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce);
            assert_eq!(response(&value), wanted);
            let text = String::from_utf8_lossy(&value).into_owned();
            assert!(text.contains("nc=00000001") && text.contains("opaque=\"FQhe/"), "{text}");
        }
        let both = format!("{}, {}", header("MD5"), header("sha-256"));
        assert_eq!(session(&both).hash, Hash::Sha256);
    }

    /// RFC 7616, section 3.9.2, with the user name of its erratum 4897. The responses of both were computed with another
    /// hash, so ours is compared with that of another implementation (Python's hashlib).
    #[test]
    fn the_published_example_with_sha_512_256_and_a_hidden_user() {
        let mut session = session(
            r#"Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true"#,
        );
        let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm";
        let value = session.authorize("Jäsøn Doe", "Secret, or not?", "GET", "/doe.json", cnonce);
        assert_eq!(response(&value), "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c");
        let found = Challenge::parse(&value);
        assert_eq!(
            found[0].param("username"),
            Some("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b")
        );
    }

    /// RFC 2617, section 3.5, and RFC 2069 with its erratum 749.
    #[test]
    fn the_older_examples() {
        let header = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        let mut old = session(header);
        let value = old.authorize("Mufasa", "CircleOfLife", "GET", "/dir/index.html", "unused");
        assert_eq!(response(&value), "1949323746fe6a43ef61f9606e7febea");
        let mut new = session(&format!("{header}, qop=auth"));
        let value = new.authorize("Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b");
        assert_eq!(response(&value), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn the_count_rises_and_a_new_nonce_begins_again() {
        let mut session = session(r#"Digest realm="r", nonce="n1", qop="auth", algorithm="MD5-sess""#);
        let mut count = || {
            let value = session.authorize("u", "p", "GET", "/", "c");
            Challenge::parse(&value)[0].param("nc").unwrap().to_owned()
        };
        assert_eq!([count(), count()], ["00000001", "00000002"]);
        assert!(!session.is_fresh());
        session.go_on_with("n2");
        let value = session.authorize("u\\\"", "p", "GET", "/", "c");
        let found = Challenge::parse(&value);
        assert_eq!((found[0].param("nc"), found[0].param("nonce")), (Some("00000001"), Some("n2")));
        assert_eq!(found[0].param("username"), Some("u\\\""));
        assert!(session.is_fresh());
    }

    #[test]
    fn r121_what_cannot_be_used_is_named() {
        for (header, reason) in [
            ("Digest nonce=n", "it names no realm"),
            ("Digest realm=r", "it sends no nonce"),
            ("Digest realm=r, nonce=n, qop=\"auth-int\"", "its qop auth-int is unknown"),
            ("Digest realm=r, nonce=n, algorithm=SHA-1", "its algorithm SHA-1 is unknown"),
        ] {
            let found = DigestSession::strongest(&Challenge::parse(header.as_bytes())).unwrap();
            assert_eq!(found.unwrap_err(), reason);
        }
        assert!(DigestSession::strongest(&Challenge::parse(b"Basic realm=x")).is_none());
        let mixed = "Digest realm=r, nonce=n, algorithm=SHA-1, Digest realm=r, nonce=n, algorithm=MD5";
        assert_eq!(session(mixed).hash, Hash::Md5);
    }
}
