//! Labels, told to the account's other devices by application state, and heard of from them.
//!
//! The library knows nothing of messages' labels: they are told as an action of its general
//! kind, and read here from the patches and snapshots that it fetches. What is told looks like those of chats
//! with the message's id behind the chat, and two places that official clients fill with `0`
//! (Baileys `chatModificationToAppPatch`, whatsmeow `appstate.BuildLabelMessage`).

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wagate_model::{Jid, Label};
use whatsapp_rust::features::AppStateError;
use whatsapp_rust::schemas::{Collection, IndexPart, Schema, Scope};
use whatsapp_rust::wacore::appstate::patch_decode::{WAPatchName, parse_patch_lists_ref};
use whatsapp_rust::wacore::appstate::{ExpandedAppStateKeys, decode_record, expand_app_state_keys};
use whatsapp_rust::wacore_binary::OwnedNodeRef;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp::syncd_mutation::SyncdOperation;
use whatsapp_rust::waproto::{self, whatsapp as wa};
use whatsapp_rust::{Client, Jid as LibraryJid};

use super::Connection;
use super::app_state::fetch;
use super::chats::failure;
use crate::convert::{self, library_jid};
use crate::mailbox::Mailbox;
use crate::{EngineEvent, RequestError};

/// What the index of a message's label begins with.
pub(crate) const LABEL_MESSAGE: &str = "label_message";

/// The collection that labels are in.
const COLLECTION: &str = "regular";

/// The action that puts a label on a message.
const SCHEMA: Schema = Schema {
    key: "LabelMessage",
    name: LABEL_MESSAGE,
    module: "WAWebLabelMessageSync",
    collection: Collection::Regular,
    version: 3,
    scope: Scope::Message,
    value_field: Some("labelAssociationAction"),
    value_proto_type: Some("SyncActionValue.LabelAssociationAction"),
    value_enum_fields: &[],
    chat_jid_index: Some(2),
    index_parts: &[
        IndexPart::Literal {
            value: LABEL_MESSAGE,
        },
        IndexPart::StringPart { name: "labelId" },
        IndexPart::Jid { name: "chatJid" },
        IndexPart::StringPart { name: "messageId" },
        IndexPart::BoolString { name: "fromMe" },
        IndexPart::StringPart {
            name: "participant",
        },
    ],
};

/// What other devices are told of labels.
enum Action<'a> {
    Put(&'a Label),
    Delete(&'a str),
    Chat(&'a str, LibraryJid, bool),
    Message(&'a str, String, &'a str, bool),
}

/// As in [`super::chats`]: nobody sees the layout of the library's futures.
type Telling<'t> = Pin<Box<dyn Future<Output = Result<(), AppStateError>> + Send + 't>>;

impl Connection {
    /// Waits until what other devices have done with labels so far is known here.
    pub async fn catch_up_labels(&self) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        fetch(client, WAPatchName::Regular).await;
        self.settled().await;
        Ok(())
    }

    /// Makes a label, or gives the one of that id a name and a colour.
    pub async fn put_label(&self, label: &Label) -> Result<(), RequestError> {
        self.tell_label(Action::Put(label)).await
    }

    /// Deletes a label.
    pub async fn delete_label(&self, label: &str) -> Result<(), RequestError> {
        self.tell_label(Action::Delete(label)).await
    }

    /// Puts a label on a chat, or takes it off.
    pub async fn label_chat(
        &self,
        label: &str,
        chat: &Jid,
        is_labelled: bool,
    ) -> Result<(), RequestError> {
        self.tell_label(Action::Chat(label, library_jid(chat), is_labelled))
            .await
    }

    /// Puts a label on a message, or takes it off.
    pub async fn label_message(
        &self,
        label: &str,
        chat: &Jid,
        message_id: &str,
        is_labelled: bool,
    ) -> Result<(), RequestError> {
        let chat = library_jid(chat).to_string();
        self.tell_label(Action::Message(label, chat, message_id, is_labelled))
            .await
    }

    async fn tell_label(&self, action: Action<'_>) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        tell(client, action).await.map_err(|error| failure(&error))
    }
}

#[inline(never)]
fn tell<'t>(client: &'t Client, action: Action<'t>) -> Telling<'t> {
    Box::pin(async move {
        let labels = client.labels();
        match action {
            Action::Put(label) => {
                let color = i32::try_from(label.color).unwrap_or(0);
                labels.create_label(&label.id, &label.name, color).await
            }
            Action::Delete(label) => labels.delete_label(label).await,
            Action::Chat(label, chat, true) => labels.add_chat_label(label, &chat).await,
            Action::Chat(label, chat, false) => labels.remove_chat_label(label, &chat).await,
            Action::Message(label, chat, message, is_labelled) => {
                let value = wa::SyncActionValue {
                    label_association_action: MessageField::some(
                        wa::sync_action_value::LabelAssociationAction {
                            labeled: Some(is_labelled),
                            ..Default::default()
                        },
                    ),
                    timestamp: Some(whatsapp_rust::wacore::time::now_millis()),
                    ..Default::default()
                };
                let index = [label, &chat, message, "0", "0"];
                client.send_app_state_action(&SCHEMA, &index, &value).await
            }
        }
    })
}

/// What an answer brings of the collection that labels are in.
enum Brought {
    Patches(Vec<wa::SyncdPatch>),
    /// Where all of it can be downloaded, summed up: so it comes to a device that is new.
    Snapshot(Box<wa::ExternalBlobReference>),
}

/// Reads messages' labels from what the library fetches.
pub(super) struct MessageLabels {
    brought: mpsc::UnboundedSender<Brought>,
}

impl MessageLabels {
    /// Begins to read, in a task of the session's.
    pub(super) fn new(
        client: Weak<Client>,
        mailbox: Mailbox,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        // What waits here are answers that the library has in memory as well.
        let (brought, mut arriving) = mpsc::unbounded_channel();
        let reading = async move {
            while let Some(brought) = arriving.recv().await {
                let Some(client) = client.upgrade() else {
                    return;
                };
                read(&client, brought, &mailbox).await;
            }
        };
        tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = reading => {}
            }
        });
        Self { brought }
    }

    /// Takes patches and snapshots out of a stanza, where it brings some.
    pub(super) fn follow(&self, stanza: &OwnedNodeRef) {
        let node = stanza.get();
        if node.tag != "iq" {
            return;
        }
        let Some(sync) = node.get_optional_child("sync") else {
            return;
        };
        let collections = sync.children().unwrap_or_default();
        let brings_labels = collections.iter().any(|collection| {
            collection.attrs().optional_string("name").as_deref() == Some(COLLECTION)
        });
        if !brings_labels {
            return;
        }
        let Ok(lists) = parse_patch_lists_ref(sync) else {
            return;
        };
        for list in lists {
            if list.name.as_str() != COLLECTION {
                continue;
            }
            // Without the task the session is over.
            if let Some(place) = list.snapshot_ref {
                let _ = self.brought.send(Brought::Snapshot(Box::new(place)));
            }
            if !list.patches.is_empty() {
                let _ = self.brought.send(Brought::Patches(list.patches));
            }
        }
    }
}

/// Tells what was brought says of messages' labels.
///
/// Whatever official clients take off is set to be off; nothing is removed.
async fn read(client: &Arc<Client>, brought: Brought, mailbox: &Mailbox) {
    let mut keys = Keys::default();
    match brought {
        Brought::Snapshot(place) => {
            let Some(bytes) = download(client, &place).await else {
                return;
            };
            let Ok(snapshot) = waproto::codec::syncd_snapshot_decode(&bytes) else {
                tracing::warn!("a snapshot of labels cannot be read");
                return;
            };
            for record in &snapshot.records {
                tell_record(client, record, &mut keys, mailbox).await;
            }
        }
        Brought::Patches(patches) => {
            for patch in patches {
                for mutation in &mutations_of(client, patch).await {
                    let operation = mutation.operation.as_ref();
                    let is_set = operation.is_none_or(|kind| *kind == SyncdOperation::SET);
                    if is_set && let Some(record) = mutation.record.as_option() {
                        tell_record(client, record, &mut keys, mailbox).await;
                    }
                }
            }
        }
    }
}

/// A patch's changes; those of a large one are in a file of their own.
async fn mutations_of(client: &Arc<Client>, patch: wa::SyncdPatch) -> Vec<wa::SyncdMutation> {
    let Some(place) = patch.external_mutations.as_option() else {
        return patch.mutations;
    };
    let Some(bytes) = download(client, place).await else {
        return Vec::new();
    };
    let mutations = waproto::codec::syncd_mutations_decode(&bytes);
    mutations.map_or_else(
        |_| {
            tracing::warn!("changes of labels cannot be read");
            Vec::new()
        },
        |all| all.mutations,
    )
}

/// A file that application state names; the library downloads it for itself as well.
async fn download(client: &Arc<Client>, place: &wa::ExternalBlobReference) -> Option<Vec<u8>> {
    let bytes = client.download(place).await;
    if bytes.is_err() {
        tracing::warn!("labels of messages cannot be downloaded");
    }
    bytes.ok()
}

/// The keys of application state that were looked up, by their ids.
type Keys = HashMap<Vec<u8>, Option<ExpandedAppStateKeys>>;

/// Tells what a record says of a message's labels; one that cannot be decrypted says nothing, and
/// comes again once the library has its key.
async fn tell_record(
    client: &Arc<Client>,
    record: &wa::SyncdRecord,
    keys: &mut Keys,
    mailbox: &Mailbox,
) {
    let Some(id) = record.key_id.as_option().and_then(|key| key.id.clone()) else {
        return;
    };
    if !keys.contains_key(&id) {
        let key = expanded_key(client, &id).await;
        keys.insert(id.clone(), key);
    }
    let Some(Some(key)) = keys.get(&id) else {
        return;
    };
    let Ok((mutation, _)) = decode_record(SyncdOperation::SET, record, key, &id, true) else {
        return;
    };
    if let Some(change) = convert::message_labelled(&mutation) {
        mailbox.tell(EngineEvent::Label(change));
    }
}

async fn expanded_key(client: &Arc<Client>, id: &[u8]) -> Option<ExpandedAppStateKeys> {
    let backend = client.persistence_manager().backend();
    let key = backend.get_sync_key(id).await.ok()??;
    Some(expand_app_state_keys(&key.key_data))
}
