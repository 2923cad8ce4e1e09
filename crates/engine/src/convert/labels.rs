//! Labels, as other devices of the account change them (application state).

use wagate_model::{Label, limits};
use whatsapp_rust::types::events::{LabelAssociationUpdate, LabelEditUpdate};
use whatsapp_rust::wacore::appstate::Mutation;
use whatsapp_rust::waproto::whatsapp::sync_action_value::label_edit_action::ListType;

use super::identity::{model_jid, parsed_jid};
use super::text::{message_id, present};
use crate::connection::LABEL_MESSAGE;
use crate::{LabelChange, LabelNews};

/// The longest id of a label that is taken: real ones have a few digits.
const MAX_ID_BYTES: usize = 32;

/// An id of a label that can be one.
fn label_id(id: &str) -> Option<String> {
    let is_id = !id.is_empty()
        && id.len() <= MAX_ID_BYTES
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then(|| id.to_owned())
}

/// A label was made, changed or deleted; none for lists that official clients fill by themselves.
pub(crate) fn label_edited(update: &LabelEditUpdate) -> Option<LabelChange> {
    let action = &update.action;
    let kind = action.r#type.as_ref();
    let is_own = kind.is_none_or(|kind| {
        [ListType::NONE, ListType::PREDEFINED, ListType::CUSTOM]
            .iter()
            .any(|own| kind == own)
    });
    if !is_own {
        return None;
    }
    let id = label_id(&update.label_id)?;
    let news = if action.deleted == Some(true) {
        LabelNews::Deleted
    } else {
        let name = present(action.name.as_deref())?;
        let color = i64::from(action.color.unwrap_or(0));
        LabelNews::Put(Label {
            // Newer clients may know more colours than are named here.
            color: color.rem_euclid(limits::LABEL_COLORS),
            id: id.clone(),
            name: name.chars().take(limits::LABEL_NAME_CHARS).collect(),
        })
    };
    Some(LabelChange {
        label: id,
        news,
        is_initial: update.from_full_sync,
    })
}

/// A label was put on a chat, or taken off.
pub(crate) fn chat_labelled(update: &LabelAssociationUpdate) -> Option<LabelChange> {
    Some(LabelChange {
        label: label_id(&update.label_id)?,
        news: LabelNews::Chat {
            chat: model_jid(&update.chat_jid)?,
            is_labelled: update.action.labeled == Some(true),
        },
        is_initial: update.from_full_sync,
    })
}

/// A label was put on a message, or taken off; none for other news.
pub(crate) fn message_labelled(mutation: &Mutation) -> Option<LabelChange> {
    let [kind, label, chat, message, ..] = mutation.index.as_slice() else {
        return None;
    };
    if kind != LABEL_MESSAGE {
        return None;
    }
    let value = mutation.action_value.as_ref()?;
    let action = value.label_association_action.as_option()?;
    Some(LabelChange {
        label: label_id(label)?,
        news: LabelNews::Message {
            chat: parsed_jid(Some(chat))?,
            id: message_id(Some(message))?,
            is_labelled: action.labeled == Some(true),
        },
        is_initial: false,
    })
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::waproto::buffa::MessageField;
    use whatsapp_rust::waproto::whatsapp as wa;
    use whatsapp_rust::waproto::whatsapp::syncd_mutation::SyncdOperation;

    use super::*;

    fn mutation(index: &[&str], labeled: Option<bool>) -> Mutation {
        let action = wa::sync_action_value::LabelAssociationAction {
            labeled,
            ..Default::default()
        };
        Mutation {
            action_value: Some(wa::SyncActionValue {
                label_association_action: MessageField::some(action),
                ..Default::default()
            }),
            index: index.iter().map(|part| (*part).to_owned()).collect(),
            operation: SyncdOperation::SET,
        }
    }

    #[test]
    fn labels_of_messages_are_read() {
        let index = ["label_message", "7", "1-2@g.us", "3EB0", "0", "0"];
        for (labeled, expected) in [(Some(true), true), (Some(false), false), (None, false)] {
            let change = message_labelled(&mutation(&index, labeled)).unwrap();
            assert_eq!(change.label, "7");
            let LabelNews::Message {
                chat,
                id,
                is_labelled,
            } = change.news
            else {
                panic!("something else");
            };
            assert_eq!((chat.as_str(), id.as_str()), ("1-2@g.us", "3EB0"));
            assert_eq!(is_labelled, expected);
        }
        for other in [
            &["label_jid", "7", "1-2@g.us", "x"][..],
            &["label_message", "7", "1-2@g.us"],
            &["label_message", "", "1-2@g.us", "3EB0"],
            &["label_message", "7", "nobody", "3EB0"],
            &["label_message", "7", "1-2@g.us", ""],
        ] {
            assert!(message_labelled(&mutation(other, Some(true))).is_none());
        }
    }
}
