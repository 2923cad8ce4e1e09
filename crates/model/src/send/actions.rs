//! The bodies of what is done to a message: edit, revoke, react, vote, pin, star, forward and others.
//!
//! The message itself is in the path; ids are unique within a chat and sender only, so each
//! body names the chat, and the sender where that is not this account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::request::check_sent_text;
use super::special::EventInput;
use super::task::TargetMessage;
use crate::validation::limits;
use crate::{EventAnswer, Faults, Jid, JidKind};

/// The body of `editMessage`.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EditMessageInputBody)]
pub struct EditMessageInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// The event as it is from now on, in full; for messages of type event, instead of a text.
    #[serde(default)]
    pub event: Option<EventInput>,
    /// The new text.
    #[serde(default)]
    #[schema(max_length = 65536)]
    pub text: Option<String>,
}

/// The body of `revokeMessage`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RevokeMessageInputBody)]
pub struct RevokeMessageInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// Who sent the message, where an admin deletes another member's; empty for one's own.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `addReaction` and `removeReaction`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ReactionInputBody)]
pub struct ReactionInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// The emoji.
    #[serde(default)]
    #[schema(max_length = 32)]
    pub emoji: Option<String>,
    /// Who sent the message; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `voteMessage`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = VoteInputBody)]
pub struct VoteInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// All options wanted, by their texts; none takes the vote back.
    #[serde(default)]
    #[schema(max_items = 12)]
    pub options: Option<Vec<String>>,
    /// Who sent the poll; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `forwardMessage`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ForwardInputBody)]
pub struct ForwardInput {
    /// The chat that the message is in: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// Who sent the message; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
    /// Where it goes: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub to: Option<String>,
}

/// The body of what is done to a message and needs no more than to know which one:
/// `starMessage`, `labelMessage`, `markMessagePlayed` and their opposites.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = MessageInChatInputBody)]
pub struct MessageInChatInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// Who sent the message; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `pinMessage`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PinMessageInputBody)]
pub struct PinInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// For how many seconds: 86400, 604800 (the default) or 2592000.
    #[serde(default)]
    #[schema(minimum = 86_400, maximum = 2_592_000)]
    pub seconds: Option<i64>,
    /// Who sent the message; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `unpinMessage`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UnpinMessageInputBody)]
pub struct UnpinInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// Who sent the message; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `deleteMessageForMe`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DeleteForMeInputBody)]
pub struct DeleteForMeInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// Whether the phones delete its file too; they do unless told otherwise.
    #[serde(default)]
    pub delete_media: Option<bool>,
    /// Who sent the message; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `respondToEvent`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RespondToEventInputBody)]
pub struct RespondInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// How many others come along; none by default.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    pub extra_guests: Option<i64>,
    /// Whether the account comes.
    #[serde(default)]
    pub response: Option<EventAnswer>,
    /// Who sent the event; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

/// The body of `selectChoice`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SelectChoiceInputBody)]
pub struct SelectInput {
    /// The chat: a phone number in digits, or a JID.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub chat: Option<String>,
    /// The id of the button or row, as in `choices` of the message.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub selected_id: Option<String>,
    /// Who sent the message; can be left out where the chat has only one of this id.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub sender: Option<String>,
}

impl MessageInChatInput {
    /// The message; faults are added where there are any.
    pub fn target(&self, id: &str, faults: &mut Faults) -> Option<TargetMessage> {
        let (chat, sender) = (self.chat.as_deref(), self.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        let excluded = [JidKind::Newsletter, JidKind::Status];
        check_chat(&target, &excluded, "must be a person or a group", faults);
        Some(target)
    }
}

impl DeleteForMeInput {
    /// The message; faults are added where there are any.
    pub fn target(&self, id: &str, faults: &mut Faults) -> Option<TargetMessage> {
        let (chat, sender) = (self.chat.as_deref(), self.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        let excluded = [JidKind::Newsletter, JidKind::Status];
        check_chat(&target, &excluded, "must be a person or a group", faults);
        Some(target)
    }
}

impl EditMessageInput {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        let Some(event) = &self.event else {
            check_sent_text("text", self.text.as_deref(), faults);
            return;
        };
        event.check("event", faults);
        faults.check(self.text.is_none(), "text", || {
            "cannot be given together with event".into()
        });
    }
}

impl ReactionInput {
    /// Adds the faults of the emoji, which must be there.
    pub fn check_emoji(&self, faults: &mut Faults) {
        match self.emoji.as_deref().map(str::trim) {
            None | Some("") => faults.add("emoji", "is required"),
            Some(emoji) => {
                faults.check_length("emoji", emoji, limits::EMOJI_CHARS);
                // Letters and digits are no emoji, though digits begin some: 1️⃣.
                let is_emoji = !emoji.is_ascii();
                faults.check(is_emoji, "emoji", || "must be an emoji".into());
            }
        }
    }
}

/// Where messages are that something can be done to.
const CHATS: (&[JidKind], &str) = (
    &[
        JidKind::User,
        JidKind::Lid,
        JidKind::Group,
        JidKind::Newsletter,
        JidKind::Status,
    ],
    "must be a person, a group, a channel or status@broadcast",
);

/// Where messages can be forwarded to.
const RECIPIENTS: (&[JidKind], &str) = (
    &[
        JidKind::User,
        JidKind::Lid,
        JidKind::Group,
        JidKind::Newsletter,
    ],
    "must be a person, a group or a channel",
);

/// Reads what names a message: its id, its chat, and who sent it.
pub(super) fn target(
    id: &str,
    chat: Option<&str>,
    sender: Option<&str>,
    faults: &mut Faults,
) -> Option<TargetMessage> {
    let chat = address("chat", chat, CHATS, faults);
    let sender = match sender {
        None | Some("") => None,
        Some(sender) => match Jid::parse_lenient(sender) {
            Ok(jid) if jid.kind().is_person() => Some(jid),
            Ok(_) => {
                faults.add("sender", "must be a person");
                None
            }
            Err(error) => {
                faults.add("sender", error.to_string());
                None
            }
        },
    };
    Some(TargetMessage {
        chat: chat?,
        id: id.to_owned(),
        sender,
    })
}

/// Reads the address of a chat that a message can be forwarded to.
pub(super) fn recipient(text: Option<&str>, faults: &mut Faults) -> Option<Jid> {
    address("to", text, RECIPIENTS, faults)
}

fn address(
    field: &str,
    text: Option<&str>,
    (kinds, expected): (&[JidKind], &str),
    faults: &mut Faults,
) -> Option<Jid> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        faults.add(field, "is required");
        return None;
    };
    match Jid::parse_lenient(text) {
        Ok(jid) if kinds.contains(&jid.kind()) => Some(jid),
        Ok(_) => {
            faults.add(field, expected);
            None
        }
        Err(error) => {
            faults.add(field, error.to_string());
            None
        }
    }
}

/// Adds a fault where a message is in a chat of a kind that this cannot be done in.
pub(super) fn check_chat(
    target: &TargetMessage,
    excluded: &[JidKind],
    expected: &str,
    faults: &mut Faults,
) {
    let is_fitting = !excluded.contains(&target.chat.kind());
    faults.check(is_fitting, "chat", || expected.into());
}
