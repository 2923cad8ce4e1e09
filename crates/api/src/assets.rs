//! Files of the pages that the service shows by itself.

use axum::response::{IntoResponse as _, Response};
use http::header;

/// A file of a page, with what the page may do (its content security policy).
pub(crate) fn asset(
    content_type: &'static str,
    policy: &'static str,
    text: &'static str,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
