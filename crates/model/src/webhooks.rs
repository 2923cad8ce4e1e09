//! Webhooks: where an organization wants its events posted.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{EventSelector, Faults, OrganizationId, SessionId, WebhookId, hide_contents};

/// Header names (lower case) that custom headers may not replace.
pub const RESERVED_WEBHOOK_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-webhook-hmac",
    "x-webhook-hmac-algorithm",
    "x-webhook-request-id",
    WEBHOOK_TEST_HEADER,
    "x-webhook-timestamp",
];

/// The header (lower case) that only test events have.
pub const WEBHOOK_TEST_HEADER: &str = "x-webhook-test";

/// What secrets in the form of Standard Webhooks begin with; base64 follows.
pub const WEBHOOK_SECRET_PREFIX: &str = "whsec_";

/// When a failed delivery is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryPolicy {
    /// How many attempts at most, the first included.
    pub attempts: i64,
    /// The delay before the second attempt, in seconds.
    pub delay_seconds: i64,
    /// `exponential` doubles the delay each time, up to 12 hours; anything else keeps it.
    pub policy: String,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 15,
            delay_seconds: 2,
            policy: "exponential".into(),
        }
    }
}

/// A retry policy in a request; missing parts take the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RetryPolicyInput)]
pub struct RetryPolicyBody {
    /// How many attempts at most, the first included: 1 to 50.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 50)]
    pub attempts: Option<i64>,
    /// The delay before the second attempt, in seconds: 0 to 43,200.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 43200)]
    pub delay_seconds: Option<i64>,
    /// `exponential` (default) doubles the delay each time; anything else keeps it.
    #[serde(default)]
    #[schema(max_length = 32)]
    pub policy: Option<String>,
}

impl RetryPolicyBody {
    /// The policy with missing parts taken from another.
    #[must_use]
    pub fn over(self, base: RetryPolicy) -> RetryPolicy {
        RetryPolicy {
            attempts: self.attempts.unwrap_or(base.attempts),
            delay_seconds: self.delay_seconds.unwrap_or(base.delay_seconds),
            policy: self.policy.unwrap_or(base.policy),
        }
    }
}

/// Where an organization wants its events posted, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Whether events are posted.
    pub active: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_at: i64,
    /// Headers added to every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// Why it was disabled by the service (beyond the contract): `gone`, `failing` or `unreadable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// The events wanted; `*` stands for all.
    pub events: Vec<String>,
    /// The id.
    pub id: WebhookId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// When a failed delivery is tried again.
    pub retry_policy: RetryPolicy,
    /// Only events of this session; all of the organization's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// When it last changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// Where events are posted.
    pub url: String,
}

/// The body of `createWebhook` and `updateWebhook`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookBody {
    /// Whether events are posted; true when left out of a new one.
    #[serde(default)]
    pub active: Option<bool>,
    /// Headers added to every request, at most 20; replaces all earlier ones.
    #[serde(default)]
    pub custom_headers: Option<BTreeMap<String, String>>,
    /// The events wanted, at most 64 names; `*` stands for all, an empty list for none.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub events: Option<Vec<String>>,
    /// When a failed delivery is tried again.
    #[serde(default)]
    pub retry_policy: Option<RetryPolicyBody>,
    /// Signs every request; write-only. An empty text removes it. After `whsec_`, base64.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub secret: Option<String>,
    /// Only events of this session; null or an empty text: all of the organization's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub session_id: Option<Option<String>>,
    /// Where events are posted: http or https.
    #[serde(default)]
    #[schema(max_length = 2048)]
    pub url: Option<String>,
}

/// Tells `null` (`Some(None)`) from a missing field (`None`).
#[expect(
    clippy::option_option,
    reason = "the three cases of a field that null can clear"
)]
pub(crate) fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

hide_contents!(WebhookBody);

impl WebhookBody {
    /// Checks every field except the URL's address, which the address guard judges.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if let Some(events) = &self.events {
            EventSelector::check("events", events, &mut faults);
        }
        if let Some(secret) = &self.secret {
            check_secret("secret", secret, &mut faults);
        }
        if let Some(Some(session)) = &self.session_id {
            let is_id = session.is_empty() || session.parse::<SessionId>().is_ok();
            faults.check(is_id, "sessionId", || "must be the id of a session".into());
        }
        if let Some(url) = &self.url {
            faults.check_length("url", url, limits::URL_CHARS);
        }
        self.check_retry_policy(&mut faults);
        self.check_headers(&mut faults);
        faults
    }

    fn check_retry_policy(&self, faults: &mut Faults) {
        let Some(policy) = &self.retry_policy else {
            return;
        };
        let attempts_fit = policy
            .attempts
            .is_none_or(|n| (1..=limits::WEBHOOK_ATTEMPTS).contains(&n));
        faults.check(attempts_fit, "retryPolicy.attempts", || {
            format!("must be between 1 and {}", limits::WEBHOOK_ATTEMPTS)
        });
        let delay_fits = policy
            .delay_seconds
            .is_none_or(|s| (0..=limits::WEBHOOK_DELAY_SECONDS).contains(&s));
        faults.check(delay_fits, "retryPolicy.delaySeconds", || {
            format!("must be between 0 and {}", limits::WEBHOOK_DELAY_SECONDS)
        });
        if let Some(name) = &policy.policy {
            faults.check_length("retryPolicy.policy", name, limits::WEBHOOK_POLICY_CHARS);
        }
    }

    fn check_headers(&self, faults: &mut Faults) {
        let Some(headers) = &self.custom_headers else {
            return;
        };
        faults.check(
            headers.len() <= limits::WEBHOOK_HEADERS,
            "customHeaders",
            || format!("must have at most {} entries", limits::WEBHOOK_HEADERS),
        );
        for (name, value) in headers.iter().take(limits::WEBHOOK_HEADERS) {
            let field = format!(
                "customHeaders.{}",
                name.chars().take(64).collect::<String>()
            );
            faults.check(is_header_name(name), &field, || {
                "is not the name of a header".into()
            });
            let is_reserved =
                RESERVED_WEBHOOK_HEADERS.contains(&name.to_ascii_lowercase().as_str());
            faults.check(!is_reserved, &field, || {
                "is set by the service and cannot be replaced".into()
            });
            let is_value = value.len() <= limits::WEBHOOK_HEADER_VALUE_CHARS
                && value
                    .bytes()
                    .all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
            faults.check(is_value, &field, || {
                format!(
                    "must be at most {} visible ASCII characters",
                    limits::WEBHOOK_HEADER_VALUE_CHARS
                )
            });
        }
    }
}

/// Checks a secret that signs requests.
pub(crate) fn check_secret(field: &str, secret: &str, faults: &mut Faults) {
    faults.check_text(field, secret, limits::WEBHOOK_SECRET_CHARS);
    // Nobody could verify what such a secret signs.
    let is_key = secret
        .strip_prefix(WEBHOOK_SECRET_PREFIX)
        .is_none_or(|key| {
            let key = base64::engine::general_purpose::STANDARD.decode(key);
            key.is_ok_and(|key| !key.is_empty())
        });
    faults.check(is_key, field, || {
        format!("must have a key in base64 after `{WEBHOOK_SECRET_PREFIX}`")
    });
}

/// Whether a text is a header's name: the token characters of RFC 9110.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// All webhooks of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListWebhook {
    /// The webhooks, oldest first.
    pub data: Vec<Webhook>,
    /// Always absent: the list is one page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_fields() {
        let body: WebhookBody = serde_json::from_str(
            r#"{"url":"https://example.com","events":["message","nope"],
                "retryPolicy":{"attempts":0},"customHeaders":{"Host":"x","b@d":"y"}}"#,
        )
        .unwrap();
        let fields: Vec<_> = body
            .faults()
            .into_vec()
            .into_iter()
            .map(|f| f.field)
            .collect();
        assert_eq!(
            fields,
            [
                "events[1]",
                "retryPolicy.attempts",
                "customHeaders.Host",
                "customHeaders.b@d"
            ]
        );
    }

    #[test]
    fn secrets_that_nobody_could_verify_and_endless_lists_are_refused() {
        let fields = |body: WebhookBody| -> Vec<_> {
            let faults = body.faults().into_vec().into_iter();
            faults.map(|fault| fault.field).collect()
        };
        let secret = |secret: &str| WebhookBody {
            secret: Some(secret.into()),
            ..WebhookBody::default()
        };
        for good in ["", "s", "whsec_AQID", "AQID", "not base64!"] {
            assert!(fields(secret(good)).is_empty(), "{good}");
        }
        for wrong in ["whsec_", "whsec_not base64!", "whsec_===="] {
            assert_eq!(fields(secret(wrong)), ["secret"], "{wrong}");
        }
        let events = |count| WebhookBody {
            events: Some(vec!["nope".into(); count]),
            ..WebhookBody::default()
        };
        assert_eq!(fields(events(64)).len(), 64);
        assert_eq!(fields(events(65)), ["events"]);
    }

    #[test]
    fn a_null_session_is_told_from_a_missing_one() {
        let read = |json| {
            serde_json::from_str::<WebhookBody>(json)
                .unwrap()
                .session_id
        };
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"sessionId":null}"#), Some(None));
    }
}
