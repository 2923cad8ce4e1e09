//! Content that has no shape of its own here.

use whatsapp_rust::waproto::whatsapp as wa;

/// The protocol's name of content that is not understood; none where there is
/// no content for people at all, such as keys that clients exchange.
pub(super) fn kind(message: &wa::Message) -> Option<&'static str> {
    macro_rules! first_of {
        ($($field:ident),+ $(,)?) => {
            $(if message.$field.is_set() {
                return Some(stringify!($field));
            })+
        };
    }
    first_of!(
        album_message,
        event_message,
        event_invite_message,
        enc_event_response_message,
        group_invite_message,
        newsletter_admin_invite_message,
        newsletter_follower_invite_message_v2,
        product_message,
        order_message,
        invoice_message,
        send_payment_message,
        request_payment_message,
        decline_payment_request_message,
        cancel_payment_request_message,
        payment_invite_message,
        payment_reminder_message,
        split_payment_message,
        sticker_pack_message,
        scheduled_call_creation_message,
        scheduled_call_edit_message,
        call_log_messsage,
        bcall_message,
        call,
        request_phone_number_message,
        comment_message,
        enc_comment_message,
        enc_reaction_message,
        secret_encrypted_message,
        keep_in_chat_message,
        pin_in_chat_message,
        poll_result_snapshot_message,
        poll_result_snapshot_message_v3,
        poll_add_option_message,
        placeholder_message,
        rich_response_message,
        status_notification_message,
        status_question_answer_message,
        question_response_message,
        status_quoted_message,
        status_sticker_interaction_message,
        conditional_reveal_message,
        highly_structured_message,
        location_message,
        live_location_message,
        template_message,
        interactive_message,
        list_message,
        buttons_message,
    );
    None
}
