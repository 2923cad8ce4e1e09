//! Requests to send, and their results.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{Faults, Jid, JidKind, MessageStatus, OutboxId};

/// What kind of message to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendType {
    /// A text.
    Text,
}

/// The body of `sendMessage`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendRequest {
    /// Phone numbers or JIDs that the text mentions as `@<number>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 1024)]
    pub mentions: Option<Vec<String>>,
    /// The WhatsApp id of the message to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub reply_to: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub text: Option<String>,
    /// The chat: a phone number in digits, or a JID.
    #[schema(max_length = 64)]
    pub to: String,
    /// What kind of message to send.
    #[serde(rename = "type")]
    pub kind: SendType,
}

impl std::fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendRequest")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl SendRequest {
    /// Checks every field and gives the chat's address.
    pub fn validate(&self) -> Result<Jid, Faults> {
        let mut faults = Faults::new();
        match self.check(&mut faults) {
            Some(chat) if faults.is_empty() => Ok(chat),
            _ => Err(faults),
        }
    }

    /// Adds the faults of every field, and gives the chat's address where it has none.
    pub fn check(&self, faults: &mut Faults) -> Option<Jid> {
        let chat = self.check_recipient(faults);
        // What must be there depends on the kind.
        let is_text = !faults.is_unreadable("type");
        match self.text.as_deref() {
            None | Some("") if is_text => faults.add("text", "is required for type text"),
            None | Some("") => {}
            Some(text) if text.trim().is_empty() => faults.add("text", "must not be blank"),
            Some(text) => faults.check_text("text", text, limits::TEXT_CHARS),
        }
        if let Some(id) = &self.reply_to {
            faults.check_length("replyTo", id, limits::MESSAGE_ID_CHARS);
            let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic());
            faults.check(is_id, "replyTo", || "must be the id of a message".into());
        }
        self.check_mentions(faults);
        chat
    }

    fn check_recipient(&self, faults: &mut Faults) -> Option<Jid> {
        match Jid::parse_lenient(&self.to) {
            Ok(jid)
                if matches!(
                    jid.kind(),
                    JidKind::Status | JidKind::Broadcast | JidKind::Newsletter
                ) =>
            {
                faults.add("to", "must be a person or a group");
                None
            }
            Ok(jid) => Some(jid),
            Err(error) => {
                faults.add("to", error.to_string());
                None
            }
        }
    }

    fn check_mentions(&self, faults: &mut Faults) {
        let mentions = self.mentions.as_deref().unwrap_or_default();
        faults.check(mentions.len() <= limits::MENTIONS, "mentions", || {
            format!("must have at most {} entries", limits::MENTIONS)
        });
        for (index, mention) in mentions.iter().enumerate().take(limits::MENTIONS) {
            let is_person = Jid::parse_lenient(mention).is_ok_and(|jid| jid.kind().is_person());
            faults.check(is_person, &format!("mentions[{index}]"), || {
                "must be a phone number or the JID of a person".into()
            });
        }
    }

    /// The people mentioned, for a request that was validated.
    #[must_use]
    pub fn mentioned(&self) -> Vec<Jid> {
        let mentions = self.mentions.iter().flatten();
        mentions
            .filter_map(|mention| Jid::parse_lenient(mention).ok())
            .collect()
    }
}

/// Whether the caller waited for WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendMode {
    /// The answer waited for WhatsApp's acknowledgement.
    Sync,
    /// The message was queued.
    Async,
}

/// What became of a request to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendResult {
    /// Whether the caller waited for WhatsApp.
    pub mode: SendMode,
    /// The message's place in the outbox, for queued ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox_id: Option<OutboxId>,
    /// True where the `Idempotency-Key` was seen before and nothing was sent now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<bool>,
    /// How far the message has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MessageStatus>,
    /// WhatsApp's time of the message, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// WhatsApp's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_message_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: serde_json::Value) -> SendRequest {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let request = request(serde_json::json!({
            "type": "text", "to": "nobody", "replyTo": "", "mentions": ["x", "15551234567"]
        }));
        let faults = request.validate().unwrap_err().into_vec();
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["to", "text", "replyTo", "mentions[0]"]);
    }

    #[test]
    fn a_number_becomes_a_chat() {
        let request =
            request(serde_json::json!({"type": "text", "to": "+15551234567", "text": "hi"}));
        assert_eq!(
            request.validate().unwrap().as_str(),
            "15551234567@s.whatsapp.net"
        );
    }
}
