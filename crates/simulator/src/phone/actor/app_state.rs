//! Application state as a phone sees it: collections of what the account keeps, which every
//! device reads, verifies and adds to.
//!
//! A phone keeps no copy: it reads a collection from its first patch on whenever it is asked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rand::Rng as _;
use serde_json::{Value, json};
use wacore::appstate::hash::{HashState, generate_patch_mac};
use wacore::appstate::patch_decode::{CollectionSyncError, PatchList, parse_patch_list};
use wacore::appstate::{ExpandedAppStateKeys, encode_record, expand_app_state_keys, process_patch};
use wacore::request::InfoQuery;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeContent, Server};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use waproto::whatsapp::syncd_mutation::SyncdOperation;

use super::actions::{parse_chat, parse_user};
use super::receipts::unknown_message;
use super::run::Actor;
use crate::phone::error::PhoneError;
use crate::phone::kept::{KeptChange, KeptEntry};

const COLLECTIONS: [&str; 5] = [
    "critical_block",
    "critical_unblock_low",
    "regular_high",
    "regular_low",
    "regular",
];

/// How often a change is made anew because another device was faster.
const ATTEMPTS: usize = 8;

/// A change, ready to be encrypted.
struct Mutation {
    collection: &'static str,
    index: Vec<String>,
    value: wa::SyncActionValue,
    /// The version of this kind of change (whatsmeow `appstate`, the same as the library's).
    version: i32,
}

/// A collection as far as it has been read.
#[derive(Default)]
struct Collection {
    state: HashState,
    macs: HashMap<Vec<u8>, Vec<u8>>,
    entries: BTreeMap<Vec<String>, wa::SyncActionValue>,
}

impl Collection {
    /// Applies patches, whose codes must all be right.
    fn apply(
        &mut self,
        list: &PatchList,
        keys: &Arc<ExpandedAppStateKeys>,
        name: &str,
    ) -> Result<(), PhoneError> {
        for patch in &list.patches {
            let Self {
                state,
                macs,
                entries,
            } = self;
            let applied = process_patch(
                patch,
                state,
                |_| Ok(Arc::clone(keys)),
                |index_mac| Ok(macs.get(index_mac).cloned()),
                true,
                name,
            );
            let applied = applied.map_err(|error| odd(&error))?;
            if state.mac_mismatch_fatal {
                return Err(odd(&"its codes do not add up"));
            }
            for removed in applied.removed_index_macs {
                macs.remove(&removed);
            }
            for added in applied.added_macs {
                macs.insert(added.index_mac, added.value_mac);
            }
            for mutation in applied.mutations {
                match (mutation.operation, mutation.action_value) {
                    (SyncdOperation::SET, Some(value)) => {
                        entries.insert(mutation.index, value);
                    }
                    _ => {
                        entries.remove(&mutation.index);
                    }
                }
            }
        }
        Ok(())
    }

    /// The patch that makes a change the next version.
    fn patch(
        mut self,
        change: &Mutation,
        keys: &ExpandedAppStateKeys,
        key_id: &[u8],
    ) -> Result<Vec<u8>, PhoneError> {
        let mut iv = [0; 16];
        rand::rng().fill_bytes(&mut iv);
        let index = serde_json::to_vec(&change.index)?;
        let (mutation, _) = encode_record(
            SyncdOperation::SET,
            &index,
            &change.value,
            keys,
            key_id,
            &iv,
            change.version,
        );
        let mutations = vec![mutation];
        let macs = self.macs;
        let (_, updated) = self
            .state
            .update_hash(&mutations, |index_mac, _| Ok(macs.get(index_mac).cloned()));
        updated.map_err(|error| PhoneError::internal(error.to_string()))?;
        self.state.version += 1;
        let name = change.collection;
        let snapshot_mac = self.state.generate_snapshot_mac(name, &keys.snapshot_mac);
        let mut patch = wa::SyncdPatch {
            snapshot_mac: Some(snapshot_mac),
            key_id: MessageField::some(wa::KeyId {
                id: Some(key_id.to_vec()),
            }),
            mutations,
            ..Default::default()
        };
        let version = self.state.version;
        let patch_mac = generate_patch_mac(&patch, name, &keys.patch_mac, version);
        patch.patch_mac = Some(patch_mac);
        Ok(waproto::codec::syncd_patch_to_vec(&patch))
    }
}

impl Actor {
    /// Makes a change, and tells the account's other devices by it.
    pub(super) async fn keep(&mut self, change: KeptChange) -> Result<(), PhoneError> {
        let mutation = self.mutation(change).await?;
        let keys = self.app_state_keys();
        let key_id = self.record.app_state_key.id.clone();
        for _ in 0..ATTEMPTS {
            let collection = self.read_collection(mutation.collection).await?;
            let base = collection.state.version;
            let patch = collection.patch(&mutation, &keys, &key_id)?;
            let answer = self
                .sync_collection(mutation.collection, base, Some(patch))
                .await?;
            match answer.error {
                None => return Ok(()),
                Some(CollectionSyncError::Conflict { .. }) => {}
                Some(error) => return Err(odd(&error)),
            }
        }
        Err(PhoneError::Conflict(
            "other devices were always faster".to_owned(),
        ))
    }

    /// All that the account keeps.
    pub(super) async fn kept(&mut self) -> Result<Vec<KeptEntry>, PhoneError> {
        let mut kept = Vec::new();
        for name in COLLECTIONS {
            let collection = self.read_collection(name).await?;
            kept.extend(
                collection
                    .entries
                    .into_iter()
                    .map(|(index, value)| KeptEntry {
                        collection: name,
                        index,
                        timestamp: value.timestamp.unwrap_or_default(),
                        value: shown(&value),
                    }),
            );
        }
        Ok(kept)
    }

    /// The ids of the messages that the account has starred.
    pub(super) async fn starred(&mut self) -> Result<HashSet<String>, PhoneError> {
        let collection = self.read_collection("regular_high").await?;
        let starred = collection.entries.into_iter().filter(|(_, value)| {
            let action = value.star_action.as_option();
            action.is_some_and(|action| action.starred == Some(true))
        });
        Ok(starred
            .filter_map(|(index, _)| index.get(2).cloned())
            .collect())
    }

    fn app_state_keys(&self) -> Arc<ExpandedAppStateKeys> {
        Arc::new(expand_app_state_keys(&self.record.app_state_key.data))
    }

    async fn read_collection(&mut self, name: &'static str) -> Result<Collection, PhoneError> {
        let keys = self.app_state_keys();
        let mut collection = Collection::default();
        loop {
            let version = collection.state.version;
            let list = self.sync_collection(name, version, None).await?;
            if let Some(error) = list.error {
                return Err(odd(&error));
            }
            collection.apply(&list, &keys, name)?;
            if !list.has_more_patches {
                return Ok(collection);
            }
            if collection.state.version == version {
                return Err(odd(&"there is said to be more than there is"));
            }
        }
    }

    /// Asks for what is newer than a version, or brings the next one.
    ///
    /// Shape: whatsapp-rust `client::app_state::send_app_state_patch`.
    async fn sync_collection(
        &mut self,
        name: &'static str,
        version: u64,
        patch: Option<Vec<u8>>,
    ) -> Result<PatchList, PhoneError> {
        let patch = patch.map(|patch| NodeBuilder::new("patch").bytes(patch).build());
        let collection = NodeBuilder::new("collection")
            .attr("name", name)
            .attr("version", version)
            .attr("return_snapshot", "false")
            .children(patch)
            .build();
        let sync: Node = NodeBuilder::new("sync").children([collection]).build();
        let content = Some(NodeContent::Nodes(vec![sync]));
        let to = Jid::new("", Server::Pn);
        let query = InfoQuery::set("w:sync:app:state", to, content);
        let answer = self.ask_server(query).await?;
        parse_patch_list(&answer).map_err(|error| odd(&error))
    }

    async fn mutation(&mut self, change: KeptChange) -> Result<Mutation, PhoneError> {
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

/// What is kept, as JSON; an empty object for kinds that are not known here.
fn shown(value: &wa::SyncActionValue) -> Value {
    if let Some(action) = value.star_action.as_option() {
        return json!({ "starred": action.starred });
    }
    if let Some(action) = value.delete_message_for_me_action.as_option() {
        return json!({ "deleteMedia": action.delete_media });
    }
    if let Some(action) = value.label_edit_action.as_option() {
        if action.deleted == Some(true) {
            return json!({ "deleted": true });
        }
        return json!({ "name": action.name, "color": action.color });
    }
    if let Some(action) = value.label_association_action.as_option() {
        return json!({ "labeled": action.labeled });
    }
    if let Some(action) = value.archive_chat_action.as_option() {
        return json!({ "archived": action.archived });
    }
    if let Some(action) = value.pin_action.as_option() {
        return json!({ "pinned": action.pinned });
    }
    if let Some(action) = value.mute_action.as_option() {
        return json!({ "muted": action.muted, "until": action.mute_end_timestamp });
    }
    if let Some(action) = value.mark_chat_as_read_action.as_option() {
        return json!({ "read": action.read });
    }
    if let Some(action) = value.user_status_mute_action.as_option() {
        return json!({ "muted": action.muted });
    }
    json!({})
}

/// What devices have written does not hold together.
fn odd(error: &impl ToString) -> PhoneError {
    PhoneError::Conflict(format!(
        "the account's state cannot be read: {}",
        error.to_string()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn star(id: &str, is_starred: bool) -> Mutation {
        Mutation {
            collection: "regular_high",
            index: ["star", "1@lid", id, "0", "0"].map(str::to_owned).to_vec(),
            value: wa::SyncActionValue {
                star_action: MessageField::some(wa::sync_action_value::StarAction {
                    starred: Some(is_starred),
                }),
                timestamp: Some(7),
                ..Default::default()
            },
            version: 2,
        }
    }

    fn list(patches: Vec<wa::SyncdPatch>) -> PatchList {
        PatchList {
            name: "regular_high".parse().unwrap(),
            has_more_patches: false,
            patches,
            snapshot: None,
            snapshot_ref: None,
            error: None,
        }
    }

    /// The patches that changes make one after the other, as a server gives them.
    fn patches(changes: &[Mutation], keys: &Arc<ExpandedAppStateKeys>) -> Vec<wa::SyncdPatch> {
        let mut made = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            let mut collection = Collection::default();
            let so_far = list(made.clone());
            collection.apply(&so_far, keys, "regular_high").unwrap();
            let patch = collection.patch(change, keys, b"key").unwrap();
            let mut patch = waproto::codec::syncd_patch_decode(&patch).unwrap();
            patch.version = MessageField::some(wa::SyncdVersion {
                version: Some(index as u64 + 1),
            });
            made.push(patch);
        }
        made
    }

    #[test]
    fn what_is_written_is_read_and_verified() {
        let keys = Arc::new(expand_app_state_keys(&[3; 32]));
        let changes = [star("A", true), star("B", true), star("A", false)];
        let patches = patches(&changes, &keys);
        let mut collection = Collection::default();
        let all = list(patches.clone());
        collection.apply(&all, &keys, "regular_high").unwrap();
        let shown: Vec<_> = collection
            .entries
            .iter()
            .map(|(index, value)| (index[2].as_str(), shown(value)))
            .collect();
        assert_eq!(
            shown,
            [
                ("A", json!({ "starred": false })),
                ("B", json!({ "starred": true }))
            ]
        );
        // Of another collection, or without one of the patches, nothing fits.
        let mut other = Collection::default();
        assert!(other.apply(&all, &keys, "regular").is_err());
        let mut gap = Collection::default();
        let with_gap = list(vec![patches[0].clone(), patches[2].clone()]);
        assert!(gap.apply(&with_gap, &keys, "regular_high").is_err());
    }
}
