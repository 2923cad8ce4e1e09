//! Events, choices, pins, timers and live locations.

use serde_json::json;
use wacore::secret_enc_addon::ModificationType;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::event_response_message::EventResponseType;
use waproto::whatsapp::message::interactive_message::{
    Body, Footer, InteractiveMessage as Flow, NativeFlowMessage,
    native_flow_message::NativeFlowButton,
};
use waproto::whatsapp::message::interactive_response_message::{
    Body as AnswerBody, InteractiveResponseMessage as FlowAnswer, NativeFlowResponseMessage,
};

/// An event that a phone sends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventContent {
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// When it begins, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// When it ends, in milliseconds since the Unix epoch.
    pub end_ms: Option<i64>,
    /// Whether others may be brought along.
    pub has_guests: bool,
    /// Whether it was called off.
    pub is_canceled: bool,
}

/// A message that offers a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferContent {
    /// The text.
    pub text: String,
    /// The small text below it.
    pub footer: Option<String>,
    /// The text that opens the list; none for buttons.
    pub button_text: Option<String>,
    /// What can be chosen, as id and title.
    pub choices: Vec<(String, String)>,
    /// How it is written.
    pub form: OfferForm,
}

/// How a message that offers a choice is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferForm {
    /// As today: a native flow.
    Flow,
    /// As earlier clients did: a message of its own kind.
    Plain,
    /// As businesses do: a template; for buttons only.
    Template,
}

/// What a phone does to a message, beyond reactions, edits and deletions.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Pins it for so many seconds, or unpins it.
    Pin(Option<u32>),
    /// Keeps it though it would disappear, or no longer.
    Keep(bool),
    /// Answers to an event, with so many others.
    Respond(EventResponseType, i32),
    /// Chooses what it offers, by the id.
    Select(String),
    /// Moves an own live location.
    Move {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
    },
    /// Gives an own text another one, in the form that is encrypted with the text's secret.
    EditSealed(String),
    /// Changes an own event.
    EditEvent(EventContent),
}

/// The protocol's form of an event; times are in seconds.
pub(crate) fn event_message(event: &EventContent, context: Option<wa::ContextInfo>) -> wa::Message {
    wa::Message {
        event_message: MessageField::some(wa::message::EventMessage {
            name: Some(event.name.clone()),
            description: event.description.clone(),
            start_time: Some(event.start_ms.div_euclid(1_000)),
            end_time: event.end_ms.map(|end| end.div_euclid(1_000)),
            extra_guests_allowed: Some(event.has_guests),
            is_canceled: Some(event.is_canceled),
            context_info: context.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The protocol's form of an offer.
pub(crate) fn offer_message(offer: &OfferContent, context: Option<wa::ContextInfo>) -> wa::Message {
    match (offer.form, &offer.button_text) {
        (OfferForm::Flow, _) => flow_message(offer, context),
        (OfferForm::Plain, Some(button_text)) => wa::Message {
            list_message: MessageField::some(wa::message::ListMessage {
                description: Some(offer.text.clone()),
                button_text: Some(button_text.clone()),
                list_type: Some(wa::message::list_message::ListType::SINGLE_SELECT),
                footer_text: offer.footer.clone(),
                sections: vec![wa::message::list_message::Section {
                    title: None,
                    rows: offer
                        .choices
                        .iter()
                        .map(|(id, title)| wa::message::list_message::Row {
                            title: Some(title.clone()),
                            row_id: Some(id.clone()),
                            ..Default::default()
                        })
                        .collect(),
                }],
                context_info: context.into(),
                ..Default::default()
            }),
            ..Default::default()
        },
        (OfferForm::Plain, None) => wa::Message {
            buttons_message: MessageField::some(wa::message::ButtonsMessage {
                content_text: Some(offer.text.clone()),
                footer_text: offer.footer.clone(),
                buttons: offer
                    .choices
                    .iter()
                    .map(|(id, title)| wa::message::buttons_message::Button {
                        button_id: Some(id.clone()),
                        button_text: MessageField::some(
                            wa::message::buttons_message::button::ButtonText {
                                display_text: Some(title.clone()),
                            },
                        ),
                        r#type: Some(wa::message::buttons_message::button::Type::RESPONSE),
                        ..Default::default()
                    })
                    .collect(),
                context_info: context.into(),
                ..Default::default()
            }),
            ..Default::default()
        },
        (OfferForm::Template, _) => template_message(offer, context),
    }
}

fn template_message(offer: &OfferContent, context: Option<wa::ContextInfo>) -> wa::Message {
    use waproto::whatsapp::hydrated_template_button::{HydratedButton, HydratedQuickReplyButton};
    let template = wa::message::template_message::HydratedFourRowTemplate {
        hydrated_content_text: Some(offer.text.clone()),
        hydrated_footer_text: offer.footer.clone(),
        hydrated_buttons: offer
            .choices
            .iter()
            .zip(1..)
            .map(|((id, title), index)| wa::HydratedTemplateButton {
                index: Some(index),
                hydrated_button: Some(HydratedButton::QuickReplyButton(Box::new(
                    HydratedQuickReplyButton {
                        display_text: Some(title.clone()),
                        id: Some(id.clone()),
                    },
                ))),
            })
            .collect(),
        ..Default::default()
    };
    wa::Message {
        template_message: MessageField::some(wa::message::TemplateMessage {
            hydrated_template: MessageField::some(template),
            context_info: context.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn flow_message(offer: &OfferContent, context: Option<wa::ContextInfo>) -> wa::Message {
    let choices = offer.choices.iter();
    let buttons = match &offer.button_text {
        None => choices
            .map(|(id, title)| {
                flow_button("quick_reply", &json!({"display_text": title, "id": id}))
            })
            .collect(),
        Some(title) => {
            let rows: Vec<_> = choices
                .map(|(id, title)| json!({"title": title, "id": id}))
                .collect();
            let list = json!({"title": title, "sections": [{"title": "", "rows": rows}]});
            vec![flow_button("single_select", &list)]
        }
    };
    let footer = offer.footer.as_ref().map(|footer| Footer {
        text: Some(footer.clone()),
        ..Default::default()
    });
    wa::Message {
        interactive_message: MessageField::some(wa::message::InteractiveMessage {
            body: MessageField::some(Body {
                text: Some(offer.text.clone()),
            }),
            footer: footer.into(),
            context_info: context.into(),
            interactive_message: Some(Flow::NativeFlowMessage(Box::new(NativeFlowMessage {
                buttons,
                message_params_json: None,
                message_version: Some(1),
            }))),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn flow_button(name: &str, parameters: &serde_json::Value) -> NativeFlowButton {
    NativeFlowButton {
        name: Some(name.to_owned()),
        button_params_json: Some(parameters.to_string()),
    }
}

/// The answer of somebody who chooses what `offered` offers; none where it does not.
pub(crate) fn selection(
    offered: &wa::Message,
    id: &str,
    context: wa::ContextInfo,
) -> Option<wa::Message> {
    use waproto::whatsapp::message::buttons_response_message::Response;
    let (_, title) = choices(offered).into_iter().find(|choice| choice.0 == id)?;
    let (id, context_info) = (Some(id.to_owned()), MessageField::some(context));
    let mut message = wa::Message::default();
    if offered.buttons_message.is_set() {
        message.buttons_response_message =
            MessageField::some(wa::message::ButtonsResponseMessage {
                selected_button_id: id,
                response: Some(Response::SelectedDisplayText(title)),
                r#type: Some(wa::message::buttons_response_message::Type::DISPLAY_TEXT),
                context_info,
            });
    } else if offered.list_message.is_set() {
        message.list_response_message = MessageField::some(wa::message::ListResponseMessage {
            title: Some(title),
            list_type: Some(wa::message::list_response_message::ListType::SINGLE_SELECT),
            single_select_reply: MessageField::some(
                wa::message::list_response_message::SingleSelectReply {
                    selected_row_id: id,
                },
            ),
            context_info,
            ..Default::default()
        });
    } else if offered.template_message.is_set() {
        message.template_button_reply_message =
            MessageField::some(wa::message::TemplateButtonReplyMessage {
                selected_id: id,
                selected_display_text: Some(title),
                context_info,
                ..Default::default()
            });
    } else {
        message.interactive_response_message =
            MessageField::some(wa::message::InteractiveResponseMessage {
                body: MessageField::some(AnswerBody {
                    text: Some(title),
                    ..Default::default()
                }),
                interactive_response_message: Some(FlowAnswer::NativeFlowResponseMessage(
                    Box::new(NativeFlowResponseMessage {
                        name: Some("quick_reply".to_owned()),
                        params_json: Some(json!({"id": id}).to_string()),
                        version: Some(1),
                    }),
                )),
                context_info,
            });
    }
    Some(message)
}

/// What a message offers, as id and title.
pub(crate) fn choices(message: &wa::Message) -> Vec<(String, String)> {
    use waproto::whatsapp::hydrated_template_button::HydratedButton;
    let pair = |id: Option<&String>, title: Option<&String>| {
        Some((id?.clone(), title.cloned().unwrap_or_default()))
    };
    if let Some(buttons) = message.buttons_message.as_option() {
        let buttons = buttons.buttons.iter();
        return buttons
            .filter_map(|button| {
                let text = button.button_text.as_option();
                let title = text.and_then(|text| text.display_text.as_ref());
                pair(button.button_id.as_ref(), title)
            })
            .collect();
    }
    if let Some(list) = message.list_message.as_option() {
        let rows = list.sections.iter().flat_map(|section| &section.rows);
        return rows
            .filter_map(|row| pair(row.row_id.as_ref(), row.title.as_ref()))
            .collect();
    }
    if let Some(template) = message.template_message.as_option() {
        let hydrated = template.hydrated_template.as_option();
        let buttons = hydrated.map_or(&[][..], |hydrated| &hydrated.hydrated_buttons);
        return buttons
            .iter()
            .filter_map(|button| match button.hydrated_button.as_ref()? {
                HydratedButton::QuickReplyButton(reply) => {
                    pair(reply.id.as_ref(), reply.display_text.as_ref())
                }
                _ => None,
            })
            .collect();
    }
    let interactive = message.interactive_message.as_option();
    let Some(Flow::NativeFlowMessage(flow)) =
        interactive.and_then(|interactive| interactive.interactive_message.as_ref())
    else {
        return Vec::new();
    };
    flow.buttons.iter().flat_map(flow_choices).collect()
}

fn flow_choices(button: &NativeFlowButton) -> Vec<(String, String)> {
    let parameters = button.button_params_json.as_deref().unwrap_or_default();
    let parameters: serde_json::Value = serde_json::from_str(parameters).unwrap_or_default();
    let pair = |value: &serde_json::Value, title: &str| {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Some((text("id")?, text(title).unwrap_or_default()))
    };
    if let Some(sections) = parameters["sections"].as_array() {
        let rows = sections.iter().filter_map(|it| it["rows"].as_array());
        return rows
            .flatten()
            .filter_map(|row| pair(row, "title"))
            .collect();
    }
    pair(&parameters, "display_text").into_iter().collect()
}

/// Pins the message that `key` names for so many seconds, or unpins it.
pub(crate) fn pin(key: wa::MessageKey, seconds: Option<u32>, now_ms: i64) -> wa::Message {
    use wa::message::pin_in_chat_message::Type;
    wa::Message {
        pin_in_chat_message: MessageField::some(wa::message::PinInChatMessage {
            key: MessageField::some(key),
            r#type: Some(match seconds {
                Some(_) => Type::PIN_FOR_ALL,
                None => Type::UNPIN_FOR_ALL,
            }),
            sender_timestamp_ms: Some(now_ms),
        }),
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_add_on_duration_in_secs: Some(seconds.unwrap_or(0)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Keeps the message that `key` names, or no longer.
pub(crate) fn keep(key: wa::MessageKey, is_kept: bool, now_ms: i64) -> wa::Message {
    wacore::proto_helpers::build_keep_in_chat_message(key, is_kept, now_ms)
}

/// Sets the timer of a chat.
pub(crate) fn timer_message(seconds: u32) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            r#type: Some(wa::message::protocol_message::Type::EPHEMERAL_SETTING),
            ephemeral_expiration: Some(seconds),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A live location's report with this number.
pub(crate) fn live_location(
    latitude: f64,
    longitude: f64,
    caption: Option<&str>,
    sequence: i64,
) -> wa::Message {
    wa::Message {
        live_location_message: MessageField::some(wa::message::LiveLocationMessage {
            degrees_latitude: Some(latitude),
            degrees_longitude: Some(longitude),
            caption: caption.map(str::to_owned),
            sequence_number: Some(sequence),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What an edit says before it is encrypted with the secret of what it changes.
pub(crate) fn sealed_edit(key: wa::MessageKey, content: wa::Message, now_ms: i64) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: MessageField::some(key),
            r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
            edited_message: MessageField::some(content),
            timestamp_ms: Some(now_ms),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// An encrypted edit.
pub(crate) fn sealed_message(
    key: wa::MessageKey,
    kind: ModificationType,
    (payload, iv): (Vec<u8>, [u8; 12]),
) -> wa::Message {
    use wa::message::secret_encrypted_message::SecretEncType;
    wa::Message {
        secret_encrypted_message: MessageField::some(wa::message::SecretEncryptedMessage {
            target_message_key: MessageField::some(key),
            enc_payload: Some(payload),
            enc_iv: Some(iv.to_vec()),
            secret_enc_type: Some(match kind {
                ModificationType::EventEdit => SecretEncType::EVENT_EDIT,
                _ => SecretEncType::MESSAGE_EDIT,
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// An encrypted answer to an event.
pub(crate) fn sealed_answer(
    key: wa::MessageKey,
    (payload, iv): (Vec<u8>, [u8; 12]),
) -> wa::Message {
    wa::Message {
        enc_event_response_message: MessageField::some(wa::message::EncEventResponseMessage {
            event_creation_message_key: MessageField::some(key),
            enc_payload: Some(payload),
            enc_iv: Some(iv.to_vec()),
        }),
        ..Default::default()
    }
}
