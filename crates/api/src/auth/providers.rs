//! Routes of signing in with a provider: a browser is sent there, and comes back.
//!
//! They answer people and not programs: what fails leads to the login page, with a word that
//! does not tell whether there is an account.

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, OidcError, ProviderReturn};

use super::cookies::{self, SetCookie};
use super::visitor::Visitor;
use crate::access::parameter;
use crate::failure::Failure;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(begin_provider_login),
        routes!(finish_provider_login),
    ]
}

/// The id of a provider, as the path has it.
#[derive(Debug)]
struct Provider(String);

impl FromRequestParts<ApiState> for Provider {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Failure> {
        Ok(Self(parameter(parts, state, "provider").await))
    }
}

fn redirect(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_bytes(to.as_bytes()) else {
        return redirect("/");
    };
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

fn failed(error: &OidcError) -> Response {
    match error {
        OidcError::Store(error) => tracing::warn!(%error, "the database did not answer"),
        error => tracing::info!(%error, "somebody could not sign in with a provider"),
    }
    redirect(&format!("/login?error={}", error.code()))
}

/// Where a person wants to go on.
#[derive(Debug, Default)]
struct Beginning {
    return_to: Option<String>,
}

impl FromQuery for Beginning {
    fn from_params(params: &mut Params) -> Self {
        Self {
            return_to: params.text("returnTo"),
        }
    }
}

/// Sign in with a provider
///
/// Sends the browser to an OpenID Connect provider; `getLoginOptions` names them. What fails
/// leads to `/login?error=…`: `unknown_provider`, `sign_in_unavailable`.
#[utoipa::path(
    get, path = "/api/auth/oidc/{provider}:start", operation_id = "beginProviderLogin",
    tag = "Login", security(()),
    params(
        ("provider" = String, Path, description = "The provider's id."),
        ("returnTo" = Option<String>, Query,
            description = "Where to go on: a path of this service; `/` by default."),
    ),
    responses((status = 302, description = "To the provider, or to the login page.")),
)]
async fn begin_provider_login(
    State(core): State<Core>,
    State(state): State<ApiState>,
    Provider(provider): Provider,
    Query(query): Query<Beginning>,
    headers: HeaderMap,
) -> Response {
    let beginning = query.open().map(|(query, _)| query).unwrap_or_default();
    let return_to = beginning.return_to.as_deref().unwrap_or("/");
    match core.begin_provider_login(&provider, return_to).await {
        Ok(begun) => {
            let cookie = SetCookie::provider_state(&begun.cookie_value, &headers, state.config());
            (cookie, redirect(&begun.redirect_url)).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// What a provider sends a browser back with.
#[derive(Debug, Default)]
struct Returning {
    code: Option<String>,
    state: Option<String>,
}

impl FromQuery for Returning {
    fn from_params(params: &mut Params) -> Self {
        Self {
            code: params.text("code"),
            state: params.text("state"),
        }
    }
}

/// Come back from a provider
///
/// Where a provider sends the browser back: signs it in by a cookie, and goes on where the
/// person wanted to. What fails leads to `/login?error=…`: `sign_in_refused` (by the provider,
/// or because there is no account), `sign_in_expired`, `sign_in_unavailable`.
#[utoipa::path(
    get, path = "/api/auth/oidc/{provider}/callback", operation_id = "finishProviderLogin",
    tag = "Login", security(()),
    params(
        ("provider" = String, Path, description = "The provider's id."),
        ("code" = Option<String>, Query, description = "What the provider gives."),
        ("state" = Option<String>, Query, description = "What the provider was given."),
    ),
    responses((status = 302, description = "To where the person goes on, or to the login page.")),
)]
async fn finish_provider_login(
    State(core): State<Core>,
    State(state): State<ApiState>,
    Provider(provider): Provider,
    visitor: Visitor,
    Query(query): Query<Returning>,
    headers: HeaderMap,
) -> Response {
    let returning = query.open().map(|(query, _)| query).unwrap_or_default();
    let config = state.config();
    let browser = ProviderReturn {
        // Without one, the person or the provider has refused.
        code: returning.code.unwrap_or_default(),
        state: returning.state.unwrap_or_default(),
        cookie: cookies::provider_state(&headers, config).unwrap_or_default(),
    };
    // What the browser kept is used up either way.
    let forget = SetCookie::no_provider_state(&headers, config);
    let finished = core
        .finish_provider_login(&provider, browser, &visitor.0)
        .await;
    match finished {
        Ok((login, return_to)) => {
            let cookie = SetCookie::login(&login.secret, &headers, config);
            (forget, cookie, redirect(&return_to)).into_response()
        }
        Err(error) => (forget, failed(&error)).into_response(),
    }
}
