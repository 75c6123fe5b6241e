//! JSON Web Tokens signed anew (RFC 7515, RFC 7519): each client keeps its claims, and the mirror's key vouches for them.
//!
//! Policy has taken production's signature off, so what comes here is `header.claims.`; a token that was kept whole is signed
//! anew all the same. Header and claims keep their bytes, but for the algorithm and key id, the issuer where one is given, and
//! the times, which move by what has passed since the request was captured: a token keeps its lifetime and its age, and one
//! that production refused as expired is expired on the mirror too.

use std::fmt;

use anyhow::{Context, anyhow, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::Value;

use mirror_core::rewrite::with_json_value;
use mirror_core::time::Timestamp;

/// The key, and what else a mirror wants tokens to say.
#[derive(Debug)]
pub(super) struct JwtSigner {
    key: SigningKey,
    key_id: Option<String>,
    issuer: Option<String>,
}

enum SigningKey {
    Secret(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.usual_algorithm())
    }
}

impl SigningKey {
    /// A private key in PEM, or the bytes of a shared secret.
    fn read(file: &[u8]) -> anyhow::Result<Self> {
        if !file.starts_with(b"-----BEGIN") {
            let secret = file.trim_ascii_end();
            ensure!(!secret.is_empty(), "the file is empty");
            return Ok(Self::Secret(secret.into()));
        }
        let key = PrivateKeyDer::from_pem_slice(file)
            .map_err(|_| anyhow!("it holds no private key in PEM"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(key) => {
                RsaKeyPair::from_der(key.secret_pkcs1_der()).map(|key| Self::Rsa(key.into()))
            }
            PrivateKeyDer::Pkcs8(key) => Self::pkcs8(key.secret_pkcs8_der()),
            _ => {
                return Err(anyhow!(
                    "it is a SEC1 key: convert it with `openssl pkcs8 -topk8 -nocrypt`"
                ));
            }
        };
        key.map_err(|why| {
            anyhow!("the key cannot be used ({why}): use RSA of 2048 bits and more, P-256, P-384 or Ed25519 in PKCS #8")
        })
    }

    fn pkcs8(der: &[u8]) -> Result<Self, ring::error::KeyRejected> {
        let random = SystemRandom::new();
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der, &random);
        if let Ok(key) = ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING) {
            return Ok(Self::P384(key));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::Ed25519(key));
        }
        RsaKeyPair::from_pkcs8(der).map(|key| Self::Rsa(key.into()))
    }

    /// What a token is signed by whose own algorithm this key cannot do (RFC 7518 §3.1).
    fn usual_algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// None for an algorithm that is not of this key.
    fn sign(&self, algorithm: &str, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match (self, algorithm) {
            (Self::Secret(secret), _) => {
                let algorithm = match algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => return None,
                };
                let key = hmac::Key::new(algorithm, secret);
                Some(hmac::sign(&key, message).as_ref().into())
            }
            (Self::Rsa(key), _) => {
                let padding = rsa_padding(algorithm)?;
                let mut signature = vec![0; key.public().modulus_len()];
                let signed = key.sign(padding, &random, message, &mut signature);
                signed.ok().map(|()| signature)
            }
            (Self::P256(key), "ES256") | (Self::P384(key), "ES384") => {
                let signed = key.sign(&random, message).ok()?;
                Some(signed.as_ref().into())
            }
            (Self::Ed25519(key), "EdDSA" | "Ed25519") => Some(key.sign(message).as_ref().into()),
            _ => None,
        }
    }
}

fn rsa_padding(algorithm: &str) -> Option<&'static dyn signature::RsaEncoding> {
    Some(match algorithm {
        "RS256" => &signature::RSA_PKCS1_SHA256,
        "RS384" => &signature::RSA_PKCS1_SHA384,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "PS384" => &signature::RSA_PSS_SHA384,
        "PS512" => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

impl JwtSigner {
    /// `file` is the mirror's key: PEM, or the bytes of a secret.
    pub(super) fn new(
        file: &[u8],
        key_id: Option<String>,
        issuer: Option<String>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            key: SigningKey::read(file)?,
            key_id,
            issuer,
        })
    }

    /// The token for the mirror; none for what is no signed token.
    pub(super) fn sign(
        &self,
        token: &str,
        captured_at: Timestamp,
        now: Timestamp,
    ) -> Option<String> {
        let mut parts = token.split('.');
        let (header, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let header = BASE64.decode(header).ok()?;
        let claims = BASE64.decode(claims).ok()?;
        let (header, algorithm) = self.header(&header)?;
        let claims = self.claims(claims, captured_at, now)?;
        let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = self.key.sign(&algorithm, message.as_bytes())?;
        Some(format!("{message}.{}", BASE64.encode(signature)))
    }

    /// The header with the algorithm that it is signed by.
    fn header(&self, header: &[u8]) -> Option<(Vec<u8>, String)> {
        let value: Value = serde_json::from_slice(header).ok()?;
        let wanted = value.get("alg")?.as_str()?;
        if wanted == "none" {
            return None;
        }
        let mut header = header.to_vec();
        let mut algorithm = wanted.to_owned();
        if self.key.sign(wanted, b"").is_none() {
            algorithm = self.key.usual_algorithm().into();
            header = with_text(&header, "/alg", &algorithm)?;
        }
        if let Some(id) = &self.key_id {
            header = with_text(&header, "/kid", id)?;
        }
        Some((header, algorithm))
    }

    fn claims(&self, claims: Vec<u8>, captured_at: Timestamp, now: Timestamp) -> Option<Vec<u8>> {
        let value: Value = serde_json::from_slice(&claims).ok()?;
        let passed = now.as_secs().cast_signed() - captured_at.as_secs().cast_signed();
        let mut moved = claims;
        for name in ["exp", "iat", "nbf"] {
            if let Some(time) = value.get(name).and_then(|time| later(time, passed)) {
                moved = with_json_value(&moved, &format!("/{name}"), &time)?;
            }
        }
        match &self.issuer {
            Some(issuer) => with_text(&moved, "/iss", issuer),
            None => value.is_object().then_some(moved),
        }
    }
}

/// A NumericDate (RFC 7519 §2) so many seconds later.
fn later(time: &Value, seconds: i64) -> Option<String> {
    match time.as_i64() {
        Some(time) => Some(time.checked_add(seconds)?.to_string()),
        None => Some((time.as_f64()? + seconds as f64).to_string()),
    }
}

fn with_text(document: &[u8], pointer: &str, text: &str) -> Option<Vec<u8>> {
    with_json_value(document, pointer, &Value::from(text).to_string())
}

/// Reads the key for `--jwt-key`.
pub(super) fn read_key(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use ring::signature::{KeyPair, UnparsedPublicKey, VerificationAlgorithm};

    use super::*;

    const HOUR: u64 = 3600;
    const CAPTURED: u64 = 1_700_000_000;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.", BASE64.encode(header), BASE64.encode(claims))
    }

    fn signer(key: &[u8]) -> JwtSigner {
        JwtSigner::new(key, None, None).unwrap()
    }

    /// Header, claims and signature of what goes to the mirror an hour later.
    fn signed(signer: &JwtSigner, token: &str) -> (String, String, Vec<u8>, String) {
        let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
        let signed = signer
            .sign(token, at(CAPTURED), at(CAPTURED + HOUR))
            .unwrap();
        let (message, signature) = signed.rsplit_once('.').unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let text = |part| String::from_utf8(BASE64.decode(part).unwrap()).unwrap();
        let signature = BASE64.decode(signature).unwrap();
        (text(header), text(claims), signature, message.into())
    }

    /// RFC 7515, appendix A.1, signed by its own key.
    #[test]
    fn the_example_of_the_rfc_is_signed_as_there() {
        let key = BASE64
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let signer = JwtSigner {
            key: SigningKey::Secret(key),
            key_id: None,
            issuer: None,
        };
        let unsigned = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
        let at = Timestamp(1);
        let signed = signer.sign(unsigned, at, at).unwrap();
        assert_eq!(
            signed,
            format!("{unsigned}dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        );
    }

    #[test]
    fn claims_keep_their_bytes_and_times_move_with_the_clock() {
        let claims = r#"{"sub":"7" , "n":12345678901234567890123, "iat":1699999000,"exp":1700000600.5, "nbf":"x"}"#;
        let (header, moved, ..) = signed(
            &signer(b"secret\n"),
            &token(r#"{ "typ":"JWT","alg":"HS512","x":[1] }"#, claims),
        );
        assert_eq!(header, r#"{ "typ":"JWT","alg":"HS512","x":[1] }"#);
        let expect = claims
            .replace("1699999000", "1700002600")
            .replace("1700000600.5", "1700004200.5");
        assert_eq!(moved, expect);
    }

    #[test]
    fn key_id_issuer_and_an_algorithm_of_the_key_s_are_put_in() {
        let signer =
            JwtSigner::new(b"secret", Some("mirror-1".into()), Some("https://m".into())).unwrap();
        let (header, claims, ..) = signed(
            &signer,
            &token(
                r#"{"alg":"RS256","kid":"p"}"#,
                r#"{"iss":"https://p","a":1}"#,
            ),
        );
        assert_eq!(header, r#"{"alg":"HS256","kid":"mirror-1"}"#);
        assert_eq!(claims, r#"{"iss":"https://m","a":1}"#);
    }

    fn check<T: VerificationAlgorithm + 'static>(
        key: &[u8],
        asked: &str,
        expect: &str,
        verification: &'static T,
        public: &[u8],
    ) {
        let header = format!("{{\"alg\":\"{asked}\"}}");
        let (header, _, signature, message) = signed(&signer(key), &token(&header, "{}"));
        assert_eq!(header, format!("{{\"alg\":\"{expect}\"}}"));
        let public = UnparsedPublicKey::new(verification, public);
        public.verify(message.as_bytes(), &signature).unwrap();
    }

    fn pem(der: &[u8]) -> Vec<u8> {
        let body = base64::prelude::BASE64_STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n").into_bytes()
    }

    #[test]
    fn elliptic_curves_sign_what_their_public_key_verifies() {
        let random = SystemRandom::new();
        let p256 = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(p256, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(p256, der.as_ref(), &random).unwrap();
        for asked in ["ES256", "HS256"] {
            let public = pair.public_key().as_ref();
            let verification = &signature::ECDSA_P256_SHA256_FIXED;
            check(&pem(der.as_ref()), asked, "ES256", verification, public);
        }
        let p384 = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(p384, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(p384, der.as_ref(), &random).unwrap();
        let public = pair.public_key().as_ref();
        let verification = &signature::ECDSA_P384_SHA384_FIXED;
        check(&pem(der.as_ref()), "ES384", "ES384", verification, public);
        let der = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        let public = pair.public_key().as_ref();
        check(
            &pem(der.as_ref()),
            "EdDSA",
            "EdDSA",
            &signature::ED25519,
            public,
        );
    }

    #[test]
    fn rsa_signs_what_its_public_key_verifies() {
        let key = include_bytes!("../../tests/data/rsa-2048.pem");
        let SigningKey::Rsa(pair) = SigningKey::read(key).unwrap() else {
            panic!("it is an RSA key");
        };
        let public = pair.public().as_ref();
        let check = |asked, expect, verification| check(key, asked, expect, verification, public);
        check("RS256", "RS256", &signature::RSA_PKCS1_2048_8192_SHA256);
        check("RS512", "RS512", &signature::RSA_PKCS1_2048_8192_SHA512);
        check("PS384", "PS384", &signature::RSA_PSS_2048_8192_SHA384);
        check("ES256", "RS256", &signature::RSA_PKCS1_2048_8192_SHA256);
    }

    #[test]
    fn what_is_no_signed_token_is_none() {
        let signer = signer(b"secret");
        let whole = token(r#"{"alg":"HS256"}"#, "{}");
        let check = |token: &str, expect: bool| {
            let at = Timestamp(1);
            assert_eq!(signer.sign(token, at, at).is_some(), expect, "{token}");
        };
        check(&whole, true);
        check(&format!("{whole}c2ln"), true);
        check(whole.trim_end_matches('.'), false);
        check(&format!("{whole}.."), false);
        check(&token(r#"{"alg":"none"}"#, "{}"), false);
        check(&token(r#"{"typ":"JWT"}"#, "{}"), false);
        check(&token(r#"{"alg":"HS256"}"#, "[]"), false);
        check("a.b.c", false);
        check("opaque", false);
    }

    #[test]
    fn a_key_that_cannot_sign_is_refused_with_the_way_out() {
        let check = |file: &[u8], expect: &str| {
            let error = format!("{:#}", SigningKey::read(file).unwrap_err());
            assert!(error.contains(expect), "{error}");
        };
        check(b"\n", "empty");
        check(b"-----BEGIN nonsense", "no private key");
        check(&pem(b"x"), "Ed25519 in PKCS #8");
        let sec1 = b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        check(sec1, "openssl pkcs8");
        let shown = format!("{:?}", signer(b"hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
