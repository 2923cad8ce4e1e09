//! Choices among buttons and list rows.

use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::buttons_response_message::Response;
use whatsapp_rust::waproto::whatsapp::message::interactive_response_message::InteractiveResponseMessage as Flow;

use super::context::context;
use super::text::{clean, message_id, present};
use crate::InteractiveReply;

pub(super) fn interactive_reply(message: &wa::Message) -> Option<InteractiveReply> {
    let (kind, id, title) = chosen(message)?;
    let target_id = context(message).and_then(|context| message_id(context.stanza_id.as_deref()));
    Some(InteractiveReply {
        kind,
        id,
        title,
        target_id,
    })
}

fn chosen(message: &wa::Message) -> Option<(&'static str, String, Option<String>)> {
    if let Some(reply) = message.buttons_response_message.as_option() {
        let id = clean(reply.selected_button_id.as_deref().unwrap_or_default());
        let title = reply.response.as_ref().and_then(|response| {
            let Response::SelectedDisplayText(text) = response;
            present(Some(text))
        });
        return Some(("button", id, title));
    }
    if let Some(reply) = message.list_response_message.as_option() {
        let row = reply.single_select_reply.as_option();
        let id = row.and_then(|row| row.selected_row_id.as_deref());
        let title = present(reply.title.as_deref());
        return Some(("list", clean(id.unwrap_or_default()), title));
    }
    if let Some(reply) = message.template_button_reply_message.as_option() {
        let id = clean(reply.selected_id.as_deref().unwrap_or_default());
        let title = present(reply.selected_display_text.as_deref());
        return Some(("template", id, title));
    }
    let reply = message.interactive_response_message.as_option()?;
    let body = reply.body.as_option();
    let title = present(body.and_then(|body| body.text.as_deref()));
    let (name, parameters) = match &reply.interactive_response_message {
        Some(Flow::NativeFlowResponseMessage(flow)) => {
            (flow.name.as_deref(), flow.params_json.as_deref())
        }
        None => (None, None),
    };
    let id = parameters.and_then(chosen_in_flow);
    let id = id.unwrap_or_else(|| clean(name.unwrap_or_default()));
    Some(("flow", id, title))
}

/// A flow's answer is JSON that the button's author wrote; only its `id` is of interest.
fn chosen_in_flow(parameters: &str) -> Option<String> {
    let parameters: serde_json::Value = serde_json::from_str(parameters).ok()?;
    present(parameters.get("id").and_then(serde_json::Value::as_str))
}
