use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::{Value, json};
use wagate_identity::{AuthError, ClaimNames, Identity, IssuerConfig, TokenFault};
use wagate_model::{OrganizationId, Role, Subject};

use crate::harness::{Service, issuer_client};
use crate::signed_in::person;
use crate::signing::{SigningKey, encode, unsigned, with_signature};
use crate::web::{Answer, Request, Web};

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "wagate-prod";
const MINUTE_MS: i64 = 60_000;

struct World {
    service: Service,
    identity: Identity,
    web: Web,
    organization: OrganizationId,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut IssuerConfig)) -> Self {
        let (service, web) = (Service::start().await, Web::start().await);
        let mut issuer = IssuerConfig {
            issuer: ISSUER.into(),
            audience: AUDIENCE.into(),
            jwks_url: format!("{}/keys", web.url).parse().unwrap(),
            claims: ClaimNames::default(),
            organization_id: None,
            default_role: None,
            allows_super_admin: false,
        };
        change(&mut issuer);
        let identity = service.process_with(|config| {
            config.issuers = vec![issuer];
            config.issuer_client = Some(issuer_client());
        });
        let organization = service.organization("Acme").await;
        Self {
            service,
            identity,
            web,
            organization,
        }
    }

    fn publish(&self, keys: &[Value]) {
        let set = json!({ "keys": keys }).to_string();
        self.web.answer(move |_| (200, set.clone()));
    }

    fn claims(&self) -> Value {
        let now = self.service.now_ms() / 1000;
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "name": "Bea",
            "activeOrganizationId": self.organization, "orgRole": "admin", "role": "user",
            "iat": now, "nbf": now, "exp": now + 300,
        })
    }

    fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims
    }

    async fn fault(&self, token: &str) -> Option<TokenFault> {
        match self.identity.authenticate(token).await {
            Err(AuthError::Token(fault)) => Some(fault),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    }

    fn fetches(&self) -> usize {
        self.web.paths().len()
    }
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_accepted_by_their_keys() {
    let world = &World::start().await;
    let keys = [SigningKey::ed25519(), SigningKey::p256(), SigningKey::rsa()];
    let ids = ["ed", "ec", "rsa"];
    let published: Vec<_> = ids.iter().zip(&keys).map(|(id, key)| key.jwk(id)).collect();
    world.publish(&published);
    let claims = world.claims();
    for (id, key) in ids.iter().zip(&keys) {
        let person = person(&world.identity, &key.sign(id, &claims))
            .await
            .unwrap();
        assert_eq!(
            person.subject,
            Subject::Foreign {
                issuer: ISSUER.into(),
                subject: "u-1".into(),
                expires_at: claims["exp"].as_i64().unwrap() * 1000,
            }
        );
        assert_eq!(person.name, "Bea");
        assert_eq!(person.organization_id, Some(world.organization));
        assert_eq!(person.role, Some(Role::Admin));
        assert!(!person.is_super_admin());
    }
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn the_key_says_the_algorithm_and_never_the_token() {
    let world = &World::start().await;
    let (ed, ec, rsa) = (SigningKey::ed25519(), SigningKey::p256(), SigningKey::rsa());
    world.publish(&[ed.jwk("ed"), ec.jwk("ec"), rsa.jwk("rsa")]);
    let claims = world.claims();
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    let with_hmac = |kid: &str, secret: &[u8]| {
        let header = header("HS256", kid);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let tag = ring::hmac::sign(&key, unsigned(&header, &claims).as_bytes());
        with_signature(&header, &claims, tag.as_ref())
    };
    let modulus = rsa.jwk("rsa")["n"].as_str().unwrap().to_owned();
    for token in [
        ec.sign_as(&header("ES256", "rsa"), &claims),
        ec.sign_as(&header("RS256", "rsa"), &claims),
        rsa.sign_as(&header("RS256", "ec"), &claims),
        rsa.sign_as(&header("ES256", "rsa"), &claims),
        rsa.sign_as(&header("PS256", "rsa"), &claims),
        rsa.sign_as(&header("RS512", "rsa"), &claims),
        ed.sign_as(&header("Ed25519", "ed"), &claims),
        ed.sign_as(&header("eddsa", "ed"), &claims),
        with_signature(&header("none", "rsa"), &claims, b""),
        with_hmac("rsa", &rsa.public()),
        with_hmac("rsa", modulus.as_bytes()),
        with_hmac("ec", &ec.public()),
    ] {
        assert_eq!(
            world.fault(&token).await,
            Some(TokenFault::Signature),
            "{token}"
        );
    }
}

#[tokio::test]
async fn keys_that_are_weak_or_for_something_else_are_none() {
    let world = &World::start().await;
    let (ec, rsa) = (SigningKey::p256(), SigningKey::rsa());
    let changed = |mut jwk: Value, id: &str, name: &str, value: Value| {
        jwk["kid"] = json!(id);
        jwk[name] = value;
        jwk
    };
    let short = encode(&[0xff; 255]);
    let padded = encode(&[vec![0; 200], vec![0xff; 128]].concat());
    let secret = json!({"kty": "oct", "kid": "k6", "k": "AAAA"});
    world.publish(&[
        changed(rsa.jwk(""), "k0", "n", json!(short)),
        changed(rsa.jwk(""), "k1", "n", json!(padded)),
        changed(rsa.jwk(""), "k2", "alg", json!("PS256")),
        changed(ec.jwk(""), "k3", "use", json!("enc")),
        changed(ec.jwk(""), "k4", "x", json!("AA")),
        changed(ec.jwk(""), "k5", "key_ops", json!(["sign"])),
        secret,
        json!("no key"),
        ec.jwk("good"),
    ]);
    let claims = world.claims();
    for number in 0..=6 {
        let id = format!("k{number}");
        let key = if number < 3 { &rsa } else { &ec };
        assert_eq!(
            world.fault(&key.sign(&id, &claims)).await,
            Some(TokenFault::Key),
            "{id}"
        );
    }
    assert_eq!(world.fault(&ec.sign("good", &claims)).await, None);
}

#[tokio::test]
async fn a_token_may_leave_out_the_name_of_an_only_key() {
    let world = &World::start().await;
    let key = SigningKey::p256();
    let mut jwk = key.jwk("");
    jwk.as_object_mut().unwrap().remove("kid");
    world.publish(&[jwk.clone()]);
    let token = key.sign_as(&json!({"alg": "ES256"}), &world.claims());
    assert_eq!(world.fault(&token).await, None);

    let other = &World::start().await;
    other.publish(&[jwk, SigningKey::ed25519().jwk("ed")]);
    let token = key.sign_as(&json!({"alg": "ES256"}), &other.claims());
    assert_eq!(other.fault(&token).await, Some(TokenFault::Key));
}

#[tokio::test]
async fn claims_for_others_and_for_other_times_are_refused() {
    let world = &World::start().await;
    let key = SigningKey::ed25519();
    world.publish(&[key.jwk("k")]);
    let now = world.service.now_ms() / 1000;
    let without = |name: &str| {
        let mut claims = world.claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, expected) in [
        (without("exp"), TokenFault::Claims),
        (without("aud"), TokenFault::Audience),
        (without("iss"), TokenFault::Issuer),
        (without("sub"), TokenFault::Claims),
        (world.with("sub", json!("")), TokenFault::Claims),
        (
            world.with("sub", json!("x".repeat(256))),
            TokenFault::Claims,
        ),
        (world.with("aud", json!("other")), TokenFault::Audience),
        (world.with("aud", json!(["other"])), TokenFault::Audience),
        (world.with("exp", json!(now - 60)), TokenFault::Expired),
        (world.with("exp", json!("tomorrow")), TokenFault::Claims),
        (world.with("exp", json!(null)), TokenFault::Claims),
        (world.with("exp", json!(-1)), TokenFault::Expired),
        (world.with("nbf", json!(now + 61)), TokenFault::NotYet),
        (world.with("iat", json!(now + 61)), TokenFault::NotYet),
    ] {
        let token = key.sign("k", &claims);
        assert_eq!(world.fault(&token).await, Some(expected), "{claims}");
    }
    for claims in [
        world.with("aud", json!(["other", AUDIENCE])),
        world.with("exp", json!(now - 59)),
        world.with("exp", json!(1e300)),
        world.with("exp", serde_json::from_str(&format!("{now}.5")).unwrap()),
        world.with("nbf", json!(now + 60)),
        without("iat"),
    ] {
        assert_eq!(world.fault(&key.sign("k", &claims)).await, None, "{claims}");
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_opens_nothing_here() {
    let world = &World::start().await;
    let key = SigningKey::ed25519();
    world.publish(&[key.jwk("k")]);
    // Our own name, by somebody else's key.
    let own = world.with("iss", json!("https://wagate.example"));
    assert_eq!(
        world.fault(&key.sign("k", &own)).await,
        Some(TokenFault::Key)
    );
    let unknown = world.with("iss", json!("https://evil.example"));
    assert_eq!(
        world.fault(&key.sign("k", &unknown)).await,
        Some(TokenFault::Issuer)
    );
    assert_eq!(world.fetches(), 0);
}

#[tokio::test]
async fn an_organization_must_be_there() {
    let world = &World::start().await;
    let key = SigningKey::ed25519();
    world.publish(&[key.jwk("k")]);
    for organization in [
        json!(OrganizationId::from_parts(1, 1)),
        json!("Acme"),
        json!(7),
    ] {
        let token = key.sign("k", &world.with("activeOrganizationId", organization));
        let person = person(&world.identity, &token).await.unwrap();
        assert_eq!((person.organization_id, person.role), (None, None));
    }
    // And one that comes later is there a second later at most.
    let later = OrganizationId::from_parts(9, 9);
    let token = key.sign("k", &world.with("activeOrganizationId", json!(later)));
    let organization = async || {
        person(&world.identity, &token)
            .await
            .unwrap()
            .organization_id
    };
    assert_eq!(organization().await, None);
    world
        .service
        .change(move |tx| async move { tx.insert_organization(later, "Later", 1).await }.boxed())
        .await;
    assert_eq!(organization().await, None);
    world.service.clock.advance_ms(1_000);
    assert_eq!(organization().await, Some(later));
}

#[tokio::test]
async fn roles_come_from_where_the_operator_says() {
    let world = &World::start_with(|issuer| {
        issuer.claims = ClaimNames {
            subject: "email".into(),
            name: "preferred_username".into(),
            organization: "tenant".into(),
            organization_role: "/realm_access/roles".into(),
            platform_role: "/realm_access/roles".into(),
        };
        issuer.default_role = Some(Role::Member);
    })
    .await;
    let key = SigningKey::ed25519();
    world.publish(&[key.jwk("k")]);
    let mut claims = world.claims();
    claims["email"] = json!("bea@example.com");
    claims["preferred_username"] = json!("bea");
    claims["tenant"] = json!(world.organization);
    claims["realm_access"] = json!({"roles": ["member", "admin", "super_admin", 7]});
    let found = person(&world.identity, &key.sign("k", &claims))
        .await
        .unwrap();
    assert_eq!(
        (found.name.as_str(), found.role),
        ("bea", Some(Role::Admin))
    );
    assert!(
        matches!(&found.subject, Subject::Foreign { subject, .. } if subject == "bea@example.com")
    );
    // Only where the operator allows it.
    assert!(!found.is_super_admin());
    claims["realm_access"] = json!({});
    let found = person(&world.identity, &key.sign("k", &claims))
        .await
        .unwrap();
    assert_eq!(found.role, Some(Role::Member));
}

#[tokio::test]
async fn an_issuer_can_be_bound_to_an_organization_and_name_operators() {
    let bound = OrganizationId::from_parts(7, 7);
    let world = &World::start_with(|issuer| {
        issuer.organization_id = Some(bound);
        issuer.allows_super_admin = true;
    })
    .await;
    let key = SigningKey::ed25519();
    world.publish(&[key.jwk("k")]);
    world
        .service
        .change(move |tx| async move { tx.insert_organization(bound, "Bound", 1).await }.boxed())
        .await;
    let found = person(&world.identity, &key.sign("k", &world.claims()))
        .await
        .unwrap();
    assert_eq!(found.organization_id, Some(bound));
    let operator = key.sign("k", &world.with("role", json!("super_admin")));
    assert!(
        person(&world.identity, &operator)
            .await
            .unwrap()
            .is_super_admin()
    );
    // Nobody's, without a role.
    let nobody = key.sign("k", &world.with("orgRole", json!("janitor")));
    let found = person(&world.identity, &nobody).await.unwrap();
    assert_eq!((found.organization_id, found.role), (None, None));
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_a_minute_by_all_together() {
    let world = &World::start().await;
    let (old, new) = (SigningKey::ed25519(), SigningKey::ed25519());
    world.publish(&[old.jwk("old")]);
    assert_eq!(world.fault(&old.sign("old", &world.claims())).await, None);
    let tokens: Vec<_> = (0..20)
        .map(|number| new.sign("new", &world.with("sub", json!(format!("u-{number}")))))
        .collect();
    let all = || join_all(tokens.iter().map(|token| world.fault(token)));
    assert!(
        all()
            .await
            .iter()
            .all(|fault| *fault == Some(TokenFault::Key))
    );
    // The first answer is less than a minute old.
    assert_eq!(world.fetches(), 1);
    world.publish(&[old.jwk("old"), new.jwk("new")]);
    world.service.clock.advance_ms(MINUTE_MS);
    assert!(all().await.iter().all(Option::is_none));
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn keys_are_asked_for_every_hour_and_what_is_gone_counts_no_more() {
    let world = &World::start().await;
    let (old, new) = (SigningKey::ed25519(), SigningKey::ed25519());
    world.publish(&[old.jwk("old")]);
    let far = world.service.now_ms() / 1000 + 86_400;
    let token = old.sign("old", &world.with("exp", json!(far)));
    assert_eq!(world.fault(&token).await, None);
    world.publish(&[new.jwk("new")]);
    world.service.clock.advance_ms(60 * MINUTE_MS - 1);
    assert_eq!(world.fault(&token).await, None);
    assert_eq!(world.fetches(), 1);
    world.service.clock.advance_ms(1);
    // What is known is used until the answer is there; a token that was checked already, too.
    while world.fault(&token).await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.fetches(), 2);
    assert_eq!(world.fault(&token).await, Some(TokenFault::Key));
}

#[tokio::test]
async fn while_an_issuer_is_away_its_known_keys_go_on() {
    let world = &World::start().await;
    let key = SigningKey::ed25519();
    let claims = world.claims();
    let token = key.sign("k", &claims);
    // Nothing was ever known: a caller may try again.
    world.web.answer(|_| (500, String::new()));
    let refused = world.identity.authenticate(&token).await;
    assert!(matches!(refused, Err(AuthError::IssuerUnavailable)));
    assert!(refused.is_err_and(|error| error.is_retryable()));
    world.publish(&[key.jwk("k")]);
    world.service.clock.advance_ms(5_000);
    assert_eq!(world.fault(&token).await, None);

    // No JWK set, a redirect, too much: all the same as no answer.
    let answers: [fn(&Request) -> Answer; 4] = [
        |_| (200, "{}".into()),
        |_| (200, json!({"keys": []}).to_string()),
        |_| (302, String::new()),
        |_| (200, " ".repeat((1 << 20) + 1)),
    ];
    for answer in answers {
        world.web.answer(answer);
        world.service.clock.advance_ms(MINUTE_MS);
        let before = world.fetches();
        let far = world.with("exp", json!(world.service.now_ms() / 1000 + 600));
        let unknown = key.sign("unknown", &far);
        assert_eq!(world.fault(&unknown).await, Some(TokenFault::Key));
        assert_eq!(world.fetches(), before + 1);
        assert_eq!(world.fault(&key.sign("k", &far)).await, None);
    }
    assert!(world.web.paths().iter().all(|path| path == "/keys"));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_fetch_of_others() {
    let world = Arc::new(World::start().await);
    let key = SigningKey::ed25519();
    world.publish(&[key.jwk("k")]);
    let token = key.sign("k", &world.claims());
    let first = tokio::spawn({
        let (world, token) = (Arc::clone(&world), token.clone());
        async move { world.fault(&token).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    assert_eq!(world.fault(&token).await, None);
    assert_eq!(world.fetches(), 1);
}
