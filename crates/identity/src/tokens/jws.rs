//! Signed tokens as text (RFC 7515, RFC 7519), and the keys that they are checked with.
//!
//! The checks of signatures are those of `ring`, which the service has for TLS already.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_LEN: usize = 8 * 1024;

/// Largest set of keys that is kept: more are the mistake of an issuer.
const MAX_KEYS: usize = 100;

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// What a token says about itself.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none are.
    crit: Option<Value>,
}

/// A token that was taken apart and not checked.
pub(crate) struct Jws<'a> {
    header: Header,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart; nothing where it has another form.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN_LEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        Some(Self {
            header,
            claims: Claims(serde_json::from_slice(&decode(claims)?).ok()?),
            signed,
            signature: decode(signature)?,
        })
    }

    /// The name of the key that signed it.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What it claims, which nobody has checked.
    pub(crate) const fn unchecked(&self) -> &Claims {
        &self.claims
    }

    /// What it claims, where a key signed it.
    pub(crate) fn verify(self, key: &VerifyingKey) -> Option<Claims> {
        // The key says which algorithm it is for, never the token.
        let is_signed = self.header.alg == key.algorithm()
            && key.has_signed(self.signed.as_bytes(), &self.signature);
        is_signed.then_some(self.claims)
    }
}

/// What a token claims.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claims(pub(crate) Map<String, Value>);

impl Claims {
    /// A claim by its name, or by its JSON pointer (RFC 6901) where the name begins with `/`.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let Some(path) = name.strip_prefix('/') else {
            return self.0.get(name);
        };
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let outer = self.0.get(&first.replace("~1", "/").replace("~0", "~"))?;
        if rest.is_empty() {
            Some(outer)
        } else {
            outer.pointer(&format!("/{rest}"))
        }
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The texts of a claim that is one or a list of them.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let value = self.get(name);
        let list = value.and_then(Value::as_array).into_iter().flatten();
        let one = value.filter(|value| value.is_string());
        one.into_iter().chain(list).filter_map(Value::as_str)
    }

    /// A time that is claimed in seconds since 1970, in milliseconds; an error where the claim
    /// is something else.
    pub(crate) fn time_ms(&self, name: &str) -> Result<Option<i64>, NotATime> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the conversion saturates, and so does the product"
        )]
        let seconds = |value: &Value| {
            let float = || value.as_f64().filter(|float| *float >= 0.0);
            value.as_i64().or_else(|| float().map(|float| float as i64))
        };
        match self.get(name) {
            None => Ok(None),
            Some(value) => seconds(value)
                .map(|seconds| Some(seconds.saturating_mul(1000)))
                .ok_or(NotATime),
        }
    }
}

/// The claim is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotATime;

/// A public key, for the one algorithm that is used with it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VerifyingKey {
    /// Ed25519 (RFC 8037): 32 bytes.
    Ed25519(Vec<u8>),
    /// P-256 (RFC 7518, 3.4): an uncompressed point.
    P256(Vec<u8>),
    /// RSA with at least 2048 bits (RFC 7518, 3.3), without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl VerifyingKey {
    /// The algorithm, as tokens name it.
    pub(crate) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
            Self::Rsa { .. } => "RS256",
        }
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature)
            }
            Self::Rsa { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        }
        .is_ok()
    }

    /// The key of a JWK (RFC 7517); nothing where it is of no use here.
    fn of_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| decode(text(name)?);
        let of_len = |name: &str, len| bytes(name).filter(|bytes| bytes.len() == len);
        let key = match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => Self::Ed25519(of_len("x", 32)?),
            ("EC", Some("P-256")) => {
                Self::P256([vec![4], of_len("x", 32)?, of_len("y", 32)?].concat())
            }
            ("RSA", _) => {
                let number = |name| bytes(name).map(without_leading_zeros);
                let (modulus, exponent) = (number("n")?, number("e")?);
                let is_long_enough = (256..=1024).contains(&modulus.len())
                    && (modulus.len() > 256 || modulus[0] >= 0x80);
                if !is_long_enough {
                    return None;
                }
                Self::Rsa { modulus, exponent }
            }
            _ => return None,
        };
        let is_for_signatures = text("use").is_none_or(|usage| usage == "sig");
        let is_for_verifying = jwk
            .get("key_ops")
            .and_then(Value::as_array)
            .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let is_for_its_algorithm = text("alg").is_none_or(|alg| alg == key.algorithm());
        (is_for_signatures && is_for_verifying && is_for_its_algorithm).then_some(key)
    }
}

fn without_leading_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

/// The keys of one issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeySet {
    keys: Vec<(Option<String>, VerifyingKey)>,
}

impl KeySet {
    /// Keys by their names.
    pub(crate) fn new(keys: impl IntoIterator<Item = (String, VerifyingKey)>) -> Self {
        let named = |(id, key)| (Some(id), key);
        Self {
            keys: keys.into_iter().map(named).collect(),
        }
    }

    /// The keys of a JWK set that are of use here; nothing where the text is no JWK set.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct JwkSet {
            keys: Vec<Value>,
        }
        let set: JwkSet = serde_json::from_slice(text).ok()?;
        let keys = set.keys.iter().filter_map(|jwk| {
            let id = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
            Some((id, VerifyingKey::of_jwk(jwk)?))
        });
        Some(Self {
            keys: keys.take(MAX_KEYS).collect(),
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Each of them.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter().map(|(_, key)| key)
    }

    /// The key of a name; without a name, the only key there is.
    pub(crate) fn find(&self, id: Option<&str>) -> Option<&VerifyingKey> {
        match id {
            Some(id) => {
                let mut keys = self.keys.iter();
                keys.find(|(known, _)| known.as_deref() == Some(id))
                    .map(|(_, key)| key)
            }
            None => match self.keys.as_slice() {
                [(_, key)] => Some(key),
                _ => None,
            },
        }
    }
}
