//! The one error envelope of the public API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What went wrong, as a closed set of codes; each has one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 429: too much in too little time.
    RateLimited,
    /// 404: not there, or not yours.
    NotFound,
    /// 401: no valid credential.
    Unauthorized,
    /// 403: the credential lacks the capability.
    Forbidden,
    /// 400: the request is malformed; `details.errors` lists every fault.
    ValidationError,
    /// 409: the state does not allow it now.
    Conflict,
    /// 501: cannot exist.
    NotImplemented,
    /// 503: the gateway that owns the session cannot be reached.
    GatewayUnavailable,
    /// 500: our fault.
    Internal,
}

impl ErrorCode {
    /// The HTTP status of the code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ValidationError => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::NotImplemented => 501,
            Self::GatewayUnavailable => 503,
        }
    }

    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidationError => "validation_error",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::NotImplemented => "not_implemented",
            Self::GatewayUnavailable => "gateway_unavailable",
        }
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiError {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// The inside of [`ApiError`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// The code, for programs.
    pub code: ErrorCode,
    /// One sentence, for people.
    pub message: String,
    /// Facts that depend on the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    pub details: Option<Map<String, Value>>,
}
