//! The one mapping from failures to the error envelope.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};
use wagate_core::Error;
use wagate_model::{ApiError, ErrorCode, ErrorDetail, Faults};

use crate::auth::cookies::SetCookie;

/// Why a request was not answered with a success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A use case failed, or the request did before it came to one.
    Core(Error),
    /// No route has the path.
    UnknownRoute,
    /// The path has routes, but none with the method.
    UnknownMethod,
    /// Others take all that there is; the message says of what.
    Crowded(&'static str),
    /// The browser shows a login that is none: it is told to forget it.
    StaleCookie(SetCookie),
    /// The service is not ready for work.
    NotReady(Map<String, Value>),
}

/// The result of a handler.
pub(crate) type Answer<T> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Core(Error::Invalid(faults))
    }
}

impl Failure {
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Faults::one(field, message).into()
    }

    const fn code(&self) -> ErrorCode {
        match self {
            Self::Core(error) => match error {
                Error::NotFound(_) => ErrorCode::NotFound,
                Error::Conflict { .. } | Error::NotConnected { .. } => ErrorCode::Conflict,
                Error::Invalid(_) => ErrorCode::ValidationError,
                Error::Forbidden | Error::ForbiddenByWhatsApp => ErrorCode::Forbidden,
                Error::Unauthorized | Error::LoginRefused(_) => ErrorCode::Unauthorized,
                Error::RateLimited { .. }
                | Error::ReachoutRestricted { .. }
                | Error::TooManyFiles => ErrorCode::RateLimited,
                Error::GatewayUnavailable { .. } => ErrorCode::GatewayUnavailable,
                Error::Internal(_) => ErrorCode::Internal,
            },
            // Each code has one status, and the contract has no code for 405.
            Self::UnknownRoute | Self::UnknownMethod => ErrorCode::NotFound,
            Self::Crowded(_) => ErrorCode::RateLimited,
            Self::StaleCookie(_) => ErrorCode::Unauthorized,
            Self::NotReady(_) => ErrorCode::GatewayUnavailable,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Core(error) => error.to_string(),
            Self::UnknownRoute => "There is no such route.".into(),
            Self::UnknownMethod => {
                "The route does not have this method; see the Allow header.".into()
            }
            Self::Crowded(what) => (*what).into(),
            Self::StaleCookie(_) => Error::Unauthorized.to_string(),
            Self::NotReady(_) => "The service is not ready.".into(),
        }
    }

    const fn retry_after_seconds(&self) -> Option<i64> {
        match self {
            Self::Core(
                Error::RateLimited {
                    retry_after_seconds,
                }
                | Error::ReachoutRestricted {
                    retry_after_seconds,
                }
                | Error::GatewayUnavailable {
                    retry_after_seconds,
                },
            ) => Some(*retry_after_seconds),
            Self::Crowded(_) | Self::Core(Error::TooManyFiles) => Some(5),
            Self::NotReady(_) => Some(1),
            _ => None,
        }
    }

    fn details(self) -> Option<Map<String, Value>> {
        let retry_after_seconds = self.retry_after_seconds();
        let mut details = Map::new();
        match self {
            Self::Core(Error::Invalid(faults)) => {
                let errors = serde_json::to_value(faults.into_vec()).unwrap_or_default();
                details.insert("errors".into(), errors);
            }
            Self::Core(Error::Conflict {
                reason,
                details: more,
            }) => {
                details.insert("reason".into(), reason.as_str().into());
                details.extend(more);
            }
            Self::Core(Error::NotConnected {
                status,
                reason,
                detail,
            }) => {
                details.insert("reason".into(), "session_not_connected".into());
                details.insert("status".into(), status.as_str().into());
                if let Some(reason) = reason {
                    details.insert("statusReason".into(), reason.as_str().into());
                }
                if let Some(detail) = detail {
                    let detail = serde_json::to_value(detail).unwrap_or_default();
                    details.insert("statusDetail".into(), detail);
                }
            }
            Self::Core(Error::LoginRefused(refusal)) => {
                details.insert("reason".into(), refusal.as_str().into());
            }
            Self::Core(Error::ReachoutRestricted { .. }) => {
                details.insert("reason".into(), "reachout_restricted".into());
                details.insert("retryAfterSeconds".into(), retry_after_seconds.into());
            }
            Self::Core(Error::RateLimited { .. } | Error::TooManyFiles) | Self::Crowded(_) => {
                details.insert("retryAfterSeconds".into(), retry_after_seconds.into());
            }
            Self::NotReady(more) => details = more,
            Self::Core(_) | Self::UnknownRoute | Self::UnknownMethod | Self::StaleCookie(_) => {}
        }
        (!details.is_empty()).then_some(details)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = self.code();
        if let Self::Core(Error::Internal(error)) = &self {
            tracing::error!(error = format!("{error:#}"), "a request failed");
        } else {
            tracing::debug!(code = code.as_str(), "a request was refused");
        }
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after_seconds = self.retry_after_seconds();
        let message = self.message();
        let (cookie, details) = match self {
            Self::StaleCookie(cookie) => (Some(cookie.into_header()), None),
            failure => (None, failure.details()),
        };
        let error = ErrorDetail {
            code,
            message,
            details,
        };
        let mut response = (status, Json(ApiError { error })).into_response();
        if let Some(seconds) = retry_after_seconds {
            let value = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}
