use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use wagate_identity::{
    Identity, IdentityConfig, OidcBegun, OidcError, OidcSignIn, ProviderConfig, SecretText, SignUp,
};
use wagate_model::{Invitation, InvitationId, Role};

use crate::harness::{Service, issuer_client};
use crate::signing::{SigningKey, encode};
use crate::web::{Answer, Request, Web};

const CLIENT: &str = "wagate client";
const SECRET: &str = "p@ss word";
const REDIRECT: &str = "https://wa.example.com/api/auth/oidc/corp/callback";

/// A provider at which everybody is signed in as one person.
struct Provider {
    key: SigningKey,
    url: String,
    /// What the next ID token claims besides what it must.
    claims: Value,
    userinfo: Value,
    document: Value,
    /// By codes: what the authorization request said.
    codes: HashMap<String, HashMap<String, String>>,
    now: i64,
}

impl Provider {
    fn answer(&mut self, request: &Request) -> Answer {
        match request.path.as_str() {
            "/.well-known/openid-configuration" => (200, self.document.to_string()),
            "/keys" => (200, json!({"keys": [self.key.jwk("k")]}).to_string()),
            "/token" => self.token(request),
            "/userinfo" if request.headers["authorization"] == "Bearer at-1" => {
                (200, self.userinfo.to_string())
            }
            _ => (404, String::new()),
        }
    }

    fn token(&mut self, request: &Request) -> Answer {
        let form: HashMap<String, String> = url::form_urlencoded::parse(request.body.as_bytes())
            .into_owned()
            .collect();
        let basic = request.headers.get("authorization").map(String::as_str);
        let is_ours = match basic {
            // RFC 6749, 2.3.1: "wagate+client:p%40ss+word"
            Some(basic) => basic == "Basic d2FnYXRlK2NsaWVudDpwJTQwc3Mrd29yZA==",
            None => form.get("client_secret").map(String::as_str) == Some(SECRET),
        };
        let Some(asked) = self.codes.remove(&form["code"]) else {
            return (400, json!({"error": "invalid_grant"}).to_string());
        };
        let challenge = encode(&Sha256::digest(form["code_verifier"].as_bytes()));
        let is_bound = challenge == asked["code_challenge"]
            && asked["code_challenge_method"] == "S256"
            && form["redirect_uri"] == asked["redirect_uri"]
            && form["grant_type"] == "authorization_code";
        if !is_ours || !is_bound {
            return (401, json!({"error": "invalid_client"}).to_string());
        }
        let mut claims = json!({
            "iss": self.url, "aud": CLIENT, "sub": "corp-1", "nonce": asked["nonce"],
            "iat": self.now, "exp": self.now + 300,
        });
        for (name, value) in self.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let id_token = self.key.sign("k", &claims);
        let answer = json!({"access_token": "at-1", "token_type": "Bearer", "id_token": id_token});
        (200, answer.to_string())
    }
}

struct World {
    service: Service,
    identity: Identity,
    provider: Arc<Mutex<Provider>>,
    _web: Web,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut IdentityConfig)) -> Self {
        let (service, web) = (Service::start().await, Web::start().await);
        let url = web.url.clone();
        let provider = Arc::new(Mutex::new(Provider {
            key: SigningKey::p256(),
            claims: json!({"email": "Ann@Example.com", "email_verified": true, "name": "Ann"}),
            userinfo: json!({}),
            document: json!({
                "issuer": url,
                "authorization_endpoint": format!("{url}/authorize?tenant=1"),
                "token_endpoint": format!("{url}/token"),
                "userinfo_endpoint": format!("{url}/userinfo"),
                "jwks_uri": format!("{url}/keys"),
            }),
            codes: HashMap::new(),
            now: service.now_ms() / 1000,
            url: url.clone(),
        }));
        let shared = Arc::clone(&provider);
        web.answer(move |request| shared.lock().unwrap().answer(request));
        let mut config = IdentityConfig {
            public_url: Some("https://wa.example.com".parse().unwrap()),
            issuer_client: Some(issuer_client()),
            providers: vec![ProviderConfig {
                id: "corp".into(),
                name: "Corp".into(),
                issuer: url,
                client_id: CLIENT.into(),
                client_secret: Some(SecretText::new(SECRET)),
                scopes: vec!["openid".into(), "email".into()],
                creates_accounts: false,
                allowed_email_domains: Vec::new(),
            }],
            ..IdentityConfig::default()
        };
        change(&mut config);
        Self {
            identity: service.process_with(config),
            service,
            provider,
            _web: web,
        }
    }

    fn claim(&self, name: &str, value: Value) {
        self.provider.lock().unwrap().claims[name] = value;
    }

    async fn begin(&self, return_to: &str) -> Visit {
        let begun = self.identity.oidc_begin("corp", return_to).await.unwrap();
        Visit::new(self, begun)
    }

    async fn finish(&self, visit: &Visit) -> Result<OidcSignIn, OidcError> {
        let Visit {
            code,
            state,
            cookie,
            ..
        } = visit;
        self.identity.oidc_finish("corp", code, state, cookie).await
    }

    async fn sign_in(&self) -> Result<OidcSignIn, OidcError> {
        let visit = self.begin("/").await;
        self.finish(&visit).await
    }

    async fn is_refused(&self) -> bool {
        matches!(self.sign_in().await, Err(OidcError::Refused))
    }
}

/// A person who comes back from the provider.
struct Visit {
    asked: HashMap<String, String>,
    code: String,
    state: String,
    cookie: String,
}

impl Visit {
    fn new(world: &World, begun: OidcBegun) -> Self {
        let url: Url = begun.redirect_url.parse().unwrap();
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let mut provider = world.provider.lock().unwrap();
        let code = format!("code-{}", provider.codes.len());
        provider.codes.insert(code.clone(), asked.clone());
        Self {
            code,
            state: asked["state"].clone(),
            asked,
            cookie: begun.cookie_value,
        }
    }
}

#[tokio::test]
async fn a_browser_is_sent_with_all_that_the_flow_needs() {
    let world = &World::start().await;
    let visit = world.begin("/sessions").await;
    let asked = |name: &str| visit.asked[name].as_str();
    assert_eq!(asked("tenant"), "1");
    assert_eq!(asked("response_type"), "code");
    assert_eq!(asked("client_id"), CLIENT);
    assert_eq!(asked("redirect_uri"), REDIRECT);
    assert_eq!(asked("scope"), "openid email");
    assert_eq!(asked("code_challenge").len(), 43);
    let again = world.begin("/").await;
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(visit.asked[name], again.asked[name], "{name}");
    }
    let providers: Vec<_> = world.identity.oidc_providers().collect();
    assert_eq!(providers, [("corp", "Corp")]);
}

#[tokio::test]
async fn a_verified_address_links_the_account_once_and_for_all() {
    let world = &World::start().await;
    let user = world.service.stored_user(1, "ann@example.com").await;
    let visit = world.begin("/sessions?x=1").await;
    let signed_in = world.finish(&visit).await.unwrap();
    assert_eq!(signed_in.user.id, user.id);
    assert_eq!(signed_in.return_to, "/sessions?x=1");
    // By the subject from now on, whatever address the provider knows.
    world.claim("email", json!("ann@elsewhere.example"));
    world.claim("email_verified", json!(false));
    assert_eq!(world.sign_in().await.unwrap().user.id, user.id);
    world.claim("sub", json!("corp-2"));
    assert!(world.is_refused().await);
}

#[tokio::test]
async fn an_address_that_nobody_verified_proves_nothing() {
    let world = &World::start().await;
    world.service.stored_user(1, "ann@example.com").await;
    for verified in [json!(false), json!("false"), json!(null), json!(1)] {
        world.claim("email_verified", verified);
        assert!(world.is_refused().await);
    }
    world.claim("email_verified", json!("true"));
    assert!(world.sign_in().await.is_ok());
}

#[tokio::test]
async fn accounts_are_made_where_the_operator_allows_it() {
    let world = &World::start().await;
    assert!(world.is_refused().await);

    let world = &World::start_with(|config| {
        config.providers[0].creates_accounts = true;
        config.providers[0].allowed_email_domains = vec!["example.com".into()];
    })
    .await;
    let made = world.sign_in().await.unwrap().user;
    assert_eq!(
        (made.email.as_str(), made.name.as_str()),
        ("ann@example.com", "Ann")
    );
    assert!(made.is_email_confirmed && !made.has_password);
    assert_eq!(world.sign_in().await.unwrap().user.id, made.id);
    world.claim("sub", json!("corp-2"));
    for email in [
        "eve@evil.example",
        "eve@sub.example.com",
        "eve@notexample.com",
    ] {
        world.claim("email", json!(email));
        assert!(world.is_refused().await, "{email}");
    }
}

#[tokio::test]
async fn the_allowed_domains_hold_for_accounts_that_are_there_too() {
    let world = &World::start_with(|config| {
        config.providers[0].allowed_email_domains = vec!["corp.example".into()];
    })
    .await;
    world.service.stored_user(1, "ann@example.com").await;
    assert!(world.is_refused().await);
}

#[tokio::test]
async fn whoever_is_invited_gets_an_account_unless_sign_up_is_closed() {
    for (sign_up, is_made) in [(SignUp::Invitation, true), (SignUp::Closed, false)] {
        let world = &World::start_with(|config| config.sign_up = sign_up).await;
        let organization = world.service.organization("Acme").await;
        let invitation = Invitation {
            id: InvitationId::from_parts(1, 1),
            organization_id: organization,
            email: "ann@example.com".parse().unwrap(),
            role: Role::Member,
            invited_by: "Bea".into(),
            created_at: 1,
            expires_at: world.service.now_ms() + 1,
        };
        world
            .service
            .change(move |tx| {
                async move { tx.put_invitation(organization, &invitation, &[1; 32]).await }.boxed()
            })
            .await;
        assert_eq!(world.sign_in().await.is_ok(), is_made, "{sign_up:?}");
    }
}

#[tokio::test]
async fn banned_users_are_refused_whatever_they_come_with() {
    let world = &World::start().await;
    let user = world.service.stored_user(1, "ann@example.com").await.id;
    let ban = |is_banned| {
        world.service.change(move |tx| {
            async move { tx.admin().set_ban(user, None, is_banned, 1).await }.boxed()
        })
    };
    ban(true).await;
    assert!(world.is_refused().await);
    ban(false).await;
    assert!(world.sign_in().await.is_ok());
    ban(true).await;
    assert!(world.is_refused().await);
}

#[tokio::test]
async fn whoever_only_claimed_an_address_loses_the_account_to_its_owner() {
    let world = &World::start().await;
    let organization = world.service.organization("Acme").await;
    let login = world.service.signed_in(organization, Role::Member).await;
    let user = login.user_id;
    let hash = "$argon2id$of-somebody-else";
    world
        .service
        .change(move |tx| {
            async move { tx.admin().set_password(user, hash, false, 1).await }.boxed()
        })
        .await;
    // Confirmed: the password stays.
    assert!(world.sign_in().await.unwrap().user.has_password);

    let world = &World::start().await;
    let mut squatter = world.service.stored_user(9, "eve@example.com").await;
    squatter.id = wagate_model::UserId::from_parts(1, 1);
    squatter.email = "ann@example.com".parse().unwrap();
    squatter.is_email_confirmed = false;
    let user = squatter.id;
    world
        .service
        .change(move |tx| {
            async move { tx.admin().insert_user(&squatter, Some(hash)).await }.boxed()
        })
        .await;
    let owner = world.sign_in().await.unwrap().user;
    assert_eq!(owner.id, user);
    assert!(owner.is_email_confirmed && !owner.has_password);
}

#[tokio::test]
async fn a_sign_in_ends_where_it_began_and_in_time() {
    let world = &World::start().await;
    world.service.stored_user(1, "ann@example.com").await;
    let (mine, other) = (world.begin("/").await, world.begin("/").await);
    let with = |code: &str, state: &str, cookie: &str| Visit {
        asked: HashMap::new(),
        code: code.into(),
        state: state.into(),
        cookie: cookie.into(),
    };
    for visit in [
        with(&mine.code, &mine.state, &other.cookie),
        with(&mine.code, &other.state, &mine.cookie),
        with(&mine.code, "", &mine.cookie),
        with(&mine.code, &mine.state, ""),
        with(&mine.code, &mine.state, "AAAA"),
        with(&mine.code, &mine.state, &"A".repeat(10_000)),
    ] {
        let refused = world.finish(&visit).await;
        assert!(matches!(refused, Err(OidcError::State)));
    }
    // Another code than the one of this browser: PKCE and the nonce hold it.
    let refused = world
        .finish(&with(&other.code, &mine.state, &mine.cookie))
        .await;
    assert!(matches!(refused, Err(OidcError::Refused)));
    assert!(world.finish(&mine).await.is_ok());
    // A code is good for one time.
    assert!(matches!(world.finish(&mine).await, Err(OidcError::Refused)));
    let late = world.begin("/").await;
    world.service.clock.advance_ms(10 * 60_000);
    assert!(matches!(world.finish(&late).await, Err(OidcError::State)));
}

#[tokio::test]
async fn tokens_for_others_are_refused() {
    let world = &World::start().await;
    world.service.stored_user(1, "ann@example.com").await;
    let wrong = [
        ("nonce", json!("of another sign-in")),
        ("aud", json!("another client")),
        ("aud", json!([CLIENT, "another client"])),
        ("azp", json!("another client")),
        ("iss", json!("https://evil.example")),
        ("exp", json!(1)),
        ("sub", json!("")),
        ("sub", json!(null)),
    ];
    for (name, value) in wrong {
        let before = world.provider.lock().unwrap().claims.clone();
        world.claim(name, value.clone());
        assert!(world.is_refused().await, "{name} {value}");
        world.provider.lock().unwrap().claims = before;
    }
    assert!(world.sign_in().await.is_ok());
}

#[tokio::test]
async fn what_the_token_does_not_say_is_asked_for() {
    let world = &World::start().await;
    let user = world.service.stored_user(1, "ann@example.com").await;
    let tell = |userinfo: Value| {
        let mut provider = world.provider.lock().unwrap();
        provider.claims = json!({});
        provider.userinfo = userinfo;
    };
    tell(json!({"sub": "corp-9", "email": "ann@example.com", "email_verified": true}));
    assert!(world.is_refused().await);
    tell(json!({"sub": "corp-1", "email": "ann@example.com", "email_verified": true}));
    assert_eq!(world.sign_in().await.unwrap().user.id, user.id);
}

#[tokio::test]
async fn a_provider_says_how_it_wants_the_password() {
    let world = &World::start().await;
    world.service.stored_user(1, "ann@example.com").await;
    world.provider.lock().unwrap().document["token_endpoint_auth_methods_supported"] =
        json!(["client_secret_post"]);
    assert!(world.sign_in().await.is_ok());
}

#[tokio::test]
async fn a_configuration_of_another_issuer_is_none() {
    let world = &World::start().await;
    world.provider.lock().unwrap().document["issuer"] = json!("https://evil.example");
    let refused = world.identity.oidc_begin("corp", "/").await;
    assert!(matches!(refused, Err(OidcError::Unavailable)));
    let unknown = world.identity.oidc_begin("other", "/").await;
    assert!(matches!(unknown, Err(OidcError::UnknownProvider)));
}
