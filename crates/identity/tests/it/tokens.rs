use std::time::{Duration, Instant};

use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wagate_identity::{AuthError, Identity, IdentityError, TokenFault};
use wagate_model::{Capability, OrganizationId, PlatformRole, Role, Subject};
use wagate_store::LoginRecord;

use crate::harness::Service;
use crate::signed_in::person;
use crate::signing::{SigningKey, encode, part, with_signature};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

async fn member(service: &Service) -> (OrganizationId, LoginRecord) {
    let organization = service.organization("Acme").await;
    let login = service.signed_in(organization, Role::Member).await;
    (organization, login)
}

async fn mint(identity: &Identity, login: &LoginRecord) -> String {
    identity.mint_token(login).await.unwrap().token
}

fn fault(refused: Result<impl Sized, AuthError>) -> Option<TokenFault> {
    match refused {
        Err(AuthError::Token(fault)) => Some(fault),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    }
}

async fn key_ids(identity: &Identity) -> Vec<String> {
    let keys = identity.jwks().await.unwrap();
    let ids = keys["keys"].as_array().unwrap().iter();
    ids.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_token_holds_what_the_contract_says_and_is_recognized() {
    let service = &Service::start().await;
    let (organization, login) = member(service).await;
    let minted = service.identity.mint_token(&login).await.unwrap();
    assert_eq!(minted.expires_at, service.now_ms() + 5 * MINUTE_MS);
    assert!(!format!("{minted:?}").contains(&minted.token));
    let token = &minted.token;
    let kid = key_ids(&service.identity).await.remove(0);
    assert_eq!(
        part(token, 0),
        json!({"alg": "EdDSA", "kid": kid, "typ": "JWT"})
    );
    let now = service.now_ms() / 1000;
    assert_eq!(
        part(token, 1),
        json!({
            "iss": "https://wagate.example", "aud": "wagate", "sub": login.user_id, "sid": login.id,
            "iat": now, "exp": now + 300, "name": "Ann", "role": "user",
            "activeOrganizationId": organization, "orgRole": "member",
        })
    );
    let person = person(&service.identity, token).await.unwrap();
    let subject = Subject::User {
        user_id: login.user_id,
        login_id: login.id,
    };
    assert_eq!(
        (person.subject.clone(), person.name.as_str()),
        (subject, "Ann")
    );
    assert_eq!(person.organization_id, Some(organization));
    assert_eq!(person.role, Some(Role::Member));
    assert!(!person.capabilities().has(Capability::Manage));
}

#[tokio::test]
async fn keys_are_published_as_others_can_use_them() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let token = mint(&service.identity, &login).await;
    let keys = service.identity.jwks().await.unwrap();
    let [key] = keys["keys"].as_array().unwrap().as_slice() else {
        panic!("there is one key");
    };
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    assert_eq!(
        (text("kty"), text("crv"), text("use"), text("alg")),
        ("OKP".into(), "Ed25519".into(), "sig".into(), "EdDSA".into())
    );
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let decode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap()
    };
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, decode(&text("x")))
        .verify(signed.as_bytes(), &decode(signature))
        .unwrap();
    assert!(key.get("d").is_none());
}

#[tokio::test]
async fn tokens_name_the_public_url_as_their_issuer() {
    let service = &Service::with(|config| {
        config.public_url = Some("https://wa.example.com/".parse().unwrap());
        config.token_audience = "api".into();
    })
    .await;
    let (_, login) = member(service).await;
    let token = mint(&service.identity, &login).await;
    let claims = part(&token, 1);
    assert_eq!(claims["iss"], "https://wa.example.com");
    assert_eq!(claims["aud"], "api");
    assert!(person(&service.identity, &token).await.is_ok());
    // An installation of another name.
    let other = service.process_with(|config| config.public_url = None);
    assert_eq!(
        fault(other.authenticate(&token).await),
        Some(TokenFault::Issuer)
    );
}

#[tokio::test]
async fn a_token_lives_five_minutes_also_in_the_cache() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let token = mint(&service.identity, &login).await;
    service.clock.advance_ms(6 * MINUTE_MS - 1);
    assert!(person(&service.identity, &token).await.is_ok());
    service.clock.advance_ms(1);
    assert_eq!(
        fault(service.identity.authenticate(&token).await),
        Some(TokenFault::Expired)
    );
    // Another process, with a clock that is behind by more than a minute.
    let fresh = service.identity.mint_token(&login).await.unwrap().token;
    service.clock.advance_ms(-2 * MINUTE_MS);
    assert_eq!(
        fault(service.another_process().authenticate(&fresh).await),
        Some(TokenFault::NotYet)
    );
}

#[tokio::test]
async fn what_a_user_may_do_counts_as_soon_as_it_is_told() {
    let service = &Service::start().await;
    let (organization, login) = member(service).await;
    let (identity, user) = (&service.identity, login.user_id);
    let token = mint(identity, &login).await;
    assert!(person(identity, &token).await.is_ok());

    service
        .change(move |tx| {
            async move { tx.set_member_role(organization, user, Role::Admin).await }.boxed()
        })
        .await;
    // From the cache, which shows that there is one.
    let role = person(identity, &token).await.unwrap().role;
    assert_eq!(role, Some(Role::Member));
    identity.forget_user(user);
    let role = person(identity, &token).await.unwrap().role;
    assert_eq!(role, Some(Role::Admin));

    service
        .change(move |tx| async move { tx.delete_member(organization, user).await }.boxed())
        .await;
    identity.forget_user(user);
    let outside = person(identity, &token).await.unwrap();
    assert_eq!((outside.organization_id, outside.role), (None, None));
    assert!(!outside.capabilities().has(Capability::Read));
    // Nor does a new token name an organization that the user is not in.
    let claims = part(&mint(identity, &login).await, 1);
    assert!(claims.get("activeOrganizationId").is_none() && claims.get("orgRole").is_none());

    service
        .change(move |tx| {
            async move {
                let mut admin = tx.admin();
                admin
                    .set_platform_role(user, PlatformRole::SuperAdmin, 1)
                    .await
            }
            .boxed()
        })
        .await;
    identity.forget_user(user);
    let operator = person(identity, &token).await.unwrap();
    assert!(operator.is_super_admin());
    assert_eq!(operator.organization_id, Some(organization));
}

#[tokio::test]
async fn a_ban_and_a_logout_end_tokens() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let (identity, user) = (&service.identity, login.user_id);
    let token = mint(identity, &login).await;
    let ban = |is_banned| {
        service.change(move |tx| {
            async move { tx.admin().set_ban(user, None, is_banned, 1).await }.boxed()
        })
    };
    ban(true).await;
    identity.forget_user(user);
    let refused = identity.authenticate(&token).await;
    assert_eq!(fault(refused), Some(TokenFault::SignedOut));
    let refused = identity.mint_token(&login).await;
    assert!(matches!(refused, Err(IdentityError::NotFound)));
    ban(false).await;
    identity.forget_all();
    assert!(person(identity, &token).await.is_ok());

    let id = login.id;
    service
        .change(move |tx| async move { tx.admin().delete_login(user, id).await }.boxed())
        .await;
    identity.forget_user(user);
    let refused = identity.authenticate(&token).await;
    assert_eq!(fault(refused), Some(TokenFault::SignedOut));
    let refused = identity.mint_token(&login).await;
    assert!(matches!(refused, Err(IdentityError::NotFound)));
}

#[tokio::test]
async fn what_nobody_tells_is_found_within_half_a_minute() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let (identity, user) = (&service.identity, login.user_id);
    let token = mint(identity, &login).await;
    assert!(person(identity, &token).await.is_ok());
    service
        .change(move |tx| async move { tx.admin().set_ban(user, None, true, 1).await }.boxed())
        .await;
    service.clock.advance_ms(29_999);
    assert!(person(identity, &token).await.is_ok());
    service.clock.advance_ms(1);
    assert_eq!(
        fault(identity.authenticate(&token).await),
        Some(TokenFault::SignedOut)
    );
}

#[tokio::test]
async fn a_login_that_runs_out_ends_its_tokens() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let (id, ends_at) = (login.id, service.now_ms() + 1_000);
    service
        .change(move |tx| async move { tx.admin().touch_login(id, 0, ends_at).await }.boxed())
        .await;
    let token = mint(&service.identity, &login).await;
    assert!(person(&service.identity, &token).await.is_ok());
    service.clock.advance_ms(1_000);
    assert_eq!(
        fault(service.identity.authenticate(&token).await),
        Some(TokenFault::SignedOut)
    );
}

#[tokio::test]
async fn a_retired_key_is_good_as_long_as_its_tokens_and_then_gone() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let identity = &service.identity;
    let old_token = mint(identity, &login).await;
    let [old] = key_ids(identity).await.try_into().unwrap();
    // Another process that knows the first key only.
    let other = service.another_process();
    assert!(person(&other, &old_token).await.is_ok());

    service.clock.advance_ms(1);
    let new = identity.rotate_token_keys(false).await.unwrap().to_string();
    assert_eq!(key_ids(identity).await, [old.clone(), new.clone()]);
    let new_token = mint(identity, &login).await;
    assert_eq!(part(&new_token, 0)["kid"], new.as_str());
    assert!(person(identity, &old_token).await.is_ok());
    // A second is how long an unknown key is believed to be none.
    service.clock.advance_ms(1_000);
    assert!(person(&other, &new_token).await.is_ok());
    assert_eq!(part(&mint(&other, &login).await, 0)["kid"], new.as_str());

    service.clock.advance_ms(6 * MINUTE_MS - 1_002);
    assert!(person(identity, &old_token).await.is_ok());
    service.clock.advance_ms(MINUTE_MS + 2);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (identity, stop) = (identity.clone(), stop.clone());
        async move { identity.run(stop).await }
    });
    while key_ids(&service.another_process()).await.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(key_ids(&service.another_process()).await, [new]);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn revoking_keys_ends_every_token_made_before() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let identity = &service.identity;
    let token = mint(identity, &login).await;
    let other = service.another_process();
    assert!(person(&other, &token).await.is_ok());
    let new = identity.rotate_token_keys(true).await.unwrap();
    assert_eq!(key_ids(identity).await, [new.to_string()]);
    let refused = identity.authenticate(&token).await;
    assert_eq!(fault(refused), Some(TokenFault::Key));
    // The other process finds out by its own look at the keys.
    service.clock.advance_ms(1_000);
    mint(&other, &login).await;
    assert_eq!(
        fault(other.authenticate(&token).await),
        Some(TokenFault::Key)
    );
}

#[tokio::test]
async fn a_key_signs_for_thirty_days() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let identity = &service.identity;
    mint(identity, &login).await;
    let first = key_ids(identity).await;
    service.clock.advance_ms(30 * DAY_MS - 1);
    mint(identity, &login).await;
    assert_eq!(key_ids(identity).await, first);
    service.clock.advance_ms(1_000);
    let token = mint(identity, &login).await;
    let both = key_ids(identity).await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[0], first[0]);
    assert_eq!(part(&token, 0)["kid"], both[1].as_str());
}

#[tokio::test]
async fn processes_that_make_keys_at_once_accept_each_other() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let (one, two) = (&service.identity, service.another_process());
    let (a, b) = tokio::join!(mint(one, &login), mint(&two, &login));
    service.clock.advance_ms(1_000);
    for identity in [one, &two] {
        for token in [&a, &b] {
            assert!(person(identity, token).await.is_ok());
        }
    }
    one.rotate_token_keys(false).await.unwrap();
    two.rotate_token_keys(false).await.unwrap();
    service.clock.advance_ms(1_000);
    let (a, b) = tokio::join!(mint(one, &login), mint(&two, &login));
    assert_eq!(part(&a, 0)["kid"], part(&b, 0)["kid"]);
}

#[tokio::test]
async fn what_nobody_signed_is_refused() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let identity = &service.identity;
    let token = mint(identity, &login).await;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let signature = token.rsplit('.').next().unwrap();
    let public = identity.jwks().await.unwrap()["keys"][0]["x"].clone();
    let with = |name: &str, value: Value, of: &Value| {
        let mut changed = of.clone();
        changed[name] = value;
        changed
    };
    let stranger = SigningKey::ed25519();
    let refused = [
        // Another signature, or none.
        (stranger.sign_as(&header, &claims), TokenFault::Signature),
        (with_signature(&header, &claims, b""), TokenFault::Signature),
        (
            with_signature(&with("alg", json!("none"), &header), &claims, b""),
            TokenFault::Signature,
        ),
        // The public key as a shared secret.
        (
            {
                let header = with("alg", json!("HS256"), &header);
                let key = ring::hmac::Key::new(
                    ring::hmac::HMAC_SHA256,
                    public.as_str().unwrap().as_bytes(),
                );
                let message = crate::signing::unsigned(&header, &claims);
                let tag = ring::hmac::sign(&key, message.as_bytes());
                with_signature(&header, &claims, tag.as_ref())
            },
            TokenFault::Signature,
        ),
        (
            format!(
                "{}.{}.{signature}",
                encode(header.to_string().as_bytes()),
                encode(
                    with("role", json!("super_admin"), &claims)
                        .to_string()
                        .as_bytes()
                )
            ),
            TokenFault::Signature,
        ),
        (
            stranger.sign_as(&with("kid", json!("tkey_x"), &header), &claims),
            TokenFault::Key,
        ),
        (
            stranger.sign_as(&header, &with("iss", json!("evil"), &claims)),
            TokenFault::Issuer,
        ),
    ];
    for (token, expected) in refused {
        assert_eq!(
            fault(identity.authenticate(&token).await),
            Some(expected),
            "{token}"
        );
    }
    for text in [
        stranger.sign_as(&with("crit", json!(["b64"]), &header), &claims),
        format!("{token}.x"),
        format!("{token}{}", "A".repeat(8 * 1024)),
        "a.b.c".into(),
        String::new(),
    ] {
        let refused = identity.authenticate(&text).await;
        assert!(matches!(refused, Err(AuthError::Malformed)), "{text}");
    }
    assert!(person(identity, &token).await.is_ok());
}

#[tokio::test]
async fn without_the_builtin_issuer_no_token_is_made_or_accepted() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let token = mint(&service.identity, &login).await;
    let other = service.process_with(|config| config.has_builtin_issuer = false);
    assert_eq!(
        fault(other.authenticate(&token).await),
        Some(TokenFault::Issuer)
    );
    let refused = other.mint_token(&login).await;
    assert!(matches!(refused, Err(IdentityError::NotFound)));
    assert_eq!(*other.jwks().await.unwrap(), json!({"keys": []}));
}

#[tokio::test]
async fn a_known_token_costs_no_question_to_the_store_and_little_time() {
    let service = &Service::start().await;
    let (_, login) = member(service).await;
    let identity = &service.identity;
    let token = mint(identity, &login).await;
    identity.authenticate(&token).await.unwrap();
    service.store.close().await;
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        for _ in 0..100 {
            identity.authenticate(&token).await.unwrap();
        }
        best = best.min(began.elapsed() / 100);
    }
    assert!(best < Duration::from_micros(50), "{best:?}");

    identity.forget_user(login.user_id);
    let refused = identity.authenticate(&token).await;
    assert!(matches!(refused, Err(AuthError::Unavailable(_))));
}
