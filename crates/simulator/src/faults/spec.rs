//! A fault: what it is asked for with, and what becomes of it.

use serde::{Deserialize, Serialize};

/// The kinds of faults; see [`super`] for what each does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Ends sockets without a word.
    CloseSocket,
    /// Ends sockets with a stream error.
    StreamError,
    /// Ends sockets as if the device had logged in elsewhere.
    Replaced,
    /// Loses stanzas.
    Drop,
    /// Holds stanzas back.
    Delay,
    /// Sends stanzas twice.
    Duplicate,
    /// Slows connections down.
    Slow,
    /// Refuses messages.
    Nack,
    /// Gives companions no content of messages; the phone has it.
    Withhold,
    /// Refuses logins of a banned number.
    Ban,
    /// Refuses logins of an outdated client.
    ExpiredVersion,
    /// Refuses uploads of media.
    RefuseUpload,
    /// Lets the media host take its time.
    SlowMedia,
    /// Refuses downloads of media as if it were no longer there.
    MediaGone,
}

impl FaultKind {
    /// Whether the fault ends connections that are there.
    pub fn is_immediate(self) -> bool {
        matches!(
            self,
            Self::CloseSocket | Self::StreamError | Self::Replaced | Self::Ban
        )
    }
}

/// Which way a stanza goes, seen from the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the target.
    In,
    /// To the target.
    #[default]
    Out,
}

/// A fault as it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultSpec {
    /// What happens.
    pub kind: FaultKind,
    /// The number that it happens to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How often it happens at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// How often it does not happen before it does for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
    /// How likely it happens each time, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The tag of the stanzas that are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Which way the stanzas go that are meant.
    #[serde(default)]
    pub direction: Direction,
    /// The code of a stream error, nack or ban.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

impl FaultSpec {
    /// A fault of this kind for everybody, for good.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            target: None,
            count: None,
            after: None,
            probability: None,
            delay_ms: None,
            tag: None,
            direction: Direction::Out,
            code: None,
        }
    }

    /// Whether it strikes live sockets once, and never again.
    pub(super) fn is_over_at_once(&self) -> bool {
        self.kind.is_immediate() && self.kind != FaultKind::Ban && self.tag.is_none()
    }

    pub(super) fn is_for(&self, number: &str, tag: Option<&str>) -> bool {
        self.target.as_deref().is_none_or(|target| target == number)
            && match (self.tag.as_deref(), tag) {
                (None, _) => true,
                (Some(wanted), Some(tag)) => wanted == tag,
                (Some(_), None) => false,
            }
    }
}

/// A fault that is waiting to strike.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The fault's id.
    pub id: String,
    /// What was asked for.
    #[serde(flatten)]
    pub spec: FaultSpec,
    /// How often it has struck.
    pub struck: u32,
    /// How often it has let pass what it waits for.
    pub passed: u32,
}

/// Why a fault was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultError {
    /// The probability is not between 0 and 1.
    #[error("probability must be between 0 and 1")]
    Probability,
    /// A fault that takes time needs to know how much.
    #[error("delayMs is needed for this kind")]
    DelayMissing,
    /// A count of zero would never strike.
    #[error("count must be at least 1")]
    Count,
}
