//! Login tokens that are none: made by others, for others, or changed on the way.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use ring::{hmac, signature::KeyPair as _};
use serde_json::{Value, json};

use crate::harness::Service;

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decode(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn signed(key: &Ed25519KeyPair, head: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(head), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A value with another member.
fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut value = value.clone();
    value[name] = member;
    value
}

/// Tokens like a good one, which nobody may come in by.
pub(crate) async fn forged(service: &Service, good: &str) -> Vec<(&'static str, String)> {
    let keys = {
        let mut tx = service.store.read().await.unwrap();
        tx.admin().token_keys().await.unwrap()
    };
    let own = keys.last().unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&own.private_key).unwrap();
    assert_eq!(pair.public_key().as_ref(), own.public_key);
    let stranger = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let stranger = Ed25519KeyPair::from_pkcs8(stranger.as_ref()).unwrap();
    let (head, claims) = (decode(good, 0), decode(good, 1));
    // What the forger changes makes the difference: as it is, it is good.
    let again = signed(&pair, &head, &claims);
    service.get("/api/v1/sessions", &again).await.ok(200);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (own_head, _) = message.split_once('.').unwrap();
    let claim = |name, member| signed(&pair, &head, &with(&claims, name, member));
    let unsigned = with(&head, "alg", json!("none"));
    let unsigned = format!("{}.{}", encode(&unsigned), encode(&claims));
    let symmetric = format!(
        "{}.{}",
        encode(&with(&head, "alg", json!("HS256"))),
        encode(&claims)
    );
    let public = hmac::Key::new(hmac::HMAC_SHA256, &own.public_key);
    let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&public, symmetric.as_bytes()));
    let raised = with(&claims, "role", json!("super_admin"));
    vec![
        ("another's signature", signed(&stranger, &head, &claims)),
        ("no algorithm", format!("{unsigned}.")),
        (
            "no algorithm and a signature",
            format!("{unsigned}.{signature}"),
        ),
        (
            "a signature by the public key",
            format!("{symmetric}.{tag}"),
        ),
        ("no signature", format!("{message}.")),
        ("two parts", message.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        (
            "raised claims",
            format!("{own_head}.{}.{signature}", encode(&raised)),
        ),
        ("another audience", claim("aud", json!("elsewhere"))),
        (
            "another issuer",
            claim("iss", json!("https://elsewhere.example")),
        ),
        ("no end", claim("exp", Value::Null)),
        ("a time to come", claim("iat", json!(4_000_000_000_i64))),
        (
            "an end that is past",
            claim("exp", json!(1_000_000_000_i64)),
        ),
        (
            "nobody",
            claim("sub", json!("user_01J9ZX8K2QHV0M3T6R7P4N5W8C")),
        ),
        (
            "no login",
            claim("sid", json!("login_01J9ZX8K2QHV0M3T6R7P4N5W8C")),
        ),
        ("an unknown key", {
            let kid = json!("tkey_01J9ZX8K2QHV0M3T6R7P4N5W8C");
            signed(&pair, &with(&head, "kid", kid), &claims)
        }),
    ]
}
