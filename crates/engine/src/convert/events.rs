//! Events with answers.

use wagate_model::{EventAnswer, EventData, EventPlace, EventResponse};
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::event_response_message::EventResponseType;

use super::polls::end_time_ms;
use super::text::{clean, present};

/// More others than that are brought along by nobody.
const GUESTS_MAX: i64 = 1_000_000;

/// The event that a message invites to.
pub(super) fn event(message: &wa::Message) -> Option<EventData> {
    let event = message.event_message.as_option()?;
    Some(EventData {
        call_link: present(event.join_link.as_deref()),
        canceled: event.is_canceled == Some(true),
        description: present(event.description.as_deref()),
        end_time: event.end_time.and_then(end_time_ms),
        extra_guests_allowed: event.extra_guests_allowed == Some(true),
        location: event.location.as_option().and_then(place),
        name: clean(event.name.as_deref().unwrap_or_default()),
        start_time: event.start_time.and_then(end_time_ms).unwrap_or(0),
    })
}

fn place(place: &wa::message::LocationMessage) -> Option<EventPlace> {
    let degrees = |value: Option<f64>, most: f64| value.filter(|value| value.abs() <= most);
    let place = EventPlace {
        address: present(place.address.as_deref()),
        latitude: degrees(place.degrees_latitude, 90.0),
        longitude: degrees(place.degrees_longitude, 180.0),
        name: present(place.name.as_deref()),
    };
    (place != EventPlace::default()).then_some(place)
}

/// A decrypted answer; none where it says nothing that is known.
pub(crate) fn event_response(
    response: &wa::message::EventResponseMessage,
) -> Option<EventResponse> {
    let guests = i64::from(response.extra_guest_count.unwrap_or(0));
    Some(EventResponse {
        extra_guests: guests.clamp(0, GUESTS_MAX),
        response: match response.response? {
            EventResponseType::GOING => EventAnswer::Going,
            EventResponseType::NOT_GOING => EventAnswer::NotGoing,
            EventResponseType::MAYBE => EventAnswer::Maybe,
            EventResponseType::UNKNOWN => return None,
        },
    })
}

/// An answer, to be encrypted.
pub(crate) fn response_message(
    response: EventResponse,
    now_ms: i64,
) -> wa::message::EventResponseMessage {
    let guests = i32::try_from(response.extra_guests).ok();
    wa::message::EventResponseMessage {
        response: Some(match response.response {
            EventAnswer::Going => EventResponseType::GOING,
            EventAnswer::NotGoing => EventResponseType::NOT_GOING,
            EventAnswer::Maybe => EventResponseType::MAYBE,
        }),
        timestamp_ms: Some(now_ms),
        extra_guest_count: guests.filter(|guests| *guests > 0),
    }
}

/// An event to send.
pub(super) fn event_message(
    event: &EventData,
    secret: &[u8; 32],
    context: Option<wa::ContextInfo>,
) -> wa::Message {
    wa::Message {
        event_message: MessageField::some(event_field(event, context)),
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: Some(secret.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A change of the event that a key names, to be encrypted.
pub(crate) fn event_edit_message(
    key: wa::MessageKey,
    event: &EventData,
    now_ms: i64,
) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: MessageField::some(key),
            r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
            edited_message: MessageField::some(wa::Message {
                event_message: MessageField::some(event_field(event, None)),
                ..Default::default()
            }),
            timestamp_ms: Some(now_ms),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The protocol's form of an event; times are in seconds (Baileys writes them so too).
fn event_field(event: &EventData, context: Option<wa::ContextInfo>) -> wa::message::EventMessage {
    let location = event
        .location
        .as_ref()
        .map(|place| wa::message::LocationMessage {
            degrees_latitude: place.latitude,
            degrees_longitude: place.longitude,
            name: place.name.clone(),
            address: place.address.clone(),
            ..Default::default()
        });
    wa::message::EventMessage {
        context_info: context.into(),
        is_canceled: Some(event.canceled),
        name: Some(event.name.clone()),
        description: event.description.clone(),
        location: location.into(),
        join_link: event.call_link.clone(),
        start_time: Some(event.start_time.div_euclid(1_000)),
        end_time: event.end_time.map(|end| end.div_euclid(1_000)),
        extra_guests_allowed: Some(event.extra_guests_allowed),
        is_schedule_call: Some(event.call_link.is_some()),
        ..Default::default()
    }
}
