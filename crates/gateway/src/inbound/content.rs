//! What is kept of a message beside its columns: what later ones refer to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wagate_engine::{Content, InboundMessage};
use wagate_model::PollData;

/// Messages whose protocol form is larger are kept without it: a quote of them bears their text.
const MAX_RAW_BYTES: usize = 64 * 1024;

#[derive(Default, Serialize, Deserialize)]
struct StoredContent {
    /// The protocol form in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    /// The poll, for the texts of its votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    poll: Option<PollData>,
}

/// What is kept of a message; nothing where there is nothing.
pub(crate) fn stored_content(message: &InboundMessage) -> Option<Value> {
    let fits = !message.raw.is_empty() && message.raw.len() <= MAX_RAW_BYTES;
    let kept = StoredContent {
        raw: fits.then(|| STANDARD.encode(&message.raw)),
        poll: match &message.content {
            Content::Poll(poll) => Some(poll.clone()),
            _ => None,
        },
    };
    if kept.raw.is_none() && kept.poll.is_none() {
        return None;
    }
    serde_json::to_value(kept).ok()
}

/// The poll that was kept.
pub(crate) fn poll_of(content: &Value) -> Option<PollData> {
    StoredContent::deserialize(content).ok()?.poll
}

/// The protocol form that was kept.
pub(crate) fn raw_of(content: &Value) -> Option<Bytes> {
    let raw = StoredContent::deserialize(content).ok()?.raw?;
    STANDARD.decode(raw).ok().map(Bytes::from)
}
