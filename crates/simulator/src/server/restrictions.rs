//! What WhatsApp forbids an account for a while: writing to people who have not written to it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Server, to_json};
use super::error::ServerError;
use super::record::namespace;
use super::session::Session;
use super::state::AccountCell;

/// Only companions are held back, not the phone itself.
const COMPANIONS_ONLY: &str = "WEB_COMPANION_ONLY";

/// How an account is restricted; the default is not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// Until when no new chats may be begun, in seconds since the Unix epoch.
    #[serde(default)]
    pub reachout_until_s: Option<i64>,
    /// Whom that holds back, in WhatsApp's words: `DEFAULT`, `WEB_COMPANION_ONLY`…
    #[serde(default)]
    pub enforcement_type: Option<String>,
    /// Whether the messages to new chats of this cycle are used up.
    #[serde(default)]
    pub is_capped: bool,
    /// How many messages to new chats a cycle has.
    #[serde(default)]
    pub total_quota: Option<u32>,
    /// How many of them are used.
    #[serde(default)]
    pub used_quota: Option<u32>,
    /// When the cycle ends, in seconds since the Unix epoch.
    #[serde(default)]
    pub cycle_ends_at_s: Option<i64>,
}

impl Restriction {
    fn is_reachout_locked(&self, now_s: i64) -> bool {
        self.reachout_until_s.is_some_and(|until| until > now_s)
    }

    fn is_capped(&self, now_s: i64) -> bool {
        self.is_capped && self.cycle_ends_at_s.is_none_or(|end| end > now_s)
    }

    fn enforcement_type(&self) -> &str {
        self.enforcement_type.as_deref().unwrap_or("DEFAULT")
    }
}

impl Server {
    /// Restricts an account, or lifts what restricts it; its devices are told.
    pub fn restrict(&self, number: &str, restriction: Restriction) -> Result<(), ServerError> {
        let account = self.cell(number)?;
        let mut transaction = self.begin();
        {
            let mut state = account.lock();
            state.record.restriction = restriction;
            let record = to_json(&state.record);
            transaction.batch.put(namespace::ACCOUNT, number, record);
        }
        let news = (
            "NotificationUserReachoutTimelockUpdate",
            "xwa2_notify_account_reachout_timelock",
        );
        let timelock = self.reachout_timelock(&account);
        self.tell_mex(&mut transaction, &account, news, &timelock);
        let news = (
            "MessageCappingInfoNotification",
            "xwa2_notify_new_chat_messages_capping_info_update",
        );
        let capping = self.message_capping(&account);
        self.tell_mex(&mut transaction, &account, news, &capping);
        Ok(transaction.commit()?)
    }

    /// Whether an account may begin chats, in GraphQL answers.
    pub(super) fn reachout_timelock(&self, account: &AccountCell) -> Value {
        let restriction = account.lock().record.restriction.clone();
        let is_active = restriction.is_reachout_locked(self.inner.now_s());
        let ends = restriction.reachout_until_s.filter(|_| is_active);
        json!({
            "is_active": is_active,
            "time_enforcement_ends": ends.map(|ends| ends.to_string()),
            "enforcement_type": restriction.enforcement_type(),
        })
    }

    /// How many messages an account may send to new chats, in GraphQL answers.
    pub(super) fn message_capping(&self, account: &AccountCell) -> Value {
        let restriction = account.lock().record.restriction.clone();
        let now_s = self.inner.now_s();
        let status = if restriction.is_capped(now_s) {
            "CAPPED"
        } else {
            "NONE"
        };
        json!({
            "capping_status": status,
            "ote_status": "NOT_ELIGIBLE",
            "mv_status": "NOT_ELIGIBLE",
            "total_quota": restriction.total_quota,
            "used_quota": restriction.used_quota,
            "cycle_start_timestamp": null,
            "cycle_end_timestamp": restriction.cycle_ends_at_s.map(|end| end.to_string()),
            "server_sent_timestamp": now_s.to_string(),
        })
    }

    /// Whether a device may not write to a recipient, as nobody of the two has written yet.
    pub(super) fn is_held_back(&self, session: &Session, recipient: &AccountCell) -> bool {
        let own = &session.account;
        if own.number == recipient.number {
            return false;
        }
        let now_s = self.inner.now_s();
        let is_restricted = {
            let state = own.lock();
            let restriction = &state.record.restriction;
            let is_meant =
                session.device_id != 0 || restriction.enforcement_type() != COMPANIONS_ONLY;
            (restriction.is_reachout_locked(now_s) && is_meant) || restriction.is_capped(now_s)
        };
        if !is_restricted {
            return false;
        }
        let known = self.inner.accounting.correspondents(&own.number);
        !known.contains(&*recipient.number)
    }
}
