//! Login tokens, and signing in with a provider, through the routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Form;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, header};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use url::Url;
use wagate_identity::{Client, IdentityConfig, IssuerClient, ProviderConfig};
use wagate_model::{Clock as _, OrganizationId, PlatformRole, Role, User, UserId};
use wagate_store::{Lane, StoreError};

use crate::harness::{Reply, Service};

impl Service {
    async fn member(&self, organization: OrganizationId) -> User {
        let user = User {
            id: UserId::from_parts(1, 1),
            email: "ann@example.com".parse().unwrap(),
            name: "Ann".into(),
            platform_role: PlatformRole::User,
            is_email_confirmed: true,
            has_password: false,
            has_totp: false,
            banned_at: None,
            ban_reason: None,
            created_at: 1,
            last_login_at: None,
        };
        let row = user.clone();
        self.store
            .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
                Box::pin(async move {
                    tx.admin().insert_user(&row, None).await?;
                    tx.insert_member(organization, row.id, Role::Admin, 1).await
                })
            })
            .await
            .unwrap();
        user
    }

    async fn visit(&self, method: &str, path: &str, cookie: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "wa.example")
            .header("cookie", cookie);
        self.request(request.body(Body::empty()).unwrap()).await
    }
}

/// Where an answer leads, and the cookies that it sets.
fn led(reply: &Reply) -> (String, Vec<String>) {
    assert_eq!(reply.status, 302);
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let cookies = reply.headers.get_all(header::SET_COOKIE).iter();
    (
        text(&reply.headers[header::LOCATION]),
        cookies.map(text).collect(),
    )
}

#[tokio::test]
async fn a_browser_gets_tokens_that_the_api_takes_until_it_logs_out() {
    let service = Service::start().await;
    let organization = service.tenant().await.organization;
    let user = service.member(organization).await;
    let session = service.store.session(organization).await;
    let login = service
        .identity
        .begin_login(&user, &Client::default())
        .await
        .unwrap();
    let cookie = format!("wagate_login={}", login.secret.reveal());

    service
        .visit("GET", "/api/auth/token", "")
        .await
        .error(401, "unauthorized");
    let answer = service
        .visit("GET", "/api/auth/token", &cookie)
        .await
        .ok(200);
    let token = answer["token"].as_str().unwrap();
    let expires_at = answer["expiresAt"].as_i64().unwrap();
    assert_eq!(expires_at, service.store.clock.now_ms() + 300_000);
    let listed = service.get("/api/v1/sessions", token).await.ok(200);
    assert_eq!(listed["data"][0]["id"], session.to_string());

    let reply = service.visit("GET", "/api/auth/jwks", "").await;
    assert_eq!(reply.headers[header::CACHE_CONTROL], "public, max-age=60");
    let keys = reply.ok(200);
    let head = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    assert_eq!(keys["keys"][0]["kid"], head["kid"]);

    service
        .visit("POST", "/api/auth/logout", &cookie)
        .await
        .ok(204);
    service
        .get("/api/v1/sessions", token)
        .await
        .error(401, "unauthorized");
}

/// A provider at which Ann is signed in; gives its URL.
async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let key = Arc::new(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap());
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k",
        "x": encode(key.public_key().as_ref())});
    let document = json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
    });
    let issuer = url.clone();
    // The code is the nonce: a provider keeps it, and this one has no memory.
    let token = move |Form(form): Form<Vec<(String, String)>>| {
        let code = form.iter().find(|(name, _)| name == "code").unwrap();
        let claims = json!({
            "iss": issuer, "aud": "wagate", "sub": "1", "nonce": code.1,
            "exp": 4_000_000_000_i64, "email": "ann@example.com", "email_verified": true,
        });
        let signed = [json!({"alg": "EdDSA", "kid": "k"}), claims]
            .map(|part| encode(part.to_string().as_bytes()))
            .join(".");
        let signature = encode(key.sign(signed.as_bytes()).as_ref());
        let answer = axum::Json(json!({ "id_token": format!("{signed}.{signature}") }));
        async move { answer }
    };
    let fixed = |value: Value| get(move || async move { axum::Json(value) });
    let router = Router::new()
        .route("/.well-known/openid-configuration", fixed(document))
        .route("/keys", fixed(json!({ "keys": [jwk] })))
        .route("/token", post(token));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn with_provider(issuer: String) -> Service {
    let public: Url = "https://wa.example".parse().unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let people = IdentityConfig {
        public_url: Some(public.clone()),
        issuer_client: Some(IssuerClient::new(tls).unwrap()),
        providers: vec![ProviderConfig {
            id: "corp".into(),
            name: "Corp".into(),
            issuer,
            client_id: "wagate".into(),
            client_secret: None,
            scopes: vec!["openid".into()],
            creates_accounts: false,
            allowed_email_domains: Vec::new(),
        }],
        ..IdentityConfig::default()
    };
    Service::with_people(|config| config.public_url = Some(public), people).await
}

#[tokio::test]
async fn a_provider_signs_a_browser_in() {
    let service = with_provider(provider().await).await;
    let organization = service.tenant().await.organization;
    service.member(organization).await;
    let options = service.visit("GET", "/api/auth/options", "").await.ok(200);
    assert_eq!(
        options["providers"],
        json!([{"id": "corp", "name": "Corp"}])
    );

    let start = "/api/auth/oidc/corp:start?returnTo=%2Fsessions";
    let (location, cookies) = led(&service.visit("GET", start, "").await);
    let asked: Url = location.parse().unwrap();
    let asked: std::collections::HashMap<_, _> = asked.query_pairs().into_owned().collect();
    assert_eq!(
        asked["redirect_uri"],
        "https://wa.example/api/auth/oidc/corp/callback"
    );
    let [cookie] = cookies.as_slice() else {
        panic!("one cookie is set");
    };
    assert!(cookie.starts_with("__Host-wagate_provider="), "{cookie}");
    assert!(
        cookie.contains("; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let kept = cookie.split(';').next().unwrap();

    let back = format!(
        "/api/auth/oidc/corp/callback?code={}&state={}",
        asked["nonce"], asked["state"]
    );
    let (location, cookies) = led(&service.visit("GET", &back, kept).await);
    assert_eq!(location, "/sessions");
    assert!(
        cookies[0].starts_with("__Host-wagate_provider=; "),
        "{cookies:?}"
    );
    let login = cookies[1].split(';').next().unwrap();
    assert!(login.starts_with("__Host-wagate_login="), "{login}");
    service.visit("GET", "/api/auth/token", login).await.ok(200);
    // Without what the browser kept, the same link is good for nothing.
    let (location, _) = led(&service.visit("GET", &back, "").await);
    assert_eq!(location, "/login?error=sign_in_expired");
}

#[tokio::test]
async fn what_fails_leads_to_the_login_page() {
    let service = with_provider("http://127.0.0.1:1".into()).await;
    for (path, error) in [
        ("/api/auth/oidc/other:start", "unknown_provider"),
        ("/api/auth/oidc/corp:start", "sign_in_unavailable"),
        (
            "/api/auth/oidc/other/callback?code=a&state=b",
            "unknown_provider",
        ),
        ("/api/auth/oidc/corp/callback", "sign_in_expired"),
        (
            "/api/auth/oidc/corp/callback?error=access_denied",
            "sign_in_expired",
        ),
        (
            "/api/auth/oidc/corp/callback?code=a&code=b&state=c",
            "sign_in_expired",
        ),
    ] {
        let reply = service.visit("GET", path, "").await;
        assert_eq!(led(&reply).0, format!("/login?error={error}"), "{path}");
        assert!(reply.bytes.is_empty());
    }
}
