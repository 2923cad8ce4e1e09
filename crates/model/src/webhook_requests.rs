//! What is asked of a webhook besides changing it: another secret, a test, a replay.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::webhooks::check_secret;
use crate::{EventKind, Faults};

/// The body of `rotateWebhookSecret`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RotateWebhookSecretInputBody)]
pub struct RotateSecretInput {
    /// The new secret; one is made where it is left out. After `whsec_`, base64.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for RotateSecretInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RotateSecretInput(…)")
    }
}

impl RotateSecretInput {
    /// Checks the secret as at the creation of a webhook; an empty one would be none.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if let Some(secret) = &self.secret {
            faults.check(!secret.is_empty(), "secret", || "must not be empty".into());
            check_secret("secret", secret, &mut faults);
        }
        faults
    }
}

/// The body of `testWebhook`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TestWebhookInputBody)]
pub struct TestWebhookInput {
    /// The event to make up; by default `session.status`, or where the webhook does not want
    /// that, the first one that it names.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub event: Option<String>,
}

impl TestWebhookInput {
    /// The event that is named, where one is.
    pub fn kind(&self, faults: &mut Faults) -> Option<EventKind> {
        kind_of(self.event.as_deref(), faults)
    }
}

/// Which events are replayed, by what became of them at the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplayScope {
    /// Given up, and accepted by no delivery since.
    #[default]
    Dead,
    /// Never queued for it, as while it was switched off.
    Missing,
    /// All that it wants, also what it has accepted.
    All,
}

impl ReplayScope {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Dead, Self::Missing, Self::All];

    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Missing => "missing",
            Self::All => "all",
        }
    }
}

/// The body of `replayWebhook`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ReplayWebhookInputBody)]
pub struct ReplayWebhookInput {
    /// Only events of this kind, of those that the webhook wants.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub event: Option<String>,
    /// Events from this time on, in milliseconds since 1970.
    pub from: i64,
    /// `dead` (default): given up, and not accepted since; `missing`: never queued for the
    /// webhook; `all`: every one that it wants, also what it has accepted.
    #[serde(default)]
    #[schema(max_length = 32)]
    pub status: Option<String>,
    /// Events before this time, in milliseconds since 1970; until now where it is left out.
    #[serde(default)]
    pub to: Option<i64>,
}

/// A request for a replay that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayOrder {
    /// From this time on, in milliseconds since 1970.
    pub from_ms: i64,
    /// Before this time, in milliseconds since 1970.
    pub until_ms: i64,
    /// Which events.
    pub scope: ReplayScope,
    /// Only this kind.
    pub kind: Option<EventKind>,
}

impl ReplayWebhookInput {
    /// Checks the request; notes its faults.
    pub fn order(&self, now_ms: i64, faults: &mut Faults) -> ReplayOrder {
        let is_time = (0..=now_ms).contains(&self.from);
        faults.check(is_time, "from", || {
            "must be a time that is over, in milliseconds since 1970".into()
        });
        // What happens in this very millisecond may not be stored yet.
        let now_ms = now_ms.saturating_add(1);
        let until_ms = self.to.unwrap_or(now_ms);
        faults.check(until_ms > self.from, "to", || "must be after `from`".into());
        let status = self.status.as_deref();
        let mut all = ReplayScope::ALL.into_iter();
        let scope = status.map_or(Some(ReplayScope::default()), |name| {
            all.find(|scope| scope.as_str() == name)
        });
        faults.check(scope.is_some(), "status", || {
            "must be one of: dead, missing, all".into()
        });
        ReplayOrder {
            from_ms: self.from,
            until_ms: until_ms.min(now_ms),
            scope: scope.unwrap_or_default(),
            kind: kind_of(self.event.as_deref(), faults),
        }
    }
}

fn kind_of(name: Option<&str>, faults: &mut Faults) -> Option<EventKind> {
    let kind = name?.parse().ok();
    if kind.is_none() {
        faults.add("event", "is not the name of an event");
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(faults: Faults) -> Vec<String> {
        let faults = faults.into_vec().into_iter();
        faults.map(|fault| fault.field).collect()
    }

    #[test]
    fn a_new_secret_is_checked_as_at_creation() {
        let of = |secret: &str| RotateSecretInput {
            secret: Some(secret.into()),
        };
        for good in ["s", "whsec_AQID"] {
            assert!(fields(of(good).faults()).is_empty(), "{good}");
        }
        for wrong in ["", "whsec_", "whsec_not base64!", &"s".repeat(257)] {
            assert_eq!(fields(of(wrong).faults()), ["secret"], "{wrong}");
        }
        assert!(fields(RotateSecretInput::default().faults()).is_empty());
    }

    #[test]
    fn a_replay_names_a_past_range_and_known_words() {
        let read = |json: &str, now_ms| {
            let input: ReplayWebhookInput = serde_json::from_str(json).unwrap();
            let mut faults = Faults::new();
            let order = input.order(now_ms, &mut faults);
            (order, fields(faults))
        };
        let (order, faults) = read(r#"{"from":5}"#, 100);
        assert!(faults.is_empty());
        assert_eq!(
            order,
            ReplayOrder {
                from_ms: 5,
                until_ms: 101,
                scope: ReplayScope::Dead,
                kind: None
            }
        );
        let all = r#"{"from":0,"to":900,"status":"all","event":"message"}"#;
        let (order, faults) = read(all, 100);
        assert!(faults.is_empty());
        assert_eq!((order.until_ms, order.scope), (101, ReplayScope::All));
        assert_eq!(order.kind, Some(EventKind::Message));
        for (json, wrong) in [
            (r#"{"from":-1,"to":5}"#, vec!["from"]),
            (r#"{"from":101,"to":200}"#, vec!["from"]),
            (r#"{"from":7,"to":7}"#, vec!["to"]),
            (
                r#"{"from":7,"status":"pending","event":"*"}"#,
                vec!["status", "event"],
            ),
        ] {
            assert_eq!(read(json, 100).1, wrong, "{json}");
        }
    }
}
