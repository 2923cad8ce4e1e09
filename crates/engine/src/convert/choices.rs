//! Buttons and lists: what messages offer, and choosing among it.
//!
//! There are four forms. The first three are those of earlier clients, and of businesses; today
//! WhatsApp takes buttons and lists as native flows only.

use serde_json::{Value, json};
use wagate_model::{Choice, Offer};
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::hydrated_template_button::HydratedButton;
use whatsapp_rust::waproto::whatsapp::message::buttons_response_message::Response;
use whatsapp_rust::waproto::whatsapp::message::interactive_message::{
    Body, Footer, InteractiveMessage as Flow, NativeFlowMessage,
    native_flow_message::NativeFlowButton,
};
use whatsapp_rust::waproto::whatsapp::message::interactive_response_message::{
    Body as AnswerBody, InteractiveResponseMessage as FlowAnswer, NativeFlowResponseMessage,
};

use super::text::{clean, present};
use super::wrappers::unwrap;

/// More than any client shows is not kept.
const CHOICES_MAX: usize = 512;

/// The native flow of one button, and that of a list.
const QUICK_REPLY: &str = "quick_reply";
const SINGLE_SELECT: &str = "single_select";

/// What a message offers to choose; empty where it is of another kind.
pub(super) fn choices(message: &wa::Message) -> Vec<Choice> {
    let mut choices = if let Some(buttons) = message.buttons_message.as_option() {
        buttons.buttons.iter().filter_map(button).collect()
    } else if let Some(list) = message.list_message.as_option() {
        let rows = list.sections.iter().flat_map(|section| &section.rows);
        rows.filter_map(row).collect()
    } else if let Some(template) = message.template_message.as_option() {
        let hydrated = template.hydrated_template.as_option();
        let buttons = hydrated.map_or(&[][..], |hydrated| &hydrated.hydrated_buttons);
        buttons.iter().filter_map(template_button).collect()
    } else if let Some(interactive) = message.interactive_message.as_option() {
        match &interactive.interactive_message {
            Some(Flow::NativeFlowMessage(flow)) => {
                flow.buttons.iter().flat_map(flow_button).collect()
            }
            _ => Vec::new(),
        }
    } else {
        Vec::new()
    };
    choices.truncate(CHOICES_MAX);
    choices
}

fn choice(id: Option<&str>, title: Option<&str>, description: Option<&str>) -> Option<Choice> {
    let id = present(id)?;
    Some(Choice {
        description: present(description),
        title: present(title).unwrap_or_else(|| id.clone()),
        id,
    })
}

fn button(button: &wa::message::buttons_message::Button) -> Option<Choice> {
    let text = button.button_text.as_option();
    let title = text.and_then(|text| text.display_text.as_deref());
    choice(button.button_id.as_deref(), title, None)
}

fn row(row: &wa::message::list_message::Row) -> Option<Choice> {
    let description = row.description.as_deref();
    choice(row.row_id.as_deref(), row.title.as_deref(), description)
}

/// Only quick replies come back; the others open something.
fn template_button(button: &wa::HydratedTemplateButton) -> Option<Choice> {
    match button.hydrated_button.as_ref()? {
        HydratedButton::QuickReplyButton(reply) => {
            choice(reply.id.as_deref(), reply.display_text.as_deref(), None)
        }
        _ => None,
    }
}

fn flow_button(button: &NativeFlowButton) -> Vec<Choice> {
    let parameters = button.button_params_json.as_deref().unwrap_or_default();
    let Ok(parameters) = serde_json::from_str::<Value>(parameters) else {
        return Vec::new();
    };
    let of = |value: &Value, title: &str| {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        choice(text("id"), text(title), text("description"))
    };
    match button.name.as_deref() {
        Some(QUICK_REPLY) => of(&parameters, "display_text").into_iter().collect(),
        Some(SINGLE_SELECT) => {
            let list = |value: &Value, key: &str| {
                value
                    .get(key)
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default()
            };
            let sections = list(&parameters, "sections");
            let rows = sections.iter().flat_map(|section| list(section, "rows"));
            rows.filter_map(|row| of(&row, "title")).collect()
        }
        _ => Vec::new(),
    }
}

/// A message with buttons or a list, as a native flow.
pub(super) fn offer_message(offer: &Offer, context: Option<wa::ContextInfo>) -> wa::Message {
    let buttons = match &offer.button_text {
        None => offer
            .choices()
            .iter()
            .map(|choice| {
                let parameters = json!({"display_text": choice.title, "id": choice.id});
                flow(QUICK_REPLY, &parameters)
            })
            .collect(),
        Some(title) => vec![flow(SINGLE_SELECT, &list_parameters(title, offer))],
    };
    wa::Message {
        interactive_message: MessageField::some(wa::message::InteractiveMessage {
            body: MessageField::some(Body {
                text: Some(offer.text.clone()),
            }),
            footer: offer
                .footer
                .as_ref()
                .map(|footer| Footer {
                    text: Some(footer.clone()),
                    ..Default::default()
                })
                .into(),
            context_info: context.into(),
            interactive_message: Some(Flow::NativeFlowMessage(Box::new(NativeFlowMessage {
                buttons,
                message_params_json: Some("{}".to_owned()),
                message_version: Some(1),
            }))),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn flow(name: &str, parameters: &Value) -> NativeFlowButton {
    NativeFlowButton {
        name: Some(name.to_owned()),
        button_params_json: Some(parameters.to_string()),
    }
}

fn list_parameters(title: &str, offer: &Offer) -> Value {
    let sections: Vec<_> = offer
        .sections
        .iter()
        .map(|section| {
            let rows: Vec<_> = section
                .choices
                .iter()
                .map(|row| {
                    let description = row.description.as_deref().unwrap_or_default();
                    json!({"title": row.title, "description": description, "id": row.id})
                })
                .collect();
            json!({"title": section.title.as_deref().unwrap_or_default(), "rows": rows})
        })
        .collect();
    json!({"title": title, "sections": sections})
}

/// The answer that chooses something that a message offers; none where it does not offer it.
pub(super) fn answer(
    offered: &wa::Message,
    id: &str,
    context: Option<wa::ContextInfo>,
) -> Option<wa::Message> {
    let choices = choices(offered);
    let place = choices.iter().position(|choice| choice.id == id)?;
    let chosen = choices.get(place)?;
    let mut message = wa::Message::default();
    if offered.buttons_message.is_set() {
        message.buttons_response_message =
            MessageField::some(wa::message::ButtonsResponseMessage {
                selected_button_id: Some(id.to_owned()),
                response: Some(Response::SelectedDisplayText(chosen.title.clone())),
                r#type: Some(wa::message::buttons_response_message::Type::DISPLAY_TEXT),
                context_info: context.into(),
            });
    } else if offered.list_message.is_set() {
        message.list_response_message = MessageField::some(wa::message::ListResponseMessage {
            title: Some(chosen.title.clone()),
            list_type: Some(wa::message::list_response_message::ListType::SINGLE_SELECT),
            single_select_reply: MessageField::some(
                wa::message::list_response_message::SingleSelectReply {
                    selected_row_id: Some(id.to_owned()),
                },
            ),
            description: chosen.description.clone(),
            context_info: context.into(),
        });
    } else if offered.template_message.is_set() {
        message.template_button_reply_message =
            MessageField::some(wa::message::TemplateButtonReplyMessage {
                selected_id: Some(id.to_owned()),
                selected_display_text: Some(chosen.title.clone()),
                selected_index: u32::try_from(place).ok(),
                context_info: context.into(),
                ..Default::default()
            });
    } else {
        let name = flow_name(offered)?;
        let parameters = match name {
            SINGLE_SELECT => json!({"id": id, "title": chosen.title}),
            _ => json!({"id": id, "display_text": chosen.title}),
        };
        message.interactive_response_message =
            MessageField::some(wa::message::InteractiveResponseMessage {
                body: MessageField::some(AnswerBody {
                    text: Some(chosen.title.clone()),
                    ..Default::default()
                }),
                context_info: context.into(),
                interactive_response_message: Some(FlowAnswer::NativeFlowResponseMessage(
                    Box::new(NativeFlowResponseMessage {
                        name: Some(name.to_owned()),
                        params_json: Some(parameters.to_string()),
                        version: Some(1),
                    }),
                )),
            });
    }
    Some(message)
}

/// How the answer to a stored message that offers something is named: `button`, `list`,
/// `template` or `flow`.
#[must_use]
pub fn reply_kind(raw: &[u8]) -> &'static str {
    let Ok(message) = waproto::codec::message_decode(raw) else {
        return "flow";
    };
    let offered = unwrap(&message).message;
    if offered.buttons_message.is_set() {
        "button"
    } else if offered.list_message.is_set() {
        "list"
    } else if offered.template_message.is_set() {
        "template"
    } else {
        "flow"
    }
}

fn flow_name(offered: &wa::Message) -> Option<&'static str> {
    let interactive = offered.interactive_message.as_option()?;
    let Some(Flow::NativeFlowMessage(flow)) = &interactive.interactive_message else {
        return None;
    };
    let is_list = flow
        .buttons
        .iter()
        .any(|button| button.name.as_deref() == Some(SINGLE_SELECT));
    Some(if is_list { SINGLE_SELECT } else { QUICK_REPLY })
}

/// The text of a message that offers something; its choices where it has none.
pub(super) fn offer_text(text: Option<String>, choices: &[Choice]) -> String {
    text.unwrap_or_else(|| {
        let titles: Vec<_> = choices.iter().map(|choice| &*choice.title).collect();
        clean(&titles.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use wagate_model::OfferSection;

    use super::super::replies::interactive_reply;
    use super::*;

    fn choice(id: &str, title: &str) -> Choice {
        Choice {
            description: None,
            id: id.into(),
            title: title.into(),
        }
    }

    fn offer(button_text: Option<&str>) -> Offer {
        Offer {
            text: "Shall we?".into(),
            footer: Some("by noon".into()),
            button_text: button_text.map(str::to_owned),
            sections: vec![OfferSection {
                title: None,
                choices: vec![choice("y", "Yes"), choice("n", "\"No\"")],
            }],
        }
    }

    #[test]
    fn what_is_offered_can_be_chosen() {
        for button_text in [None, Some("Answers")] {
            let offer = offer(button_text);
            let message = offer_message(&offer, None);
            assert_eq!(choices(&message), offer.choices());
            let answered = answer(&message, "n", None).unwrap();
            let reply = interactive_reply(&answered).unwrap();
            assert_eq!((reply.kind, &*reply.id), ("flow", "n"));
            assert_eq!(reply.title.as_deref(), Some("\"No\""));
            assert!(answer(&message, "maybe", None).is_none());
        }
    }

    #[test]
    fn what_only_opens_something_is_no_choice() {
        let mut message = offer_message(&offer(None), None);
        let interactive = message.interactive_message.get_or_insert_default();
        if let Some(Flow::NativeFlowMessage(flow)) = &mut interactive.interactive_message {
            for button in &mut flow.buttons {
                button.name = Some("cta_url".into());
            }
        }
        assert!(choices(&message).is_empty());
        assert!(answer(&message, "y", None).is_none());
    }

    #[test]
    fn an_offer_without_a_text_is_read_by_its_choices() {
        let choices = [choice("a", "Ahead"), choice("b", "Back")];
        assert_eq!(offer_text(None, &choices), "Ahead, Back");
        assert_eq!(offer_text(Some("Whither?".into()), &choices), "Whither?");
    }
}
