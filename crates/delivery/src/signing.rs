//! The headers by which a receiver recognizes a delivery and trusts it.
//!
//! Two signatures stand side by side. `X-Webhook-Hmac` is made with the secret that
//! the organization gave, as bare text, and is absent without one. `webhook-signature`
//! follows Standard Webhooks (standardwebhooks.com) and is always there: a webhook
//! without a given secret is signed with a key of its own that is derived from the
//! installation's [`SigningRoot`], which its owner can be shown as a `whsec_` secret.
//! For as long as earlier secrets stay valid, their signatures stand beside the others, the
//! latest first; `X-Webhook-Hmac` has room for one, and is made with the present secret.
//!
//! The standard's libraries decode a secret's base64, with `whsec_` before it or without;
//! others take the text as it is. Where both can be meant, both signatures are given.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::{Sha256, Sha512};
use wagate_model::{
    EventId, RESERVED_WEBHOOK_HEADERS, SessionId, WEBHOOK_SECRET_PREFIX, WebhookId,
};
use zeroize::Zeroizing;

/// What the keys of webhooks without a given secret are derived from: 32 secret bytes of the installation.
#[derive(Clone)]
pub struct SigningRoot(Zeroizing<[u8; 32]>);

impl fmt::Debug for SigningRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningRoot(…)")
    }
}

impl SigningRoot {
    /// The root of 32 bytes that the caller drew from a secure source and keeps.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The derived secret of a webhook, as its owner enters it at the receiver.
    #[must_use]
    pub fn secret_of(&self, webhook: WebhookId) -> Zeroizing<String> {
        let key = self.key_of(webhook);
        Zeroizing::new(format!("{WEBHOOK_SECRET_PREFIX}{}", STANDARD.encode(&*key)))
    }

    fn key_of(&self, webhook: WebhookId) -> Zeroizing<Vec<u8>> {
        self.derive(b"wagate webhook signing key v1:", &webhook.to_string())
    }

    /// A number that stands outside for one of a session's rows, the same each time: numbers of
    /// rows would tell how many others have. It has 53 bits, so that every JSON reader keeps it.
    #[must_use]
    pub fn number_of(&self, session: SessionId, row: i64) -> i64 {
        let mac = self.derive(b"wagate row number v1:", &format!("{session}/{row}"));
        let first = mac.first_chunk().expect("SHA-256 gives 32 bytes");
        i64::from_be_bytes(*first) & ((1 << 53) - 1)
    }

    fn derive(&self, purpose: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.0).expect("an HMAC takes keys of every length");
        mac.update(purpose);
        mac.update(text.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().to_vec())
    }
}

/// Makes a secret of 24 bytes that the caller drew from a secure source, in the form of Standard Webhooks.
#[must_use]
pub fn new_webhook_secret(bytes: [u8; 24]) -> Zeroizing<String> {
    Zeroizing::new(format!("{WEBHOOK_SECRET_PREFIX}{}", STANDARD.encode(bytes)))
}

/// What a delivery is signed with.
#[derive(Debug, Clone, Copy)]
pub struct SigningKeys<'a> {
    /// The webhook, for the derived key.
    pub webhook: WebhookId,
    /// The secret that the organization gave.
    pub given: Option<&'a str>,
    /// The secrets before that one that are still valid.
    pub earlier: &'a [String],
    /// What keys are derived from where no secret was given.
    pub root: &'a SigningRoot,
}

type Key = Zeroizing<Vec<u8>>;

/// The keys that a receiver may make of a secret: what its base64 says, and the bytes of the
/// text unless it is marked as base64.
fn standard_keys(secret: &str) -> Vec<Key> {
    let marked = secret.strip_prefix(WEBHOOK_SECRET_PREFIX);
    let decoded = STANDARD.decode(marked.unwrap_or(secret));
    let mut keys: Vec<_> = decoded
        .ok()
        .filter(|key| !key.is_empty())
        .map(Zeroizing::new)
        .into_iter()
        .collect();
    if marked.is_none() || keys.is_empty() {
        keys.push(Zeroizing::new(secret.as_bytes().to_vec()));
    }
    keys
}

fn standard_signature(key: &[u8], id: &str, timestamp_s: i64, body: &str) -> String {
    standardwebhooks::Webhook::from_bytes(key.to_vec())
        .and_then(|signer| signer.sign(id, timestamp_s, body.as_bytes()))
        .expect("a key of bytes and a body of text can always be signed")
}

fn plain_hmac(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes())
        .expect("an HMAC takes keys of every length");
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The headers of a delivery: the organization's own, and ours, which they cannot replace.
#[must_use]
pub fn delivery_headers(
    keys: SigningKeys<'_>,
    custom: &BTreeMap<String, String>,
    event: EventId,
    body: &str,
    now_ms: i64,
) -> HeaderMap {
    let mut headers = custom_headers(custom);
    let id = event.to_string();
    let timestamp_s = now_ms.div_euclid(1000);
    let mut standard = match keys.given {
        Some(given) => standard_keys(given),
        None => vec![keys.root.key_of(keys.webhook)],
    };
    standard.extend(keys.earlier.iter().flat_map(|secret| standard_keys(secret)));
    let signatures: Vec<_> = standard
        .iter()
        .map(|key| standard_signature(key, &id, timestamp_s, body))
        .collect();
    let signature = signatures.join(" ");
    let mut set = |name: HeaderName, value: &str| {
        let value = HeaderValue::from_str(value).expect("ids, numbers, hex and base64 are ASCII");
        headers.insert(name, value);
    };
    set(CONTENT_TYPE, "application/json");
    set(HeaderName::from_static("x-webhook-request-id"), &id);
    set(
        HeaderName::from_static("x-webhook-timestamp"),
        &now_ms.to_string(),
    );
    if let Some(given) = keys.given {
        set(
            HeaderName::from_static("x-webhook-hmac"),
            &plain_hmac(given, body),
        );
        set(
            HeaderName::from_static("x-webhook-hmac-algorithm"),
            "sha512",
        );
    }
    set(HeaderName::from_static("webhook-id"), &id);
    set(
        HeaderName::from_static("webhook-timestamp"),
        &timestamp_s.to_string(),
    );
    set(HeaderName::from_static("webhook-signature"), &signature);
    headers
}

fn custom_headers(custom: &BTreeMap<String, String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in custom {
        let name = name.to_ascii_lowercase();
        if RESERVED_WEBHOOK_HEADERS.contains(&name.as_str()) {
            continue;
        }
        // What cannot be sent was refused when the webhook was made.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_rows_and_say_nothing_of_others() {
        let root = SigningRoot::from_bytes([1; 32]);
        let (one, two) = (SessionId::from_parts(1, 1), SessionId::from_parts(1, 2));
        let number = root.number_of(one, 7);
        assert_eq!(root.number_of(one, 7), number);
        assert!((0..1 << 53).contains(&number));
        let others = [root.number_of(one, 8), root.number_of(two, 7)];
        assert!(others.iter().all(|other| other.abs_diff(number) > 1_000));
        assert_ne!(SigningRoot::from_bytes([2; 32]).number_of(one, 7), number);
    }

    const BODY: &str = r#"{"test": 2432232314}"#;
    const NOW_MS: i64 = 1_614_265_330_123;

    fn root() -> SigningRoot {
        SigningRoot::from_bytes([9; 32])
    }

    fn event() -> EventId {
        "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C".parse().unwrap()
    }

    fn webhook() -> WebhookId {
        "wh_01J9ZX8K2QHV0M3T6R7P4N5W8D".parse().unwrap()
    }

    fn headers_of(given: Option<&str>, earlier: &[&str]) -> HeaderMap {
        let root = root();
        let earlier: Vec<_> = earlier.iter().map(ToString::to_string).collect();
        let keys = SigningKeys {
            webhook: webhook(),
            given,
            earlier: &earlier,
            root: &root,
        };
        delivery_headers(keys, &BTreeMap::new(), event(), BODY, NOW_MS)
    }

    fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
        headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn only_key(secret: &str) -> Key {
        let [key] = standard_keys(secret).try_into().unwrap();
        key
    }

    #[test]
    fn the_standards_own_vectors_hold() {
        // The example of the specification, and the vector of the reference libraries.
        let key = only_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(
            standard_signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, BODY),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let key = only_key("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            standard_signature(&key, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn the_plain_hmac_is_the_published_sha512_vector() {
        // RFC 4231, test case 2.
        assert_eq!(
            plain_hmac("Jefe", "what do ya want for nothing?"),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
    }

    #[test]
    fn the_standards_own_verifier_accepts_every_secret_that_it_can_read() {
        let root = root();
        let derived = root.secret_of(webhook());
        // It looks at the clock.
        let elapsed = std::time::UNIX_EPOCH.elapsed().unwrap();
        let now_ms = i64::try_from(elapsed.as_millis()).unwrap();
        for (given, shown) in [
            (Some("whsec_AQIDBAUG"), "whsec_AQIDBAUG"),
            (Some("AQIDBAUG"), "AQIDBAUG"),
            (Some("AQIDBAUG"), "whsec_AQIDBAUG"),
            (None, derived.as_str()),
        ] {
            let keys = SigningKeys {
                webhook: webhook(),
                given,
                earlier: &["another".to_owned()],
                root: &root,
            };
            let headers = delivery_headers(keys, &BTreeMap::new(), event(), BODY, now_ms);
            let verifier = standardwebhooks::Webhook::new(shown).unwrap();
            verifier.verify(BODY.as_bytes(), &headers).unwrap();
            assert!(verifier.verify(b"{}", &headers).is_err());
        }
    }

    #[test]
    fn a_secret_that_is_not_marked_as_base64_is_a_key_as_it_is_too() {
        let keys = |secret| -> Vec<Vec<u8>> {
            let keys = standard_keys(secret).into_iter();
            keys.map(|key| key.to_vec()).collect()
        };
        assert_eq!(keys("whsec_AQID"), [[1, 2, 3]]);
        assert_eq!(keys("AQID"), [vec![1, 2, 3], b"AQID".to_vec()]);
        assert_eq!(keys("not base64!"), [b"not base64!"]);
    }

    #[test]
    fn with_a_secret_every_header_is_there() {
        let headers = headers_of(Some("Jefe!"), &[]);
        let id = "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C";
        assert_eq!(text(&headers, "content-type"), "application/json");
        assert_eq!(text(&headers, "x-webhook-request-id"), id);
        assert_eq!(text(&headers, "x-webhook-timestamp"), "1614265330123");
        assert_eq!(text(&headers, "x-webhook-hmac"), plain_hmac("Jefe!", BODY));
        assert_eq!(text(&headers, "x-webhook-hmac-algorithm"), "sha512");
        assert_eq!(text(&headers, "webhook-id"), id);
        assert_eq!(text(&headers, "webhook-timestamp"), "1614265330");
        assert_eq!(
            text(&headers, "webhook-signature"),
            standard_signature(b"Jefe!", id, 1_614_265_330, BODY)
        );
    }

    #[test]
    fn without_a_secret_the_derived_one_signs_and_there_is_no_plain_hmac() {
        let headers = headers_of(None, &[]);
        assert!(!headers.contains_key("x-webhook-hmac"));
        assert!(!headers.contains_key("x-webhook-hmac-algorithm"));
        let shown = root().secret_of(webhook());
        let expected =
            standard_signature(&only_key(&shown), &event().to_string(), 1_614_265_330, BODY);
        assert_eq!(text(&headers, "webhook-signature"), expected);
    }

    #[test]
    fn derived_secrets_differ_by_webhook_and_by_installation() {
        let other: WebhookId = "wh_01J9ZX8K2QHV0M3T6R7P4N5W8E".parse().unwrap();
        let secret = root().secret_of(webhook());
        assert_ne!(secret, root().secret_of(other));
        assert_ne!(
            secret,
            SigningRoot::from_bytes([8; 32]).secret_of(webhook())
        );
        assert!(!format!("{:?}", root()).contains('9'));
    }

    #[test]
    fn earlier_secrets_sign_too_while_they_are_valid() {
        let all = headers_of(Some("new!"), &["old!", "oldest!"]);
        let signatures: Vec<_> = text(&all, "webhook-signature").split(' ').collect();
        let id = event().to_string();
        let expected = ["new!", "old!", "oldest!"]
            .map(|key| standard_signature(key.as_bytes(), &id, 1_614_265_330, BODY));
        assert_eq!(signatures, expected);
        assert_eq!(text(&all, "x-webhook-hmac"), plain_hmac("new!", BODY));
    }

    #[test]
    fn custom_headers_are_added_and_replace_none_of_ours() {
        let custom: BTreeMap<String, String> = [
            ("X-Tenant", "a"),
            ("Authorization", "Bearer x"),
            ("X-Webhook-Hmac", "forged"),
            ("Webhook-Id", "forged"),
            ("Content-Type", "text/plain"),
            ("Host", "elsewhere"),
            ("bad name", "x"),
            ("X-Bad", "a\nb"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let root = root();
        let keys = SigningKeys {
            webhook: webhook(),
            given: None,
            earlier: &[],
            root: &root,
        };
        let headers = delivery_headers(keys, &custom, event(), BODY, NOW_MS);
        assert_eq!(text(&headers, "x-tenant"), "a");
        assert_eq!(text(&headers, "authorization"), "Bearer x");
        assert_eq!(text(&headers, "content-type"), "application/json");
        assert_eq!(text(&headers, "webhook-id"), event().to_string());
        assert!(!headers.contains_key("x-webhook-hmac"));
        assert!(!headers.contains_key("host"));
        assert!(!headers.contains_key("x-bad"));
    }
}
