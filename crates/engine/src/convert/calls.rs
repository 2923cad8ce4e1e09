//! Calls.

use whatsapp_rust::wacore::types::call::{
    CallAction, CallEndedElsewhere, IncomingCall, MissedCall,
};

use super::identity::model_jid;
use super::text::message_id;
use crate::{Call, CallStage};

/// What a call stanza says; none for what devices arrange among themselves.
pub(crate) fn call(incoming: &IncomingCall) -> Option<Call> {
    let action = &incoming.action;
    let (stage, group, is_video) = match action {
        CallAction::Offer {
            group_jid,
            is_video,
            ..
        } => (CallStage::Offered, group_jid.as_ref(), *is_video),
        CallAction::OfferNotice { is_video, .. } => (CallStage::Offered, None, *is_video),
        CallAction::Accept { .. } => (CallStage::Accepted, None, false),
        CallAction::Reject { .. } => (CallStage::Rejected, None, false),
        CallAction::Terminate { .. } => (CallStage::Ended, None, false),
        _ => return None,
    };
    Some(Call {
        id: message_id(Some(action.call_id()))?,
        from: model_jid(action.call_creator()).or_else(|| model_jid(&incoming.from))?,
        group: group.and_then(model_jid),
        stage,
        is_video,
        timestamp_ms: incoming.timestamp.timestamp_millis(),
    })
}

/// A call that was not taken.
pub(crate) fn missed_call(missed: &MissedCall) -> Option<Call> {
    Some(Call {
        id: message_id(Some(&missed.call_id))?,
        from: model_jid(&missed.from)?,
        group: None,
        stage: CallStage::Missed,
        is_video: false,
        timestamp_ms: missed.timestamp.timestamp_millis(),
    })
}

/// A call that another device of this number took or refused.
pub(crate) fn ended_elsewhere(ended: &CallEndedElsewhere) -> Option<Call> {
    Some(Call {
        id: message_id(Some(&ended.call_id))?,
        from: model_jid(&ended.from)?,
        group: None,
        stage: CallStage::HandledElsewhere,
        is_video: false,
        timestamp_ms: ended.timestamp.timestamp_millis(),
    })
}
