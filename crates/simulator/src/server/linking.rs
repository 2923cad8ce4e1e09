//! Linking and unlinking companions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::journal::JournalError;

use super::account::Device;
use super::api::{Server, to_json};
use super::error::{LinkError, ServerError};
use super::jids::Addressing;
use super::link::Outgoing;
use super::pairings::{
    Allotted, Attempt, FirstLogin, LinkContext, NewDevice, Registration, SignedLink,
};
use super::record::{DeviceRecord, SignedPreKey, device_key, namespace};
use super::session::Session;
use super::stanza::{
    content_bytes, marshal, number_attr, server_jid, stream_conflict, stream_error, text_attr,
};
use super::state::{AccountCell, DeviceState};

impl Server {
    /// Links the companion that shows `pairing_ref`, in a QR code or behind a linking code.
    ///
    /// `sign` gets what the companion published and the allotted device id and key index, and
    /// returns what the primary signed. Resolves when the companion has answered
    /// `pair-device-sign` and logged in as the new device. After [`LinkError::Timeout`] the device
    /// may be linked all the same: the companion countersigned but was not seen to log in.
    pub async fn link_by_ref(
        &self,
        number: &str,
        pairing_ref: &str,
        sign: impl FnOnce(LinkContext) -> Result<SignedLink, LinkError> + Send,
    ) -> Result<Device, LinkError> {
        let account = self.cell(number).map_err(|_| LinkError::UnknownAccount)?;
        let (link_id, registration) = {
            let mut waitings = self.inner.pairings.lock();
            let (link_id, waiting) = waitings
                .by_ref(pairing_ref, self.inner.config.clock.now_ms())
                .ok_or(LinkError::UnknownReference)?;
            (link_id, waiting.registration.clone())
        };
        let allotted = self.allot(&account, &registration)?;
        let device_id = allotted.record.id;
        let signed = sign(self.context(&account, &allotted.record, registration))?;
        let (answer, answered) = oneshot::channel();
        let logged_in = FirstLogin::awaited(self, number, device_id);
        {
            let mut waitings = self.inner.pairings.lock();
            let waiting = waitings
                .by_link
                .get_mut(&link_id)
                .ok_or(LinkError::Disconnected)?;
            let iq_id = self.inner.stanza_id();
            let success = self.pair_success(&account, &allotted.record, &signed, &iq_id);
            let attempt = Attempt {
                iq_id,
                device: NewDevice {
                    allotted,
                    key_index_list: signed.key_index_list,
                },
                answer,
            };
            waiting.attempt = Some(attempt);
            waiting.link.push(Outgoing::Stanza(marshal(&success)));
        }
        self.await_link(answered, logged_in).await?;
        let state = account.lock();
        let device = state
            .devices
            .get(&device_id)
            .ok_or(LinkError::Disconnected)?;
        Ok(account.describe_device(device))
    }

    async fn await_link(
        &self,
        answered: oneshot::Receiver<Result<(), LinkError>>,
        mut logged_in: FirstLogin<'_>,
    ) -> Result<(), LinkError> {
        let limit = Duration::from_millis(self.inner.config.link_timeout_ms);
        tokio::time::timeout(limit, async {
            answered.await.map_err(|_| LinkError::Disconnected)??;
            let logged_in = &mut logged_in.receiver;
            logged_in.await.map_err(|_| LinkError::Disconnected)
        })
        .await
        .map_err(|_| LinkError::Timeout)?
    }

    /// Removes a companion, as the primary does in its list of linked devices or the companion
    /// itself when it logs out. `key_index_list` is the `ADVSignedKeyIndexList` without it.
    pub fn unlink(
        &self,
        number: &str,
        device_id: u16,
        key_index_list: Option<Vec<u8>>,
    ) -> Result<(), ServerError> {
        let account = self.cell(number)?;
        if device_id == 0 {
            return Err(ServerError::UnknownDevice);
        }
        self.remove_device(&account, device_id, key_index_list)
    }

    /// Publishes the `ADVSignedKeyIndexList` that the primary has signed anew, unless the one that
    /// it saw has been replaced meanwhile.
    pub(crate) fn replace_key_index_list(
        &self,
        number: &str,
        seen: &[u8],
        list: Vec<u8>,
    ) -> Result<(), ServerError> {
        let account = self.cell(number)?;
        let mut state = account.lock();
        if state.record.key_index_list == seen {
            state.record.key_index_list = list;
            state.record.key_index_list_at_s = self.inner.now_s();
            self.save_account(&state)?;
        }
        Ok(())
    }

    pub(super) fn remove_device(
        &self,
        account: &Arc<AccountCell>,
        device_id: u16,
        key_index_list: Option<Vec<u8>>,
    ) -> Result<(), ServerError> {
        let number = &*account.number;
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let (key_index, live) = {
            let mut state = account.lock();
            let device = state
                .devices
                .remove(&device_id)
                .ok_or(ServerError::UnknownDevice)?;
            if let Some(list) = key_index_list {
                state.record.key_index_list = list;
                state.record.key_index_list_at_s = self.inner.now_s();
            }
            batch.put(namespace::ACCOUNT, number, to_json(&state.record));
            batch.delete(namespace::DEVICE, device_key(number, device_id));
            for space in [
                namespace::PREKEYS,
                namespace::PREKEYS_USED,
                namespace::QUEUE,
            ] {
                let prefix = device_key(number, device_id);
                for (key, _) in self.inner.journal.scan_prefix(space, prefix)? {
                    batch.delete(space, key);
                }
            }
            (device.record.key_index, device.live)
        };
        let books = &self.inner.accounting;
        books.forget_device(batch, number, device_id);
        transaction.commit()?;
        if let Some(live) = live {
            let error = stream_conflict("device_removed");
            live.link.push(Outgoing::Last(marshal(&error)));
        }
        self.announce_devices(account, "remove", device_id, key_index)?;
        Ok(())
    }

    /// Sets a device id and a key index aside for as long as the attempt lasts.
    fn allot(
        &self,
        account: &Arc<AccountCell>,
        registration: &Registration,
    ) -> Result<Allotted, LinkError> {
        let mut state = account.lock();
        // The primary is in the list too.
        if state.devices.len() + state.allotted.len() > self.inner.config.max_companions {
            return Err(LinkError::TooManyDevices);
        }
        let id = state.free_device_id().ok_or(LinkError::TooManyDevices)?;
        let key_index = state.allotted.values().max().map_or(0, |taken| taken + 1);
        let key_index = key_index.max(state.record.next_key_index);
        state.allotted.insert(id, key_index);
        let record = DeviceRecord {
            id,
            key_index,
            noise_key: registration.noise_key.to_vec(),
            platform: registration.platform.clone(),
            linked_at_ms: self.inner.config.clock.now_ms(),
            registration_id: registration.registration_id,
            identity: registration.identity.to_vec(),
            signed_prekey: Some(SignedPreKey {
                id: registration.signed_prekey_id,
                public: registration.signed_prekey.clone(),
                signature: registration.signed_prekey_signature.clone(),
            }),
            device_identity: Vec::new(),
            has_logged_in: false,
            kept_before: state.collections.kept(),
        };
        drop(state);
        Ok(Allotted {
            account: account.clone(),
            record,
        })
    }

    fn context(
        &self,
        account: &AccountCell,
        record: &DeviceRecord,
        registration: Arc<Registration>,
    ) -> LinkContext {
        let mut valid_key_indexes: Vec<u32> = account
            .lock()
            .devices
            .values()
            .map(|device| device.record.key_index)
            .collect();
        valid_key_indexes.push(record.key_index);
        LinkContext {
            number: account.number.to_string(),
            jid: account.device_jid(Addressing::Pn, record.id),
            lid: account.device_jid(Addressing::Lid, record.id),
            key_index: record.key_index,
            valid_key_indexes,
            timestamp_s: self.inner.now_s(),
            registration,
        }
    }

    fn pair_success(
        &self,
        account: &AccountCell,
        record: &DeviceRecord,
        signed: &SignedLink,
        iq_id: &str,
    ) -> Node {
        let mut children = vec![
            NodeBuilder::new("device-identity")
                .bytes(signed.device_identity.clone())
                .build(),
            NodeBuilder::new("platform").attr("name", "android").build(),
            NodeBuilder::new("device")
                .attr("jid", account.device_jid(Addressing::Pn, record.id))
                .attr("lid", account.device_jid(Addressing::Lid, record.id))
                .build(),
        ];
        if let Some(props) = &signed.client_props {
            children.push(
                NodeBuilder::new("client-props")
                    .bytes(props.clone())
                    .build(),
            );
        }
        NodeBuilder::new("iq")
            .attr("from", server_jid())
            .attr("type", "set")
            .attr("id", iq_id)
            .attr("t", self.inner.now_s())
            .children([NodeBuilder::new("pair-success").children(children).build()])
            .build()
    }

    /// The companion's answer to `pair-success`: the link is made, or refused.
    fn finish_attempt(&self, new: &NewDevice, answer: &Node) -> Result<(), LinkError> {
        if text_attr(answer, "type").as_deref() == Some("error") {
            let code = answer
                .get_optional_child("error")
                .and_then(|error| number_attr(error, "code"))
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(500);
            return Err(LinkError::Refused { code });
        }
        let identity = answer
            .get_optional_child_by_tag(&["pair-device-sign", "device-identity"])
            .and_then(content_bytes)
            .ok_or(LinkError::Refused { code: 400 })?;
        let account = &new.allotted.account;
        let mut record = new.allotted.record.clone();
        record.device_identity = identity;
        let device_id = record.id;
        let mut state = account.lock();
        if state.is_deleted {
            return Err(LinkError::UnknownAccount);
        }
        state.record.next_device_id = device_id + 1;
        state.record.next_key_index = record.key_index + 1;
        state.record.key_index_list.clone_from(&new.key_index_list);
        state.record.key_index_list_at_s = self.inner.now_s();
        let mut batch = self.inner.journal.batch();
        batch.put(namespace::ACCOUNT, &*account.number, to_json(&state.record));
        batch.put(
            namespace::DEVICE,
            device_key(&account.number, device_id),
            to_json(&record),
        );
        batch.commit()?;
        let device = DeviceState {
            record,
            ..DeviceState::default()
        };
        state.devices.insert(device_id, device);
        Ok(())
    }

    /// A device is in use from its first login on: everybody concerned is told, and whoever links
    /// it.
    pub(crate) fn note_login(&self, session: &Session) -> Result<(), JournalError> {
        let (account, device_id) = (&session.account, session.device_id);
        let new_key_index = {
            let state = account.lock();
            let device = state.devices.get(&device_id);
            device
                .filter(|device| !device.record.has_logged_in)
                .map(|device| device.record.key_index)
        };
        if let Some(key_index) = new_key_index {
            self.announce_devices(account, "add", device_id, key_index)?;
            // Noted when all have been told: a process that is killed before tells them again.
            let mut state = account.lock();
            if let Some(device) = state.devices.get_mut(&device_id) {
                device.record.has_logged_in = true;
                self.save_device(&account.number, &device.record)?;
            }
        }
        let key = (account.number.to_string(), device_id);
        let waiting = self.inner.pairings.lock().first_logins.remove(&key);
        if let Some((_, waiting)) = waiting {
            // Whoever asked for the link may have stopped waiting.
            let _ = waiting.send(());
        }
        Ok(())
    }

    /// What an unpaired companion may send: answers to pairing, stages of linking by code, pings.
    pub(crate) fn handle_unpaired(&self, link_id: u64, node: &Node) {
        if node.tag != "iq" {
            return;
        }
        if let Some(attempt) = self.take_attempt(link_id, node) {
            let outcome = self.finish_attempt(&attempt.device, node);
            let is_linked = outcome.is_ok();
            drop(attempt.device);
            // Whoever asked for the link may have gone; the link stands all the same.
            let _ = attempt.answer.send(outcome);
            if is_linked {
                self.push_unpaired(link_id, Outgoing::Last(marshal(&stream_error(515))));
            }
            return;
        }
        if let Some(stage) = node.get_optional_child("link_code_companion_reg") {
            let reply = self.link_code_stage(link_id, node, stage);
            self.push_unpaired(link_id, Outgoing::Stanza(marshal(&reply)));
            return;
        }
        let kind = text_attr(node, "type");
        if matches!(kind.as_deref(), Some("get" | "set")) {
            let reply = if text_attr(node, "xmlns").as_deref() == Some("w:p") {
                super::stanza::iq_result(node, [])
            } else {
                super::stanza::iq_error(node, 401, "not-authorized")
            };
            self.push_unpaired(link_id, Outgoing::Stanza(marshal(&reply)));
        }
    }

    fn take_attempt(&self, link_id: u64, answer: &Node) -> Option<Attempt> {
        let id = text_attr(answer, "id")?;
        let mut waitings = self.inner.pairings.lock();
        let attempt = &mut waitings.by_link.get_mut(&link_id)?.attempt;
        if attempt.as_ref()?.iq_id == id {
            attempt.take()
        } else {
            None
        }
    }

    fn push_unpaired(&self, link_id: u64, outgoing: Outgoing) {
        let waitings = self.inner.pairings.lock();
        if let Some(waiting) = waitings.by_link.get(&link_id) {
            waiting.link.push(outgoing);
        }
    }
}
