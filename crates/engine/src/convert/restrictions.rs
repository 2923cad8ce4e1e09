//! What WhatsApp forbids an account: answers and notifications in GraphQL.

use serde_json::Value;
use wagate_model::{Restriction, RestrictionKind};
use whatsapp_rust::types::events::MexNotification;

use super::text::present;
use crate::EngineEvent;

/// What WhatsApp says where it has no cause of its own.
const NO_CAUSE: &str = "DEFAULT";

/// The lock on new chats; none where it is not said whether there is one.
pub(crate) fn reachout_timelock(value: &Value) -> Option<EngineEvent> {
    let kind = RestrictionKind::ReachoutTimelock;
    let is_active = value["is_active"].as_bool()?;
    let cause = present(value["enforcement_type"].as_str());
    let restriction = is_active.then(|| Restriction {
        kind,
        cause: cause.filter(|cause| cause != NO_CAUSE),
        until: seconds(&value["time_enforcement_ends"]),
    });
    Some(EngineEvent::Restriction { kind, restriction })
}

/// The cap on messages to new chats; none where it is not said whether it is reached.
pub(crate) fn message_cap(value: &Value) -> Option<EngineEvent> {
    let kind = RestrictionKind::NewChatCap;
    let status = value["capping_status"].as_str()?;
    let restriction = (status == "CAPPED").then(|| Restriction {
        kind,
        cause: None,
        until: seconds(&value["cycle_end_timestamp"]),
    });
    Some(EngineEvent::Restriction { kind, restriction })
}

/// What a GraphQL notification says, where it is about restrictions.
pub(crate) fn restriction_news(notification: &MexNotification) -> Option<EngineEvent> {
    let data = &notification.payload["data"];
    reachout_timelock(&data["xwa2_notify_account_reachout_timelock"])
        .or_else(|| message_cap(&data["xwa2_notify_new_chat_messages_capping_info_update"]))
}

/// A time in seconds, which comes as a number or as a text; in milliseconds.
fn seconds(value: &Value) -> Option<i64> {
    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    (seconds > 0).then(|| seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(event: Option<EngineEvent>) -> Option<Restriction> {
        match event {
            Some(EngineEvent::Restriction { restriction, .. }) => restriction,
            _ => panic!("nothing is told"),
        }
    }

    #[test]
    fn a_lock_is_told_with_its_end_and_its_cause() {
        let locked = json!({
            "is_active": true, "time_enforcement_ends": "1800000000",
            "enforcement_type": "WEB_COMPANION_ONLY",
        });
        let locked = told(reachout_timelock(&locked)).unwrap();
        assert_eq!(locked.until, Some(1_800_000_000_000));
        assert_eq!(locked.cause.as_deref(), Some("WEB_COMPANION_ONLY"));
        assert_eq!(
            told(reachout_timelock(&json!({ "is_active": false }))),
            None
        );
        assert!(reachout_timelock(&Value::Null).is_none());
    }

    #[test]
    fn a_cap_counts_once_it_is_reached() {
        let capped = json!({ "capping_status": "CAPPED", "cycle_end_timestamp": 1_800_000_000 });
        assert!(told(message_cap(&capped)).is_some());
        assert_eq!(
            told(message_cap(&json!({ "capping_status": "FIRST_WARNING" }))),
            None
        );
    }
}
