//! The event envelope: the same bytes in webhooks, on sockets and in pulls.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{EventId, Faults, OrganizationId, SessionId};

/// The version of the envelope.
pub const EVENT_SCHEMA: &str = "v1";

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl EventKind {
            /// Every kind of event.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used on the wire and in the store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

event_kinds! {
    /// A session's status changed.
    SessionStatus = "session.status",
    /// A new QR code is to be shown.
    AuthQr = "auth.qr",
    /// Pairing succeeded.
    AuthCode = "auth.code",
    /// A message came in.
    Message = "message",
    /// A message went out, from here or from another device of the number.
    MessageFromMe = "message.from_me",
    /// An outgoing message made progress.
    MessageStatus = "message.status",
    /// Somebody reacted to a message.
    MessageReaction = "message.reaction",
    /// A message's text was changed.
    MessageEdited = "message.edited",
    /// A message was deleted for everyone.
    MessageRevoked = "message.revoked",
    /// Somebody pressed a button, chose from a list, or answered to an event.
    MessageInteractiveReply = "message.interactive_reply",
    /// Somebody voted in a poll.
    PollVote = "poll.vote",
    /// A timed poll closed.
    PollRecap = "poll.recap",
    /// Somebody came online, went offline, types or records.
    PresenceUpdate = "presence.update",
    /// A group's settings changed.
    GroupUpdate = "group.update",
    /// A group's members changed.
    GroupParticipant = "group.participant",
    /// A chat's picture changed.
    ChatUpdate = "chat.update",
    /// A contact's name changed.
    ContactUpdate = "contact.update",
    /// Somebody calls.
    CallIncoming = "call.incoming",
    /// A channel was joined, left or muted.
    NewsletterUpdate = "newsletter.update",
    /// A stored attachment is available.
    MediaReady = "media.ready",
    /// A stored attachment is gone.
    MediaExpired = "media.expired",
}

impl utoipa::PartialSchema for EventKind {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(Self::ALL.iter().map(|kind| kind.as_str())))
            .description(Some("What happened."))
            .into()
    }
}

// Written by hand: the derive does not see the names that the macro above gives.
impl ToSchema for EventKind {}

impl std::str::FromStr for EventKind {
    type Err = UnknownEventKind;

    fn from_str(text: &str) -> Result<Self, UnknownEventKind> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownEventKind)
    }
}

/// The text names no kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the name of an event; use \"*\" for all")]
pub struct UnknownEventKind;

/// Which kinds of events somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSelector {
    /// All of them (`*`).
    All,
    /// These; none when empty.
    Only(Vec<EventKind>),
}

impl EventSelector {
    /// Reads a list of names, in which `*` stands for all and a name counts once; gives the
    /// indexes of wrong ones.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, Vec<usize>> {
        let mut kinds = Vec::new();
        let mut wrong = Vec::new();
        let mut wants_all = false;
        for (index, name) in names.iter().enumerate() {
            match name.as_ref() {
                "*" => wants_all = true,
                name => match name.parse() {
                    Ok(kind) if kinds.contains(&kind) => {}
                    Ok(kind) => kinds.push(kind),
                    Err(UnknownEventKind) => wrong.push(index),
                },
            }
        }
        match (wrong.is_empty(), wants_all) {
            (false, _) => Err(wrong),
            (true, true) => Ok(Self::All),
            (true, false) => Ok(Self::Only(kinds)),
        }
    }

    /// Reads a list of names in a request; notes its faults.
    pub fn check(field: &str, names: &[String], faults: &mut Faults) -> Option<Self> {
        if names.len() > limits::EVENT_NAMES {
            faults.add(
                field,
                format!("must have at most {} entries", limits::EVENT_NAMES),
            );
            return None;
        }
        match Self::parse(names) {
            Ok(selector) => Some(selector),
            Err(wrong) => {
                for index in wrong {
                    faults.add(format!("{field}[{index}]"), UnknownEventKind.to_string());
                }
                None
            }
        }
    }

    /// Reads a list that was accepted before; names that are unknown by now mean nothing.
    #[must_use]
    pub fn of_known<S: AsRef<str>>(names: &[S]) -> Self {
        let mut known: Vec<_> = names.iter().map(AsRef::as_ref).collect();
        known.retain(|name| *name == "*" || name.parse::<EventKind>().is_ok());
        Self::parse(&known).unwrap_or(Self::Only(Vec::new()))
    }

    /// The shortest list of names that says the same, in the order in which they were given.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::All => vec!["*".to_owned()],
            Self::Only(kinds) => kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        }
    }

    /// Whether a kind is wanted.
    #[must_use]
    pub fn wants(&self, kind: EventKind) -> bool {
        match self {
            Self::All => true,
            Self::Only(kinds) => kinds.contains(&kind),
        }
    }
}

/// One event; `payload` is kept as the JSON that was stored, so that every copy has the same bytes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventEnvelope {
    /// The version of the envelope, `v1`.
    pub schema: String,
    /// The event's id; ids sort in the order of the organization's events.
    pub id: EventId,
    /// What happened.
    pub event: EventKind,
    /// The session.
    pub session: SessionId,
    /// The organization.
    pub organization: OrganizationId,
    /// When it was emitted, in milliseconds since 1970.
    pub timestamp: i64,
    /// What it says; the shape depends on `event`.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
}

/// One page of events, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListEvent {
    /// The events.
    pub data: Vec<EventEnvelope>,
    /// The id to pass as `after` next time; absent when nothing is newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_json_and_text() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
    }

    #[test]
    fn wrong_names_are_pointed_at() {
        assert_eq!(
            EventSelector::parse(&["message", "x", "*", ""]),
            Err(vec![1, 3])
        );
        assert_eq!(
            EventSelector::parse(&["message", "*"]),
            Ok(EventSelector::All)
        );
        assert_eq!(
            EventSelector::parse(&["message", "auth.qr", "message"])
                .unwrap()
                .names(),
            ["message", "auth.qr"]
        );
        assert_eq!(
            EventSelector::of_known(&["message", "of an older version"]),
            EventSelector::Only(vec![EventKind::Message])
        );
        assert!(
            !EventSelector::parse::<&str>(&[])
                .unwrap()
                .wants(EventKind::Message)
        );
    }
}
