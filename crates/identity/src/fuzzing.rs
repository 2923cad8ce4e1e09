//! What must hold of tokens, keys and cookies, for property tests and fuzz targets alike.
//!
//! Each function takes an input, reads it, and panics when a property does not hold.

use wagate_store::MasterKeys;

use crate::oidc::{SignInState, own_path};
use crate::tokens::jws::{Jws, KeySet, MAX_TOKEN_LEN, VerifyingKey};
use crate::tokens::verify_with;

/// A text is no token, or one that keys of others did not sign.
pub fn token(text: &str) {
    let Some(parsed) = Jws::parse(text) else {
        return;
    };
    assert!(text.len() <= MAX_TOKEN_LEN && text.matches('.').count() == 2);
    let claims = parsed.unchecked().clone();
    for name in ["exp", "/a/b", "/", ""] {
        let _ = (claims.get(name), claims.time_ms(name));
        assert!(claims.texts(name).all(|text| text.len() <= MAX_TOKEN_LEN));
    }
    // Whichever name the token gives, and whichever algorithm.
    let id = parsed.key_id().unwrap_or_default().to_owned();
    let keys = [
        VerifyingKey::Ed25519(vec![9; 32]),
        VerifyingKey::P256(vec![4; 65]),
        VerifyingKey::Rsa {
            modulus: vec![0xff; 256],
            exponent: vec![1, 0, 1],
        },
    ];
    for key in keys {
        let parsed = Jws::parse(text).expect("it was one before");
        let keys = KeySet::new([(id.clone(), key)]);
        assert!(verify_with(parsed, &keys, "issuer", "audience", 0).is_err());
    }
}

/// A text is no set of keys, or one that is bounded and whose keys are long enough.
pub fn key_set(text: &[u8]) {
    let Some(keys) = KeySet::parse(text) else {
        return;
    };
    assert!(keys.len() <= 100);
    assert!(keys.find(None).is_none() || keys.len() == 1);
    for key in keys.iter() {
        match key {
            VerifyingKey::Ed25519(key) => assert_eq!(key.len(), 32),
            VerifyingKey::P256(point) => assert_eq!((point.len(), point[0]), (65, 4)),
            VerifyingKey::Rsa { modulus, .. } => {
                assert!((256..=1024).contains(&modulus.len()) && modulus[0] != 0);
            }
        }
        // Also keys that are none, such as points beside the curve.
        assert!(!key.has_signed(b"message", &[1; 64]));
        assert!(!key.has_signed(b"message", &[1; 256]));
    }
}

/// What a browser brings opens as it was sealed, and is nothing where anything was changed.
pub fn sign_in_state(cookie: &str, return_to: &str, changed_at: usize) {
    let keys = MasterKeys::generate();
    assert!(SignInState::open(&keys, "corp", cookie, 0).is_none());
    let path = own_path(return_to);
    assert!(path.starts_with('/') && !path.starts_with("//"));
    assert!(!path.contains('\\') && !path.chars().any(char::is_control));
    assert_eq!(own_path(path), path);
    let state = SignInState {
        state: "state".into(),
        nonce: "nonce".into(),
        verifier: "verifier".into(),
        return_to: path.to_owned(),
        made_at: 0,
    };
    let mut sealed = state.seal(&keys, "corp");
    let opened = SignInState::open(&keys, "corp", &sealed, 0);
    assert_eq!(opened, Some(state));
    assert!(SignInState::open(&keys, "other", &sealed, 0).is_none());
    // Within the text; the last character holds bits that count for nothing, and so must be 0.
    let place = changed_at % sealed.len();
    let other = if &sealed[place..=place] == "A" {
        "B"
    } else {
        "A"
    };
    sealed.replace_range(place..=place, other);
    assert!(SignInState::open(&keys, "corp", &sealed, 0).is_none());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokens::jws::encode;

    fn part() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,20}",
            "[A-Za-z0-9_-]{0,40}",
            r#"\{"alg":"(EdDSA|RS256|ES256|none|HS256)"(,"kid":"[a-z]{0,2}")?\}"#
                .prop_map(|text: String| encode(text.as_bytes())),
            r#"\{"exp":(-?[0-9]{0,20}|[0-9]e[0-9]{1,3}),"a":\{"b":\[1,"c"\]\}\}"#
                .prop_map(|text: String| encode(text.as_bytes())),
        ]
    }

    fn jwk() -> impl Strategy<Value = String> {
        let text = "[A-Za-z0-9_-]{0,45}|[A-Za-z0-9_-]{340,350}|[A-Za-z0-9_-]{43}";
        let kind = prop_oneof![
            Just(("OKP", "Ed25519")),
            Just(("EC", "P-256")),
            Just(("RSA", "")),
            Just(("oct", ""))
        ];
        (kind, text, text).prop_map(|((kind, curve), one, two)| {
            format!(
                r#"{{"kty":"{kind}","crv":"{curve}","x":"{one}","y":"{two}","n":"{one}","e":"AQAB"}}"#
            )
        })
    }

    proptest! {
        #[test]
        fn no_text_is_a_token_that_nobody_signed(parts in prop::collection::vec(part(), 0..5)) {
            token(&parts.join("."));
        }

        #[test]
        fn no_text_is_a_set_of_keys_that_are_none(
            text in prop::collection::vec(any::<u8>(), 0..100),
            keys in prop::collection::vec(jwk(), 0..4),
        ) {
            key_set(&text);
            key_set(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes());
        }

        #[test]
        fn no_browser_brings_what_was_not_sealed(
            cookie in "\\PC{0,80}|[A-Za-z0-9_-]{0,200}",
            return_to in "\\PC{0,20}|/[a-z/\\\\]{0,10}",
            changed_at in any::<usize>(),
        ) {
            sign_in_state(&cookie, &return_to, changed_at);
        }
    }
}
