//! App state collections: patches in, patches and snapshots out, versions kept
//! (`w:sync:app:state`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use wacore::download::MediaType;
use wacore::upload::encrypt_media;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::{ExternalBlobReference, SyncdPatch, SyncdSnapshot, SyncdVersion};

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::record::namespace;
use crate::server::restore::patch_key;
use crate::server::stanza::{content_bytes, number_attr, text_attr};

/// The collections that WhatsApp knows.
const COLLECTIONS: [&str; 5] = [
    "critical_block",
    "critical_unblock_low",
    "regular",
    "regular_high",
    "regular_low",
];

/// How many patches one answer holds; more are announced with `has_more_patches`.
const MAX_PATCHES: usize = 200;

/// The media type of snapshots.
const SNAPSHOT_KIND: &str = "md-app-state";

/// So many patches a collection has at most; all of them are kept.
const MAX_STORED_PATCHES: u64 = 20_000;

impl Server {
    pub(super) fn iq_app_state(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        if request.child("delete_all_data").is_some() {
            return self.delete_app_state(request);
        }
        let Some(sync) = request.child("sync") else {
            return Ok(request.bad_request());
        };
        let mut answers = Vec::new();
        let mut changed = Vec::new();
        for asked in sync.get_children_by_tag("collection") {
            let name = text_attr(asked, "name").unwrap_or_default();
            let Some(name) = COLLECTIONS.into_iter().find(|known| *known == name) else {
                answers.push(collection_error(&name, 404, "item-not-found", None));
                continue;
            };
            let (answer, version) = self.sync_collection(request, name, asked)?;
            answers.push(answer);
            changed.extend(version.map(|version| (name, version)));
        }
        if !changed.is_empty() {
            let collections = changed.into_iter().map(|(name, version)| {
                NodeBuilder::new("collection")
                    .attr("name", name)
                    .attr("version", version)
                    .build()
            });
            let collections: Vec<Node> = collections.collect();
            self.notify_own_devices(request, "server_sync", collections)?;
        }
        Ok(request.result([NodeBuilder::new("sync").children(answers).build()]))
    }

    /// Takes a patch when there is one, and gives what is newer than the client's version.
    fn sync_collection(
        &self,
        request: &Request<'_>,
        name: &'static str,
        asked: &Node,
    ) -> Result<(Node, Option<u64>), JournalError> {
        let account = &request.session.account;
        let base = number_attr(asked, "version").unwrap_or_default();
        let patch = asked.get_optional_child("patch").and_then(content_bytes);
        let mut state = account.lock();
        let is_first = base == 0
            && text_attr(asked, "return_snapshot").as_deref() == Some("true")
            && state.held_before(request.session.device_id, name);
        let collection = state.collections.entry(name);
        if let Some(patch) = patch {
            if base != collection.version() {
                let current = collection.version();
                let newer = patches_node(collection.after(base, MAX_PATCHES));
                let mut error = collection_error(name, 409, "conflict", Some(current));
                if let Some(wacore_binary::NodeContent::Nodes(children)) = &mut error.content {
                    children.push(newer);
                }
                return Ok((error, None));
            }
            if collection.version() >= MAX_STORED_PATCHES {
                let error = collection_error(name, 507, "insufficient-storage", Some(base));
                return Ok((error, None));
            }
            let version = base + 1;
            let stored = with_version(patch, version);
            let key = patch_key(&account.number, name, version);
            let namespace = namespace::APP_STATE;
            self.inner.journal.put(namespace, key, stored.clone())?;
            collection.push(stored);
            let taken = NodeBuilder::new("collection")
                .attr("name", name)
                .attr("version", version)
                .build();
            return Ok((taken, Some(version)));
        }
        // A device has seen every change come since it was linked.
        if is_first && let Some(snapshot) = collection.snapshot() {
            // The media host has a lock of its own.
            drop(state);
            let answer = self.snapshot_node(&account.number, name, &snapshot)?;
            if let Some(answer) = answer {
                return Ok((answer, None));
            }
            state = account.lock();
        }
        let collection = state.collections.entry(name);
        let newer: Vec<(u64, Bytes)> = collection
            .after(base, MAX_PATCHES)
            .map(|(version, patch)| (version, patch.clone()))
            .collect();
        let reached = newer.last().map_or(base, |(version, _)| *version);
        let mut answer = NodeBuilder::new("collection")
            .attr("name", name)
            .attr("version", reached);
        if reached < collection.version() {
            answer = answer.attr("has_more_patches", "true");
        }
        if !newer.is_empty() {
            let newer = newer.iter().map(|(version, patch)| (*version, patch));
            answer = answer.children([patches_node(newer)]);
        }
        Ok((answer.build(), None))
    }

    /// Tells where a snapshot can be downloaded; `None` where the media host does not take it.
    ///
    /// Whom it is encrypted for does not matter: what it holds is encrypted already.
    fn snapshot_node(
        &self,
        number: &str,
        name: &'static str,
        snapshot: &SyncdSnapshot,
    ) -> Result<Option<Node>, JournalError> {
        let plain = snapshot.encode_to_vec();
        let Ok(sealed) = encrypt_media(&plain, MediaType::AppState) else {
            return Ok(None);
        };
        let token = URL_SAFE_NO_PAD.encode(sealed.file_enc_sha256);
        let stored = self.store_file(number, SNAPSHOT_KIND, &token, &sealed.data_to_upload)?;
        let Some(direct_path) = stored else {
            return Ok(None);
        };
        let place = ExternalBlobReference {
            media_key: Some(sealed.media_key.to_vec()),
            direct_path: Some(direct_path),
            handle: Some(token),
            file_size_bytes: Some(plain.len() as u64),
            file_sha256: Some(sealed.file_sha256.to_vec()),
            file_enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
        };
        let place = place.encode_to_vec();
        let snapshot_node = NodeBuilder::new("snapshot").bytes(place).build();
        let answer = NodeBuilder::new("collection")
            .attr("name", name)
            .attr("version", snapshot.version.version.unwrap_or_default())
            .children([snapshot_node])
            .build();
        Ok(Some(answer))
    }

    fn delete_app_state(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let account = &request.session.account;
        let mut state = account.lock();
        let mut batch = self.inner.journal.batch();
        let prefix = format!("{}:", account.number);
        for (key, _) in self
            .inner
            .journal
            .scan_prefix(namespace::APP_STATE, prefix)?
        {
            batch.delete(namespace::APP_STATE, key);
        }
        batch.commit()?;
        state.collections.clear();
        Ok(request.result([]))
    }
}

fn patches_node<'a>(patches: impl Iterator<Item = (u64, &'a Bytes)>) -> Node {
    let patches = patches.map(|(_, patch)| NodeBuilder::new("patch").bytes(patch.to_vec()).build());
    NodeBuilder::new("patches").children(patches).build()
}

fn collection_error(name: &str, code: u16, text: &'static str, current: Option<u64>) -> Node {
    let mut collection = NodeBuilder::new("collection")
        .attr("name", name)
        .attr("type", "error");
    if let Some(version) = current {
        collection = collection.attr("version", version);
    }
    let error = NodeBuilder::new("error")
        .attr("code", code)
        .attr("text", text)
        .build();
    collection.children([error]).build()
}

/// Appends field 1 of `SyncdPatch`, the `SyncdVersion`: where a field comes twice, the last counts.
fn with_version(mut patch: Vec<u8>, version: u64) -> Bytes {
    let addition = SyncdPatch {
        version: MessageField::some(SyncdVersion {
            version: Some(version),
        }),
        ..Default::default()
    };
    patch.extend_from_slice(&waproto::codec::syncd_patch_to_vec(&addition));
    patch.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_patch_knows_its_version() {
        for version in [1, 127, 128, 70_000] {
            let stored = with_version(Vec::new(), version);
            let patch = waproto::codec::syncd_patch_decode(&stored).unwrap();
            assert_eq!(patch.version.version, Some(version));
        }
    }
}
