//! From a code to a person (OpenID Connect Core 1.0, 3.1.3).

use serde::Deserialize;
use url::form_urlencoded::byte_serialize;
use wagate_model::Email;

use super::discovery::{Document, Provider};
use super::state::SignInState;
use super::{OidcError, ProviderConfig};
use crate::issuer_client::{FetchError, IssuerClient};
use crate::tokens::jws::{Claims, Jws, MAX_TOKEN_LEN};
use crate::tokens::{MAX_SUBJECT_CHARS, NoKey, verify_with};

/// Somebody whom a provider vouches for.
pub(crate) struct ExternalPerson {
    /// The provider's name for the person.
    pub(crate) subject: String,
    /// The person's address, where the provider has verified it.
    pub(crate) email: Option<Email>,
    /// What the person is called.
    pub(crate) name: Option<String>,
}

#[derive(Deserialize)]
struct TokenResponse {
    id_token: String,
    access_token: Option<String>,
}

impl Provider {
    /// Fetches what a code stands for, and checks it.
    pub(crate) async fn person(
        &self,
        code: &str,
        redirect_uri: &str,
        state: &SignInState,
        now_ms: i64,
    ) -> Result<ExternalPerson, OidcError> {
        let client = self.client.as_ref().ok_or(OidcError::Unavailable)?;
        let found = self.discovered().await?;
        let document = &found.document;
        let tokens = redeem(client, document, &self.config, code, redirect_uri, state).await?;
        let token = Some(tokens.id_token.as_str())
            .filter(|text| text.len() <= MAX_TOKEN_LEN)
            .and_then(Jws::parse)
            .ok_or(OidcError::Refused)?;
        let keys = match found.keys.with_key(token.key_id()).await {
            Ok(keys) => keys,
            Err(NoKey::Unknown) => return Err(OidcError::Refused),
            Err(NoKey::Unavailable) => return Err(OidcError::Unavailable),
        };
        let ProviderConfig {
            id,
            issuer,
            client_id,
            ..
        } = &self.config;
        let checked = verify_with(token, &keys, issuer, client_id, now_ms);
        let (mut claims, _) = checked.map_err(|fault| {
            tracing::info!(provider = id, %fault, "a provider's token was refused");
            OidcError::Refused
        })?;
        check_binding(&claims, client_id, &state.nonce).ok_or(OidcError::Refused)?;
        if let (None, Some(url), Some(access_token)) = (
            claims.get("email_verified"),
            &document.userinfo_endpoint,
            &tokens.access_token,
        ) {
            let told = client.get(url, Some(access_token)).await;
            add_userinfo(&mut claims, &told.map_err(unavailable)?).ok_or(OidcError::Refused)?;
        }
        person_of(&claims).ok_or(OidcError::Refused)
    }
}

async fn redeem(
    client: &IssuerClient,
    document: &Document,
    config: &ProviderConfig,
    code: &str,
    redirect_uri: &str,
    state: &SignInState,
) -> Result<TokenResponse, OidcError> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", &state.verifier),
    ];
    // RFC 6749, 2.3.1: names and passwords are encoded before they are put together.
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let name = encoded(&config.client_id);
    let password = config
        .client_secret
        .as_ref()
        .map(|secret| encoded(secret.reveal()));
    let mut basic = None;
    match (&config.client_secret, &password) {
        (Some(_), Some(password)) if !document.wants_secret_in_form() => {
            basic = Some((name.as_str(), password.as_str()));
        }
        (Some(secret), _) => {
            form.push(("client_id", &config.client_id));
            form.push(("client_secret", secret.reveal()));
        }
        (None, _) => form.push(("client_id", &config.client_id)),
    }
    let url = &document.token_endpoint;
    let answer = client
        .post_form(url, basic, &form)
        .await
        .map_err(unavailable)?;
    serde_json::from_slice(&answer).map_err(|_| OidcError::Unavailable)
}

fn unavailable(error: FetchError) -> OidcError {
    tracing::info!(%error, "a provider did not give what it was asked for");
    match error {
        // A code that was used already, or was never given.
        FetchError::Status(400..=499) => OidcError::Refused,
        _ => OidcError::Unavailable,
    }
}

/// Whether an ID token is for this client and for this sign-in.
fn check_binding(claims: &Claims, client_id: &str, nonce: &str) -> Option<()> {
    let party = claims.get("azp");
    let is_ours = party.is_none_or(|party| party == client_id);
    let is_for_several = claims.texts("aud").nth(1).is_some();
    let is_bound =
        is_ours && (party.is_some() || !is_for_several) && claims.text("nonce") == Some(nonce);
    is_bound.then_some(())
}

/// Adds what the provider tells apart from the token, if it is about the same person.
fn add_userinfo(claims: &mut Claims, text: &[u8]) -> Option<()> {
    let told = Claims(serde_json::from_slice(text).ok()?);
    if told.text("sub")? != claims.text("sub")? {
        return None;
    }
    for name in ["email", "email_verified", "name"] {
        if let Some(value) = told.get(name) {
            claims.0.insert(name.to_owned(), value.clone());
        }
    }
    Some(())
}

fn person_of(claims: &Claims) -> Option<ExternalPerson> {
    let subject = claims
        .text("sub")
        .filter(|text| !text.is_empty() && text.chars().count() <= MAX_SUBJECT_CHARS)?;
    // Some providers write truth as a text.
    let is_verified = claims
        .get("email_verified")
        .is_some_and(|value| value == true || value == "true");
    let email = claims.text("email").filter(|_| is_verified);
    Some(ExternalPerson {
        subject: subject.to_owned(),
        email: email.and_then(|text| text.parse().ok()),
        name: claims.text("name").map(str::to_owned),
    })
}
