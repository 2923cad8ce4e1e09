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
    let stage = match action {
        CallAction::Offer { .. } | CallAction::OfferNotice { .. } => CallStage::Offered,
        CallAction::Accept { .. } => CallStage::Accepted,
        CallAction::Reject { .. } => CallStage::Rejected,
        CallAction::Terminate { .. } => CallStage::Ended,
        _ => return None,
    };
    let (group, is_group, is_video) = match action {
        CallAction::Offer {
            group_jid,
            is_video,
            ..
        } => {
            let is_group = group_jid.is_some() || incoming.group.is_some();
            (group_jid.as_ref(), is_group, *is_video)
        }
        // A notice does not say which group's.
        CallAction::OfferNotice {
            is_group, is_video, ..
        } => (None, *is_group, *is_video),
        _ => (None, false, false),
    };
    Some(Call {
        id: message_id(Some(action.call_id()))?,
        from: model_jid(action.call_creator()).or_else(|| model_jid(&incoming.from))?,
        is_group,
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
        is_group: false,
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
        is_group: false,
        group: None,
        stage: CallStage::HandledElsewhere,
        is_video: false,
        timestamp_ms: ended.timestamp.timestamp_millis(),
    })
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::Jid;
    use whatsapp_rust::wacore::chrono::DateTime;

    use super::*;

    fn incoming(action: CallAction) -> IncomingCall {
        IncomingCall::builder()
            .from(Jid::pn("15551234567"))
            .stanza_id("S1".to_owned())
            .timestamp(DateTime::UNIX_EPOCH)
            .offline(false)
            .action(action)
            .build()
    }

    #[test]
    fn a_notice_says_whether_a_group_is_called() {
        for is_group in [true, false] {
            let action = CallAction::OfferNotice {
                call_id: "C1".to_owned(),
                call_creator: Jid::pn("15551234567"),
                is_video: true,
                is_group,
            };
            let told = call(&incoming(action)).unwrap();
            assert_eq!((told.is_group, told.group), (is_group, None));
            assert_eq!((told.stage, told.is_video), (CallStage::Offered, true));
        }
    }
}
