//! Events, choices, pins, timers and live locations in the control API.

use waproto::whatsapp::message::event_response_message::EventResponseType;

use super::body::Body;
use crate::phone::{Action, Content, EventContent, OfferContent, OfferForm};

/// The kinds of messages that are read here.
pub(super) const KINDS: [&str; 4] = ["event", "offer", "timer", "live_location"];

/// The content of a message of one of these kinds; none where it is of another.
pub(super) fn content(body: &mut Body, kind: &str) -> Option<Content> {
    Some(match kind {
        "event" => Content::Event(event(body)),
        "offer" => Content::Offer(offer(body)),
        "timer" => {
            body.require("seconds");
            Content::Timer {
                seconds: body.integer("seconds").unwrap_or_default(),
            }
        }
        "live_location" => Content::LiveLocation {
            latitude: body.required_number("latitude"),
            longitude: body.required_number("longitude"),
            caption: body.string("caption"),
        },
        _ => return None,
    })
}

/// What is done to a message by one of these verbs; none where it is another.
pub(super) fn action(body: &mut Body, verb: &str) -> Option<Action> {
    Some(match verb {
        "pin" => Action::Pin(Some(body.integer("seconds").unwrap_or(604_800))),
        "unpin" => Action::Pin(None),
        "keep" => Action::Keep(body.boolean("kept").unwrap_or(true)),
        "respond" => {
            let response = match body.required_string("response").as_str() {
                "going" => EventResponseType::GOING,
                "not_going" => EventResponseType::NOT_GOING,
                "maybe" => EventResponseType::MAYBE,
                _ => body
                    .fault("response", "expected going, not_going or maybe")
                    .unwrap_or(EventResponseType::UNKNOWN),
            };
            Action::Respond(response, body.integer("extraGuests").unwrap_or(0))
        }
        "select" => Action::Select(body.required_string("selectedId")),
        "move" => Action::Move {
            latitude: body.required_number("latitude"),
            longitude: body.required_number("longitude"),
        },
        "edit-sealed" => Action::EditSealed(body.required_string("text")),
        "edit-event" => Action::EditEvent(event(body)),
        _ => return None,
    })
}

fn event(body: &mut Body) -> EventContent {
    body.require("startTime");
    EventContent {
        name: body.required_string("name"),
        description: body.string("description"),
        start_ms: body.integer("startTime").unwrap_or_default(),
        end_ms: body.integer("endTime"),
        has_guests: body.boolean("extraGuestsAllowed").unwrap_or(false),
        is_canceled: body.boolean("canceled").unwrap_or(false),
    }
}

fn offer(body: &mut Body) -> OfferContent {
    body.require("choices");
    let text = body.required_string("text");
    let mut choices = Vec::new();
    for mut choice in body.objects("choices").unwrap_or_default() {
        choices.push((
            choice.required_string("id"),
            choice.required_string("title"),
        ));
        body.absorb(choice);
    }
    if choices.is_empty() {
        body.fault::<()>("choices", "must not be empty");
    }
    let form = match body.string("form").as_deref() {
        None | Some("flow") => OfferForm::Flow,
        Some("plain") => OfferForm::Plain,
        Some("template") => OfferForm::Template,
        Some(_) => body
            .fault("form", "expected flow, plain or template")
            .unwrap_or(OfferForm::Flow),
    };
    OfferContent {
        text,
        footer: body.string("footer"),
        button_text: body.string("buttonText"),
        choices,
        form,
    }
}
