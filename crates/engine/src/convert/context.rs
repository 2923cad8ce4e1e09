//! What a message says about itself: whom it answers, mentions and outlives.

use wagate_model::Jid;
use whatsapp_rust::waproto::whatsapp as wa;

use super::content::content_text;
use super::identity::{Own, parsed_jid};
use super::text::{QUOTED_MAX_BYTES, clean, cut, message_id};
use super::wrappers::unwrap;
use crate::QuotedMessage;

/// More mentions than a group has members are not kept.
const MENTIONS_MAX: usize = 1_024;

/// Gives a macro the fields of a message that have a context.
macro_rules! fields_with_context {
    ($then:ident) => {
        $then!(
            extended_text_message,
            image_message,
            video_message,
            ptv_message,
            audio_message,
            document_message,
            sticker_message,
            location_message,
            live_location_message,
            contact_message,
            contacts_array_message,
            buttons_message,
            buttons_response_message,
            list_message,
            list_response_message,
            template_message,
            template_button_reply_message,
            interactive_message,
            interactive_response_message,
            poll_creation_message,
            poll_creation_message_v2,
            poll_creation_message_v3,
            poll_creation_message_v5,
            poll_creation_message_v6,
            product_message,
            order_message,
            group_invite_message,
            event_message,
            sticker_pack_message,
            newsletter_admin_invite_message,
            album_message,
        )
    };
}

/// The context of a message that has been freed of its wrappers.
pub(super) fn context(message: &wa::Message) -> Option<&wa::ContextInfo> {
    macro_rules! first_of {
        ($($field:ident),+ $(,)?) => {
            $(if let Some(part) = message.$field.as_option()
                && let Some(context) = part.context_info.as_option()
            {
                return Some(context);
            })+
        };
    }
    fields_with_context!(first_of);
    None
}

/// The context of a message that has been freed of its wrappers, to be changed.
pub(super) fn context_mut(message: &mut wa::Message) -> Option<&mut wa::ContextInfo> {
    macro_rules! first_of {
        ($($field:ident),+ $(,)?) => {
            $(if message.$field.as_option().is_some_and(|part| part.context_info.is_set()) {
                return message.$field.as_option_mut()?.context_info.as_option_mut();
            })+
        };
    }
    fields_with_context!(first_of);
    None
}

pub(super) fn mentions(context: &wa::ContextInfo) -> Vec<Jid> {
    let mut mentions: Vec<Jid> = Vec::new();
    for text in context.mentioned_jid.iter().take(MENTIONS_MAX) {
        if let Some(jid) = parsed_jid(Some(text))
            && !mentions.contains(&jid)
        {
            mentions.push(jid);
        }
    }
    mentions
}

pub(super) fn quoted(context: &wa::ContextInfo, own: &Own) -> Option<QuotedMessage> {
    let id = message_id(context.stanza_id.as_deref())?;
    let sender = parsed_jid(context.participant.as_deref());
    let from_me = sender.as_ref().map(|sender| own.is(sender));
    let body = context
        .quoted_message
        .as_option()
        .and_then(|quoted| content_text(unwrap(quoted).message))
        .map(|body| clean(cut(&body, QUOTED_MAX_BYTES)));
    Some(QuotedMessage {
        id,
        sender,
        from_me,
        body,
    })
}

pub(super) fn is_forwarded(context: &wa::ContextInfo) -> bool {
    context.is_forwarded == Some(true) || context.forwarding_score.unwrap_or(0) > 0
}
