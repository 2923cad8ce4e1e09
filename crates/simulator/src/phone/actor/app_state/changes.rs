//! What a phone changes in the account's state, in the protocol's form.

use wacore_binary::{Jid, JidExt as _};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

use crate::phone::actor::actions::{parse_chat, parse_user};
use crate::phone::actor::receipts::unknown_message;
use crate::phone::actor::run::Actor;
use crate::phone::error::PhoneError;
use crate::phone::kept::KeptChange;

/// A change, ready to be encrypted.
pub(super) struct Mutation {
    pub(super) collection: &'static str,
    pub(super) index: Vec<String>,
    pub(super) value: wa::SyncActionValue,
    /// The version of this kind of change (whatsmeow `appstate`, the same as the library's).
    pub(super) version: i32,
}

impl Actor {
    /// The change in the form that the account's devices keep it in.
    pub(super) async fn mutation(&mut self, change: KeptChange) -> Result<Mutation, PhoneError> {
        let timestamp = Some(self.server.clock().now_ms());
        let value = wa::SyncActionValue {
            timestamp,
            ..Default::default()
        };
        Ok(match change {
            KeptChange::Star { id, is_starred } => Mutation {
                collection: "regular_high",
                index: self.message_index("star", &id).await?,
                value: wa::SyncActionValue {
                    star_action: MessageField::some(wa::sync_action_value::StarAction {
                        starred: Some(is_starred),
                    }),
                    ..value
                },
                version: 2,
            },
            KeptChange::DeleteForMe { id, with_media } => Mutation {
                collection: "regular_high",
                index: self.message_index("deleteMessageForMe", &id).await?,
                value: wa::SyncActionValue {
                    delete_message_for_me_action: MessageField::some(
                        wa::sync_action_value::DeleteMessageForMeAction {
                            delete_media: Some(with_media),
                            message_timestamp: None,
                        },
                    ),
                    ..value
                },
                version: 3,
            },
            KeptChange::MuteStatus { person, is_muted } => {
                let person = self.chat_of(&parse_user("contact", &person)?).await?;
                let muted = Some(is_muted);
                let action = wa::sync_action_value::UserStatusMuteAction { muted };
                Mutation {
                    collection: "regular_high",
                    index: vec!["userStatusMute".to_owned(), person.to_string()],
                    value: wa::SyncActionValue {
                        user_status_mute_action: MessageField::some(action),
                        ..value
                    },
                    version: 7,
                }
            }
            KeptChange::PutLabel { label, name, color } => label_edit(
                label,
                wa::sync_action_value::LabelEditAction {
                    name: Some(name),
                    color: Some(color),
                    deleted: Some(false),
                    ..Default::default()
                },
                value,
            ),
            KeptChange::DeleteLabel { label } => label_edit(
                label,
                wa::sync_action_value::LabelEditAction {
                    deleted: Some(true),
                    ..Default::default()
                },
                value,
            ),
            KeptChange::LabelChat {
                label,
                chat,
                is_labelled,
            } => {
                let chat = self.chat_of(&parse_chat("chat", &chat)?).await?;
                let index = vec!["label_jid".to_owned(), label, chat.to_string()];
                labelled(index, is_labelled, value)
            }
            KeptChange::LabelMessage {
                label,
                id,
                is_labelled,
            } => {
                let mut index = self.message_index("label_message", &id).await?;
                index.truncate(3);
                index.insert(1, label);
                // Official clients leave these two open.
                index.extend(["0".to_owned(), "0".to_owned()]);
                labelled(index, is_labelled, value)
            }
        })
    }

    /// How a message of the log is named: its chat, its id, whether it is the account's own, and
    /// who sent it in a group.
    async fn message_index(&mut self, kind: &str, id: &str) -> Result<Vec<String>, PhoneError> {
        let (chat, sender, from_me) = {
            let log = self.shared.log();
            let message = &log.get(id).ok_or_else(|| unknown_message(id))?.message;
            let (chat, sender) = (message.chat_jid.clone(), message.sender_jid.clone());
            (chat, sender, message.from_me)
        };
        let damaged = |_| PhoneError::internal("a stored address is not a JID");
        let chat: Jid = chat.parse().map_err(damaged)?;
        let chat = self.chat_of(&chat).await?;
        let participant = if chat.is_group() && !from_me {
            let sender: Jid = sender.parse().map_err(damaged)?;
            self.chat_of(&sender).await?.to_string()
        } else {
            "0".to_owned()
        };
        let own = if from_me { "1" } else { "0" };
        Ok(vec![
            kind.to_owned(),
            chat.to_string(),
            id.to_owned(),
            own.to_owned(),
            participant,
        ])
    }
}

fn label_edit(
    label: String,
    action: wa::sync_action_value::LabelEditAction,
    value: wa::SyncActionValue,
) -> Mutation {
    Mutation {
        collection: "regular",
        index: vec!["label_edit".to_owned(), label],
        value: wa::SyncActionValue {
            label_edit_action: MessageField::some(action),
            ..value
        },
        version: 3,
    }
}

fn labelled(index: Vec<String>, is_labelled: bool, value: wa::SyncActionValue) -> Mutation {
    Mutation {
        collection: "regular",
        index,
        value: wa::SyncActionValue {
            label_association_action: MessageField::some(
                wa::sync_action_value::LabelAssociationAction {
                    labeled: Some(is_labelled),
                    ..Default::default()
                },
            ),
            ..value
        },
        version: 3,
    }
}
