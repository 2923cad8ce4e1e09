//! What a browser keeps between its two visits, sealed.

use serde::{Deserialize, Serialize};
use wagate_store::MasterKeys;

use crate::remembered::is_within;
use crate::tokens::jws::{decode, encode};

/// How long a person may take to sign in with the provider.
const LIFETIME_MS: i64 = 10 * 60_000;

/// Longest cookie that is looked at, and longest path that is kept, in bytes.
const MAX_COOKIE_LEN: usize = 4_000;
const MAX_PATH_LEN: usize = 1_000;

/// The first part of the associated data; the provider is the second.
const SEALED_AS: &str = "oidc_sign_in";

/// What the browser keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignInState {
    /// What the provider gives back.
    pub(crate) state: String,
    /// What the ID token holds.
    pub(crate) nonce: String,
    /// What proves that the code is fetched by who asked for it (RFC 7636).
    pub(crate) verifier: String,
    /// Where the person goes on.
    pub(crate) return_to: String,
    /// When it was made, in milliseconds since 1970.
    pub(crate) made_at: i64,
}

impl SignInState {
    pub(crate) fn seal(&self, keys: &MasterKeys, provider: &str) -> String {
        let plain = serde_json::to_vec(self).expect("texts and numbers are JSON");
        encode(&keys.seal(SEALED_AS, provider.as_bytes(), &plain))
    }

    /// What was sealed for a provider less than ten minutes ago.
    pub(crate) fn open(
        keys: &MasterKeys,
        provider: &str,
        cookie: &str,
        now_ms: i64,
    ) -> Option<Self> {
        let sealed = Some(cookie).filter(|cookie| cookie.len() <= MAX_COOKIE_LEN);
        let plain = keys
            .open(SEALED_AS, provider.as_bytes(), &decode(sealed?)?)
            .ok()?;
        let state: Self = serde_json::from_slice(&plain).ok()?;
        is_within(now_ms, state.made_at, LIFETIME_MS).then_some(state)
    }
}

/// A path of this installation to go on at: what is another place, or no path, becomes `/`.
pub(crate) fn own_path(path: &str) -> &str {
    let is_own = path.starts_with('/')
        // Browsers read both as the beginning of a host, and drop control characters.
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.len() <= MAX_PATH_LEN;
    if is_own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_go_on_here_and_nowhere_else() {
        for path in ["/", "/sessions?x=1#y", "/%2f/a", "/ä"] {
            assert_eq!(own_path(path), path);
        }
        let long = format!("/{}", "a".repeat(MAX_PATH_LEN));
        for path in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil",
            "/a\\b",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            "javascript:alert(1)",
            &long,
        ] {
            assert_eq!(own_path(path), "/", "{path:?}");
        }
    }

    #[test]
    fn a_browser_keeps_nothing_for_another_provider_or_too_long() {
        let keys = MasterKeys::generate();
        let state = SignInState {
            state: "s".into(),
            nonce: "n".into(),
            verifier: "v".into(),
            return_to: "/".into(),
            made_at: 1_000,
        };
        let cookie = state.seal(&keys, "corp");
        let open = |provider, now_ms| SignInState::open(&keys, provider, &cookie, now_ms);
        assert_eq!(open("corp", 1_000 + LIFETIME_MS - 1), Some(state));
        assert_eq!(open("corp", 1_000 + LIFETIME_MS), None);
        assert_eq!(open("corp", 999), None);
        assert_eq!(open("other", 1_000), None);
        assert!(!cookie.contains("verifier"));
    }
}
