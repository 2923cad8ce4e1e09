//! The cookie of a signed-in browser, and who shows it.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponseParts, ResponseParts};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use wagate_core::{Caller, CurrentLogin, Error, OneTimeSecret};

use super::visitor::check_origin;
use crate::access::{caller_by_token, has_token};
use crate::failure::{Answer, Failure};
use crate::state::{ApiConfig, ApiState};

/// The cookie's name, where it may come over plain HTTP.
const LOGIN: &str = "wagate_login";

/// The same of what a browser keeps while its person is with a provider.
const PROVIDER_STATE: &str = "wagate_provider";

/// What the names begin with behind TLS: browsers take one of this prefix from this host only,
/// and over TLS only (RFC 6265bis, 4.1.3.2).
const SECURE_PREFIX: &str = "__Host-";

/// Browsers end it by themselves after this time; the service does so sooner.
const MAX_AGE_SECONDS: u32 = 400 * 24 * 3_600;

/// How long a person may be with a provider.
const PROVIDER_MAX_AGE_SECONDS: u32 = 600;

/// Whether people reach the service over TLS.
fn is_secure(headers: &HeaderMap, config: &ApiConfig) -> bool {
    match &config.public_url {
        Some(url) => url.scheme() == "https",
        None => headers
            .get("x-forwarded-proto")
            .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https")),
    }
}

/// A change of the browser's cookie, to send with an answer.
#[derive(Debug)]
pub(crate) struct SetCookie(HeaderValue);

impl SetCookie {
    /// Signs the browser in.
    pub(crate) fn login(secret: &OneTimeSecret, headers: &HeaderMap, config: &ApiConfig) -> Self {
        let is_secure = is_secure(headers, config);
        Self::of(LOGIN, secret.reveal(), MAX_AGE_SECONDS, is_secure)
    }

    /// Has the browser keep something until its person comes back from a provider.
    pub(crate) fn provider_state(value: &str, headers: &HeaderMap, config: &ApiConfig) -> Self {
        let is_secure = is_secure(headers, config);
        Self::of(PROVIDER_STATE, value, PROVIDER_MAX_AGE_SECONDS, is_secure)
    }

    /// Has the browser forget it.
    pub(crate) fn no_provider_state(headers: &HeaderMap, config: &ApiConfig) -> Self {
        Self::of(PROVIDER_STATE, "", 0, is_secure(headers, config))
    }

    /// Signs the browser out.
    pub(crate) fn logout(headers: &HeaderMap, config: &ApiConfig) -> Self {
        Self::of(LOGIN, "", 0, is_secure(headers, config))
    }

    fn of(name: &str, value: &str, max_age: u32, is_secure: bool) -> Self {
        let (prefix, secure) = if is_secure {
            (SECURE_PREFIX, "; Secure")
        } else {
            ("", "")
        };
        let text = format!(
            "{prefix}{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"
        );
        let mut value =
            HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        Self(value)
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl IntoResponseParts for SetCookie {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.headers_mut().append(header::SET_COOKIE, self.0);
        Ok(parts)
    }
}

/// What the browser keeps while its person is with a provider.
pub(crate) fn provider_state(headers: &HeaderMap, config: &ApiConfig) -> Option<String> {
    shown(PROVIDER_STATE, headers, config)
}

/// What the browser shows under a name.
fn shown(name: &str, headers: &HeaderMap, config: &ApiConfig) -> Option<String> {
    let prefix = if is_secure(headers, config) {
        SECURE_PREFIX
    } else {
        ""
    };
    let cookies = headers.get_all(header::COOKIE).iter();
    cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(shown, _)| shown.strip_prefix(prefix) == Some(name))
        .map(|(_, value)| value.to_owned())
}

/// Somebody who is signed in with this browser: `login` in the document.
#[derive(Debug)]
pub(crate) struct SignedIn(pub(crate) CurrentLogin);

impl FromRequestParts<ApiState> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        check_origin(parts, state.config())?;
        let cookie = shown(LOGIN, &parts.headers, state.config());
        let cookie = cookie.ok_or(Error::Unauthorized)?;
        match state.core().current_login(&cookie).await {
            Ok(login) => {
                if let Some(organization) = login.principal.organization_id {
                    parts.extensions.insert(organization);
                }
                Ok(Self(login))
            }
            // It has ended, or another installation on this host made it.
            Err(Error::Unauthorized) => Err(Failure::StaleCookie(SetCookie::logout(
                &parts.headers,
                state.config(),
            ))),
            Err(error) => Err(error.into()),
        }
    }
}

/// Somebody who may be signed in with this browser.
#[derive(Debug)]
pub(crate) struct MaybeSignedIn(pub(crate) Option<CurrentLogin>);

impl FromRequestParts<ApiState> for MaybeSignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        match SignedIn::from_request_parts(parts, state).await {
            Ok(SignedIn(login)) => Ok(Self(Some(login))),
            Err(Failure::StaleCookie(_) | Failure::Core(Error::Unauthorized)) => Ok(Self(None)),
            Err(failure) => Err(failure),
        }
    }
}

/// Who calls, by token or key where there is one, else by the browser's login.
pub(crate) async fn caller(parts: &mut Parts, state: &ApiState) -> Answer<Caller> {
    if has_token(parts) {
        return caller_by_token(parts, state).await;
    }
    let SignedIn(login) = SignedIn::from_request_parts(parts, state).await?;
    Ok(state.core().caller_of(&login))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(public_url: &str) -> ApiConfig {
        ApiConfig {
            public_url: Some(public_url.parse().unwrap()),
            ..ApiConfig::default()
        }
    }

    #[test]
    fn behind_tls_the_cookie_is_for_tls_only() {
        let headers = HeaderMap::new();
        let logout = |url| {
            let value = SetCookie::logout(&headers, &config(url)).into_header();
            value.to_str().unwrap().to_owned()
        };
        let plain = logout("http://a.example");
        assert_eq!(
            plain,
            "wagate_login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
        let secure = logout("https://a.example");
        assert!(secure.starts_with("__Host-wagate_login=; ") && secure.ends_with("; Secure"));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        let cookies = "a=b; __Host-wagate_login=secure;wagate_login=x=y";
        headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
        let found = |url| shown(LOGIN, &headers, &config(url));
        assert_eq!(found("https://a.example").as_deref(), Some("secure"));
        // One that came over plain HTTP is not believed behind TLS.
        assert_eq!(found("http://a.example").as_deref(), Some("x=y"));
        assert_eq!(shown(LOGIN, &HeaderMap::new(), &config("http://a")), None);
    }
}
