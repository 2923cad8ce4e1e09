//! What a message of a special kind says, as JSON.

use serde_json::{Map, Value, json};
use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::event_response_message::EventResponseType;
use waproto::whatsapp::message::interactive_response_message::InteractiveResponseMessage as Flow;

use super::describe::Described;
use super::special::choices;

/// Events, choices, pins, timers and live locations; none for other kinds.
pub(super) fn describe_special(message: &wa::Message) -> Option<Described> {
    let described = event(message)
        .or_else(|| mark(message))
        .or_else(|| offer(message))
        .or_else(|| selection(message));
    described.or_else(|| {
        let live = message.live_location_message.as_option()?;
        let details = json!({
            "latitude": live.degrees_latitude,
            "longitude": live.degrees_longitude,
            "sequence": live.sequence_number,
        });
        let body = live.caption.as_deref().unwrap_or_default();
        Some(Described::special("live_location", body, None, details))
    })
}

fn event(message: &wa::Message) -> Option<Described> {
    if let Some(response) = message.enc_event_response_message.as_option() {
        let target = id_of(response.event_creation_message_key.as_option());
        return Some(Described::special("event_response", "", target, json!({})));
    }
    let event = message.event_message.as_option()?;
    let place = event.location.as_option().map(|place| {
        json!({"name": place.name, "address": place.address,
            "latitude": place.degrees_latitude, "longitude": place.degrees_longitude})
    });
    let details = json!({
        "description": event.description,
        "startTime": event.start_time,
        "endTime": event.end_time,
        "joinLink": event.join_link,
        "location": place,
        "extraGuestsAllowed": event.extra_guests_allowed,
        "canceled": event.is_canceled,
        "hasSecret": message
            .message_context_info
            .as_option()
            .is_some_and(|context| context.message_secret.is_some()),
    });
    let name = event.name.as_deref().unwrap_or_default();
    Some(Described::special("event", name, None, details))
}

fn mark(message: &wa::Message) -> Option<Described> {
    use wa::message::pin_in_chat_message::Type;
    if let Some(pin) = message.pin_in_chat_message.as_option() {
        let context = message.message_context_info.as_option();
        let details = json!({
            "pinned": pin.r#type == Some(Type::PIN_FOR_ALL),
            "seconds": context.and_then(|context| context.message_add_on_duration_in_secs),
        });
        let target = id_of(pin.key.as_option());
        return Some(Described::special("pin", "", target, details));
    }
    if let Some(keep) = message.keep_in_chat_message.as_option() {
        let details = json!({"kept": keep.keep_type == Some(wa::KeepType::KEEP_FOR_ALL)});
        let target = id_of(keep.key.as_option());
        return Some(Described::special("keep", "", target, details));
    }
    let sealed = message.secret_encrypted_message.as_option()?;
    let target = id_of(sealed.target_message_key.as_option());
    Some(Described::special("sealed_edit", "", target, json!({})))
}

fn offer(message: &wa::Message) -> Option<Described> {
    let choices = choices(message);
    if choices.is_empty() {
        return None;
    }
    let template = message.template_message.as_option();
    let hydrated = template.and_then(|template| template.hydrated_template.as_option());
    let interactive = message.interactive_message.as_option();
    let (form, text) = if let Some(buttons) = message.buttons_message.as_option() {
        ("buttons", buttons.content_text.as_deref())
    } else if let Some(list) = message.list_message.as_option() {
        ("list", list.description.as_deref())
    } else if let Some(hydrated) = hydrated {
        ("template", hydrated.hydrated_content_text.as_deref())
    } else {
        let body = interactive.and_then(|interactive| interactive.body.as_option());
        ("flow", body.and_then(|body| body.text.as_deref()))
    };
    let choices: Vec<_> = choices
        .into_iter()
        .map(|(id, title)| json!({"id": id, "title": title}))
        .collect();
    let details = json!({"form": form, "choices": choices});
    let text = text.unwrap_or_default();
    Some(Described::special("offer", text, None, details))
}

fn selection(message: &wa::Message) -> Option<Described> {
    use wa::message::buttons_response_message::Response;
    let (id, title, context) = if let Some(reply) = message.buttons_response_message.as_option() {
        let title = reply.response.as_ref().map(|response| {
            let Response::SelectedDisplayText(text) = response;
            text.clone()
        });
        (reply.selected_button_id.clone(), title, &reply.context_info)
    } else if let Some(reply) = message.list_response_message.as_option() {
        let row = reply.single_select_reply.as_option();
        let id = row.and_then(|row| row.selected_row_id.clone());
        (id, reply.title.clone(), &reply.context_info)
    } else if let Some(reply) = message.template_button_reply_message.as_option() {
        let title = reply.selected_display_text.clone();
        (reply.selected_id.clone(), title, &reply.context_info)
    } else {
        let reply = message.interactive_response_message.as_option()?;
        let parameters = reply
            .interactive_response_message
            .as_ref()
            .and_then(|flow| {
                let Flow::NativeFlowResponseMessage(flow) = flow;
                flow.params_json.as_deref()
            });
        let parameters: Value =
            serde_json::from_str(parameters.unwrap_or_default()).unwrap_or_default();
        let body = reply.body.as_option();
        let title = body.and_then(|body| body.text.clone());
        let id = parameters["id"].as_str().map(str::to_owned);
        (id, title, &reply.context_info)
    };
    let target = context
        .as_option()
        .and_then(|context| context.stanza_id.clone());
    let details = json!({"selectedId": id});
    let title = title.unwrap_or_default();
    Some(Described::special("selection", &title, target, details))
}

fn id_of(key: Option<&wa::MessageKey>) -> Option<String> {
    key.and_then(|key| key.id.clone())
}

/// Adds after how many seconds a message disappears, where it does.
pub(super) fn with_expiration(details: Option<Value>, message: &wa::Message) -> Option<Value> {
    let Some(seconds) = message.get_ephemeral_expiration() else {
        return details;
    };
    let mut members = match details {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    members.insert("expiresIn".to_owned(), json!(seconds));
    Some(Value::Object(members))
}

/// A decrypted answer to an event.
pub(crate) fn answer_details(answer: &wa::message::EventResponseMessage) -> Value {
    let response = match answer.response {
        Some(EventResponseType::GOING) => "going",
        Some(EventResponseType::NOT_GOING) => "not_going",
        Some(EventResponseType::MAYBE) => "maybe",
        _ => "unknown",
    };
    json!({"response": response, "extraGuests": answer.extra_guest_count.unwrap_or(0)})
}
