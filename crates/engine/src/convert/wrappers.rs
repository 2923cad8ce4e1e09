//! Messages within messages.

use whatsapp_rust::waproto::whatsapp as wa;

/// How deep wrappers are followed; real ones are nested three deep at most.
const DEPTH_MAX: usize = 12;

/// A message freed of its wrappers, and what they said.
#[derive(Clone, Copy)]
pub(super) struct Unwrapped<'a> {
    pub(super) message: &'a wa::Message,
    pub(super) is_view_once: bool,
}

pub(super) fn unwrap(outer: &wa::Message) -> Unwrapped<'_> {
    let mut unwrapped = Unwrapped {
        message: outer,
        is_view_once: false,
    };
    for _ in 0..DEPTH_MAX {
        let Some((inner, is_view_once)) = inner(unwrapped.message) else {
            break;
        };
        unwrapped.message = inner;
        unwrapped.is_view_once |= is_view_once;
    }
    unwrapped.is_view_once |= is_marked_view_once(unwrapped.message);
    unwrapped
}

/// The message directly within a wrapper, and whether the wrapper means "view once".
fn inner(outer: &wa::Message) -> Option<(&wa::Message, bool)> {
    if let Some(sent) = outer.device_sent_message.as_option() {
        return sent.message.as_option().map(|inner| (inner, false));
    }
    macro_rules! first_of {
        ($is_view_once:literal: $($field:ident),+) => {
            $(if let Some(wrapper) = outer.$field.as_option()
                && let Some(inner) = wrapper.message.as_option()
            {
                return Some((inner, $is_view_once));
            })+
        };
    }
    first_of!(true: view_once_message, view_once_message_v2, view_once_message_v2_extension);
    first_of!(
        false: ephemeral_message,
        document_with_caption_message,
        edited_message,
        group_mentioned_message,
        bot_invoke_message,
        bot_task_message,
        bot_forwarded_message,
        lottie_sticker_message,
        associated_child_message,
        poll_creation_option_image_message,
        poll_creation_message_v4,
        status_mention_message,
        group_status_mention_message,
        status_add_yours,
        group_status_message,
        group_status_message_v2,
        limit_sharing_message,
        question_message,
        question_reply_message,
        spoiler_message,
        newsletter_admin_profile_message,
        newsletter_admin_profile_message_v2,
        newsletter_admin_profile_status_message
    );
    None
}

fn is_marked_view_once(message: &wa::Message) -> bool {
    let image = message.image_message.as_option().and_then(|m| m.view_once);
    let video = message.video_message.as_option().and_then(|m| m.view_once);
    let audio = message.audio_message.as_option().and_then(|m| m.view_once);
    [image, video, audio].contains(&Some(true))
}
