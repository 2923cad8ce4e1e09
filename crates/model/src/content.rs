//! What messages say that the contract has no shape for: events with answers, and choices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{LocationData, hide_contents};

/// Where an event takes place.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventPlace {
    /// The address, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub address: Option<String>,
    /// Degrees north, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// The place's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub name: Option<String>,
}

/// An event that the members of a chat are invited to.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventData {
    /// The link of the call that it is held as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_link: Option<String>,
    /// Whether it was called off.
    pub canceled: bool,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it ends, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
    /// Whether who comes may bring others.
    pub extra_guests_allowed: bool,
    /// Where it takes place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<EventPlace>,
    /// What it is called.
    pub name: String,
    /// When it begins, in milliseconds since 1970.
    pub start_time: i64,
}

/// Whether somebody comes to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventAnswer {
    /// Comes.
    Going,
    /// Does not come.
    NotGoing,
    /// May come.
    Maybe,
}

impl EventAnswer {
    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Going => "going",
            Self::NotGoing => "not_going",
            Self::Maybe => "maybe",
        }
    }
}

impl std::str::FromStr for EventAnswer {
    type Err = UnknownEventAnswer;

    fn from_str(text: &str) -> Result<Self, UnknownEventAnswer> {
        [Self::Going, Self::NotGoing, Self::Maybe]
            .into_iter()
            .find(|answer| answer.as_str() == text)
            .ok_or(UnknownEventAnswer)
    }
}

/// The text names no answer to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown answer to an event")]
pub struct UnknownEventAnswer;

/// What somebody answers to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventResponse {
    /// How many others come along.
    pub extra_guests: i64,
    /// Whether the person comes.
    pub response: EventAnswer,
}

/// Somebody's last answer to an event.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventResponder {
    /// When, in milliseconds since 1970.
    pub answered_at: i64,
    /// How many others come along.
    pub extra_guests: i64,
    /// Who answered, by LID where known.
    pub jid: String,
    /// The name that the person shows, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the person comes.
    pub response: EventAnswer,
}

/// A button, or a row of a list, that whoever reads the message can choose.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// More about it, for rows of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the author of the message knows it by.
    pub id: String,
    /// The text on it.
    pub title: String,
}

/// What is kept of a message beside its text and its file, and shown with it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageDetails {
    /// What can be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Choice>>,
    /// The event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventData>,
    /// The place; of a live location, where it was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationData>,
    /// What was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_id: Option<String>,
}

impl MessageDetails {
    /// Whether there is nothing to keep.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.choices.is_none()
            && self.event.is_none()
            && self.location.is_none()
            && self.selected_id.is_none()
    }
}

// What people write, and who they are, must not reach logs by `{:?}`.
hide_contents!(
    EventPlace,
    EventData,
    EventResponder,
    Choice,
    MessageDetails
);
