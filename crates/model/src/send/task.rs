//! What the owner of a session is asked to send.

use serde::{Deserialize, Serialize};

use super::actions::{
    EditMessageInput, ForwardInput, PinInput, ReactionInput, RespondInput, RevokeMessageInput,
    SelectInput, UnpinInput, VoteInput, check_chat, recipient, target,
};
use super::request::{SendRequest, check_required};
use crate::validation::limits;
use crate::{EventData, EventResponse, Faults, Jid, JidKind, StatusPost};

/// How long a message is pinned unless somebody says otherwise, as official clients do: 7 days.
const DEFAULT_PIN_SECONDS: i64 = 604_800;

/// Chats whose messages are not encrypted for their members, with what is expected instead.
const PEOPLE_ONLY: (&[JidKind], &str) = (
    &[JidKind::Status, JidKind::Newsletter],
    "must be a person or a group",
);

/// Names a message: ids are unique within a chat and sender only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetMessage {
    /// The chat.
    pub chat: Jid,
    /// WhatsApp's id.
    pub id: String,
    /// Who sent it, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Jid>,
}

/// Something to send: a message of its own, or one about another.
#[expect(
    clippy::large_enum_variant,
    reason = "commands and orders, which hold one each, are behind pointers"
)]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum SendTask {
    /// A message.
    Send(SendRequest),
    /// A new text for a message of one's own.
    Edit {
        /// The message.
        target: TargetMessage,
        /// The new text.
        text: String,
    },
    /// Changes an event of one's own, or calls it off.
    EditEvent {
        /// The message.
        target: TargetMessage,
        /// The event as it is from now on.
        event: EventData,
    },
    /// Deletes a message for everyone.
    Revoke {
        /// The message; with a sender where it is another member's.
        target: TargetMessage,
    },
    /// Reacts to a message, or takes the reaction back.
    React {
        /// The message.
        target: TargetMessage,
        /// The emoji; empty to take it back.
        emoji: String,
    },
    /// Votes in a poll; replaces the earlier vote.
    Vote {
        /// The poll.
        target: TargetMessage,
        /// The texts of the options.
        options: Vec<String>,
    },
    /// Pins a message in its chat for everybody, or unpins it.
    Pin {
        /// The message.
        target: TargetMessage,
        /// For how many seconds; none to unpin it.
        seconds: Option<i64>,
    },
    /// Answers to an event; replaces the earlier answer.
    Respond {
        /// The event.
        target: TargetMessage,
        /// Whether the account comes.
        response: EventResponse,
    },
    /// Chooses a button or a row that a message offers.
    Select {
        /// The message.
        target: TargetMessage,
        /// The id of the choice.
        selected_id: String,
    },
    /// Sets after how many seconds new messages of a chat of two disappear.
    SetTimer {
        /// The chat.
        chat: Jid,
        /// After how many seconds; 0: never.
        seconds: u32,
    },
    /// Posts a story.
    Status(StatusPost),
    /// Sends what another message says, marked as forwarded.
    Forward {
        /// The message.
        target: TargetMessage,
        /// Where it goes.
        to: Jid,
    },
}

impl SendTask {
    /// The task of an edit; faults are added where there are any.
    pub fn edit(id: &str, input: EditMessageInput, faults: &mut Faults) -> Option<Self> {
        input.check(faults);
        let target = target(id, input.chat.as_deref(), None, faults)?;
        if let Some(event) = &input.event {
            check_chat(&target, PEOPLE_ONLY.0, PEOPLE_ONLY.1, faults);
            let event = event.event();
            return Some(Self::EditEvent { target, event });
        }
        let expected = "must be a person, a group or a channel";
        check_chat(&target, &[JidKind::Status], expected, faults);
        let text = input.text.unwrap_or_default();
        Some(Self::Edit { target, text })
    }

    /// The task of a revocation; faults are added where there are any.
    pub fn revoke(id: &str, input: &RevokeMessageInput, faults: &mut Faults) -> Option<Self> {
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        Some(Self::Revoke { target })
    }

    /// The task of a reaction; faults are added where there are any.
    pub fn react(id: &str, input: &ReactionInput, faults: &mut Faults) -> Option<Self> {
        input.check_emoji(faults);
        let emoji = input.emoji.as_deref().unwrap_or_default().trim().to_owned();
        Self::reaction(id, input, emoji, faults)
    }

    /// The task of taking a reaction back, whatever its emoji.
    pub fn unreact(id: &str, input: &ReactionInput, faults: &mut Faults) -> Option<Self> {
        Self::reaction(id, input, String::new(), faults)
    }

    fn reaction(
        id: &str,
        input: &ReactionInput,
        emoji: String,
        faults: &mut Faults,
    ) -> Option<Self> {
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        let expected = "must be a person, a group or a channel";
        check_chat(&target, &[JidKind::Status], expected, faults);
        Some(Self::React { target, emoji })
    }

    /// The task of a vote; faults are added where there are any.
    pub fn vote(id: &str, input: VoteInput, faults: &mut Faults) -> Option<Self> {
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        check_chat(&target, PEOPLE_ONLY.0, PEOPLE_ONLY.1, faults);
        let mut options = input.options.unwrap_or_default();
        let mut seen = Vec::new();
        options.retain(|option| {
            let is_new = !seen.contains(option);
            seen.push(option.clone());
            is_new
        });
        Some(Self::Vote { target, options })
    }

    /// The task of pinning; faults are added where there are any.
    pub fn pin(id: &str, input: &PinInput, faults: &mut Faults) -> Option<Self> {
        let seconds = input.seconds.unwrap_or(DEFAULT_PIN_SECONDS);
        faults.check(limits::PINNED.contains(&seconds), "seconds", || {
            "must be 86400, 604800 or 2592000".into()
        });
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        Some(Self::pinning(target, Some(seconds), faults))
    }

    /// The task of unpinning; faults are added where there are any.
    pub fn unpin(id: &str, input: &UnpinInput, faults: &mut Faults) -> Option<Self> {
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        Some(Self::pinning(target, None, faults))
    }

    fn pinning(target: TargetMessage, seconds: Option<i64>, faults: &mut Faults) -> Self {
        check_chat(&target, PEOPLE_ONLY.0, PEOPLE_ONLY.1, faults);
        Self::Pin { target, seconds }
    }

    /// The task of answering to an event; faults are added where there are any.
    pub fn respond(id: &str, input: &RespondInput, faults: &mut Faults) -> Option<Self> {
        let extra_guests = input.extra_guests.unwrap_or(0);
        let is_count = (0..=limits::EXTRA_GUESTS).contains(&extra_guests);
        faults.check(is_count, "extraGuests", || {
            format!("must be 0 to {}", limits::EXTRA_GUESTS)
        });
        if input.response.is_none() {
            faults.add("response", "is required");
        }
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        check_chat(&target, PEOPLE_ONLY.0, PEOPLE_ONLY.1, faults);
        let response = EventResponse {
            extra_guests,
            response: input.response?,
        };
        Some(Self::Respond { target, response })
    }

    /// The task of choosing; faults are added where there are any.
    pub fn select(id: &str, input: SelectInput, faults: &mut Faults) -> Option<Self> {
        let selected = input.selected_id.as_deref();
        check_required("selectedId", selected, limits::CHOICE_ID_CHARS, faults);
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults)?;
        check_chat(&target, PEOPLE_ONLY.0, PEOPLE_ONLY.1, faults);
        let selected_id = input.selected_id?;
        Some(Self::Select {
            target,
            selected_id,
        })
    }

    /// The task of forwarding; faults are added where there are any.
    pub fn forward(id: &str, input: &ForwardInput, faults: &mut Faults) -> Option<Self> {
        let to = recipient(input.to.as_deref(), faults);
        let (chat, sender) = (input.chat.as_deref(), input.sender.as_deref());
        let target = target(id, chat, sender, faults);
        Some(Self::Forward {
            target: target?,
            to: to?,
        })
    }

    /// The chat that it is sent to; faults where a message is not as it must be.
    pub fn recipient(&self) -> Result<Jid, Faults> {
        match self {
            Self::Send(request) => request.recipient(),
            Self::Edit { target, .. }
            | Self::EditEvent { target, .. }
            | Self::Revoke { target }
            | Self::React { target, .. }
            | Self::Vote { target, .. }
            | Self::Pin { target, .. }
            | Self::Respond { target, .. }
            | Self::Select { target, .. } => Ok(target.chat.clone()),
            Self::SetTimer { chat, .. } => Ok(chat.clone()),
            Self::Forward { to, .. } => Ok(to.clone()),
            Self::Status(_) => Ok(Jid::status()),
        }
    }

    /// The message that it is about, where it is about one.
    #[must_use]
    pub const fn target(&self) -> Option<&TargetMessage> {
        match self {
            Self::Send(_) | Self::Status(_) | Self::SetTimer { .. } => None,
            Self::Edit { target, .. }
            | Self::EditEvent { target, .. }
            | Self::Revoke { target }
            | Self::React { target, .. }
            | Self::Vote { target, .. }
            | Self::Pin { target, .. }
            | Self::Respond { target, .. }
            | Self::Select { target, .. }
            | Self::Forward { target, .. } => Some(target),
        }
    }

    /// Whether it puts something new before people, which the sending limits count.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        matches!(
            self,
            Self::Send(_) | Self::Status(_) | Self::Forward { .. } | Self::Select { .. }
        )
    }

    /// The request, where it is a message of its own.
    #[must_use]
    pub const fn request(&self) -> Option<&SendRequest> {
        match self {
            Self::Send(request) => Some(request),
            _ => None,
        }
    }
}

// Texts and numbers must not reach logs by `{:?}`.
impl std::fmt::Debug for SendTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Send(_) => "Send(…)",
            Self::Edit { .. } => "Edit(…)",
            Self::EditEvent { .. } => "EditEvent(…)",
            Self::Revoke { .. } => "Revoke(…)",
            Self::React { .. } => "React(…)",
            Self::Vote { .. } => "Vote(…)",
            Self::Pin { .. } => "Pin(…)",
            Self::Respond { .. } => "Respond(…)",
            Self::Select { .. } => "Select(…)",
            Self::SetTimer { .. } => "SetTimer(…)",
            Self::Status(_) => "Status(…)",
            Self::Forward { .. } => "Forward(…)",
        })
    }
}
