//! Calls that a phone makes and gets: signalling only, nobody speaks.

use serde::Serialize;

use crate::phone::actor::Command;
use crate::phone::error::PhoneError;
use crate::phone::handle::Phone;

/// Calls that a phone remembers; older ones go.
pub(crate) const MAX_CALLS: usize = 200;

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// It rings.
    Ringing,
    /// It was taken.
    Accepted,
    /// It was refused.
    Rejected,
    /// It is over.
    Ended,
}

/// A call, as one of the phones knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneCall {
    /// Its id.
    pub id: String,
    /// The other side.
    pub peer: String,
    /// Whether the other side calls.
    pub incoming: bool,
    /// Whether it is a video call.
    pub video: bool,
    /// How far it has come.
    pub state: CallState,
    /// Why it is over, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What is done about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallAction {
    /// Take one that rings here.
    Accept,
    /// Refuse one that rings here.
    Reject,
    /// End one, with a reason such as `timeout`.
    End(Option<String>),
}

impl Phone {
    /// Calls somebody; gives the call's id while it rings there.
    pub async fn call(&self, to: &str, is_video: bool) -> Result<String, PhoneError> {
        let to = to.to_owned();
        self.ask(|reply| Command::Call {
            to,
            is_video,
            reply,
        })
        .await?
    }

    /// Does something about a call.
    pub async fn act_on_call(&self, id: &str, action: CallAction) -> Result<(), PhoneError> {
        let id = id.to_owned();
        self.ask(|reply| Command::ActOnCall { id, action, reply })
            .await?
    }

    /// The calls that the phone remembers, oldest first; none after it was started anew.
    pub fn calls(&self) -> Vec<PhoneCall> {
        self.shared.calls().iter().cloned().collect()
    }
}
