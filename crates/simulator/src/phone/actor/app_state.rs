//! Application state as a phone sees it: collections of what the account keeps, which every
//! device reads, verifies and adds to.
//!
//! A phone keeps no copy: it reads a collection from its first patch on whenever it is asked.

mod changes;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rand::Rng as _;
use serde_json::{Value, json};
use wacore::appstate::hash::{HashState, generate_patch_mac};
use wacore::appstate::patch_decode::{CollectionSyncError, PatchList, parse_patch_list};
use wacore::appstate::{ExpandedAppStateKeys, encode_record, expand_app_state_keys, process_patch};
use wacore::request::InfoQuery;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, Server};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use waproto::whatsapp::syncd_mutation::SyncdOperation;

use self::changes::Mutation;
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

    /// Writes the first change of each collection, as phones do before a companion is linked: a
    /// device takes whatever comes into an empty one for old.
    pub(super) async fn begin_app_state(&mut self) -> Result<(), PhoneError> {
        for name in COLLECTIONS {
            let newer = self.sync_collection(name, 0, None).await?;
            if !newer.patches.is_empty() {
                continue;
            }
            let change = first_change(name, self.server.clock().now_ms());
            let keys = self.app_state_keys();
            let key_id = self.record.app_state_key.id.clone();
            let patch = Collection::default().patch(&change, &keys, &key_id)?;
            let answer = self.sync_collection(name, 0, Some(patch)).await?;
            match answer.error {
                // Somebody else has begun it.
                None | Some(CollectionSyncError::Conflict { .. }) => {}
                Some(error) => return Err(odd(&error)),
            }
        }
        Ok(())
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
/// A change that says nothing to companions: which version of the app the phone has.
fn first_change(collection: &'static str, now_ms: i64) -> Mutation {
    Mutation {
        collection,
        index: vec!["primary_version".to_owned(), "current".to_owned()],
        value: wa::SyncActionValue {
            timestamp: Some(now_ms),
            ..Default::default()
        },
        version: 7,
    }
}

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
