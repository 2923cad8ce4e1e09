//! Linking and unlinking companions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::account::Device;
use super::api::{Server, to_json};
use super::error::{LinkError, ServerError};
use super::jids::Addressing;
use super::link::Outgoing;
use super::pairings::{Attempt, LinkCodeHello, LinkContext, NewDevice, Registration, SignedLink};
use super::record::{DeviceRecord, SignedPreKey, device_key, namespace};
use super::stanza::{
    child_bytes, content_bytes, marshal, number_attr, server_jid, stream_conflict, stream_error,
    text_attr,
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
        let record = self.allot(&account, &registration)?;
        let device_id = record.id;
        let signed = sign(self.context(&account, &record, registration))?;
        let (answer, answered) = oneshot::channel();
        let (first_login, logged_in) = oneshot::channel();
        {
            let mut waitings = self.inner.pairings.lock();
            waitings
                .first_logins
                .insert((number.to_owned(), device_id), first_login);
            let waiting = waitings
                .by_link
                .get_mut(&link_id)
                .ok_or(LinkError::Disconnected)?;
            let iq_id = self.inner.stanza_id();
            let success = self.pair_success(&account, &record, &signed, &iq_id);
            waiting.attempt = Some(Attempt {
                iq_id,
                device: NewDevice {
                    number: number.to_owned(),
                    record,
                    key_index_list: signed.key_index_list,
                },
                answer,
            });
            waiting.link.push(Outgoing::Stanza(marshal(&success)));
        }
        let outcome = self.await_link(answered, logged_in).await;
        self.inner
            .pairings
            .lock()
            .first_logins
            .remove(&(number.to_owned(), device_id));
        outcome?;
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
        logged_in: oneshot::Receiver<()>,
    ) -> Result<(), LinkError> {
        let limit = Duration::from_millis(self.inner.config.link_timeout_ms);
        tokio::time::timeout(limit, async {
            answered.await.map_err(|_| LinkError::Disconnected)??;
            logged_in.await.map_err(|_| LinkError::Disconnected)
        })
        .await
        .map_err(|_| LinkError::Timeout)?
    }

    /// The newest linking code that a companion asked for in this number's name.
    pub fn pending_link_code(&self, number: &str) -> Option<LinkCodeHello> {
        self.inner.pairings.lock().pending_hello(number).cloned()
    }

    /// Sends the primary's answer to a linking code to the companion that waits behind `pairing_ref`.
    ///
    /// On the wire this is the `link_code_companion_reg` notification of stage `primary_hello`
    /// (wacore `pair_code`); a device may as well send that stage as an iq of namespace `md`.
    pub fn send_primary_hello(
        &self,
        number: &str,
        pairing_ref: &str,
        wrapped_primary_ephemeral: Vec<u8>,
        primary_identity: Vec<u8>,
    ) -> Result<(), LinkError> {
        let account = self.cell(number).map_err(|_| LinkError::UnknownAccount)?;
        let mut waitings = self.inner.pairings.lock();
        let (_, waiting) = waitings
            .by_ref(pairing_ref, self.inner.config.clock.now_ms())
            .ok_or(LinkError::UnknownReference)?;
        let stage = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                NodeBuilder::new("link_code_pairing_wrapped_primary_ephemeral_pub")
                    .bytes(wrapped_primary_ephemeral)
                    .build(),
                NodeBuilder::new("primary_identity_pub")
                    .bytes(primary_identity)
                    .build(),
                NodeBuilder::new("link_code_pairing_ref")
                    .bytes(pairing_ref.as_bytes().to_vec())
                    .build(),
            ])
            .build();
        let notification = self.link_code_notification(account.jid(Addressing::Pn), stage);
        waiting.link.push(Outgoing::Stanza(marshal(&notification)));
        Ok(())
    }

    pub(super) fn link_code_notification(&self, from: Jid, stage: Node) -> Node {
        NodeBuilder::new("notification")
            .attr("from", from)
            .attr("type", "link_code_companion_reg")
            .attr("id", self.inner.stanza_id())
            .attr("t", self.inner.now_s())
            .children([stage])
            .build()
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

    pub(super) fn remove_device(
        &self,
        account: &AccountCell,
        device_id: u16,
        key_index_list: Option<Vec<u8>>,
    ) -> Result<(), ServerError> {
        let number = &*account.number;
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
            let mut batch = self.inner.journal.batch();
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
            batch.commit()?;
            (device.record.key_index, device.live)
        };
        if let Some(live) = live {
            let error = stream_conflict("device_removed");
            live.link.push(Outgoing::Last(marshal(&error)));
        }
        self.inner
            .accounting
            .forget_device(&self.inner.journal, number, device_id)?;
        self.announce_devices(account, "remove", device_id, key_index)?;
        Ok(())
    }

    fn allot(
        &self,
        account: &AccountCell,
        registration: &Registration,
    ) -> Result<DeviceRecord, LinkError> {
        let mut state = account.lock();
        // The primary is in the list too.
        if state.devices.len() > self.inner.config.max_companions {
            return Err(LinkError::TooManyDevices);
        }
        let record = DeviceRecord {
            id: state.record.next_device_id,
            key_index: state.record.next_key_index,
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
        };
        state.record.next_device_id += 1;
        state.record.next_key_index += 1;
        self.save_account(&state)?;
        Ok(record)
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
    fn finish_attempt(&self, new: NewDevice, answer: &Node) -> Result<(), LinkError> {
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
        let account = self
            .cell(&new.number)
            .map_err(|_| LinkError::UnknownAccount)?;
        let mut record = new.record;
        record.device_identity = identity;
        let (device_id, key_index) = (record.id, record.key_index);
        {
            let mut state = account.lock();
            state.record.key_index_list = new.key_index_list;
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
        }
        self.announce_devices(&account, "add", device_id, key_index)?;
        Ok(())
    }

    /// What an unpaired companion may send: answers to pairing, stages of linking by code, pings.
    pub(crate) fn handle_unpaired(&self, link_id: u64, node: &Node) {
        if node.tag != "iq" {
            return;
        }
        if let Some(attempt) = self.take_attempt(link_id, node) {
            let outcome = self.finish_attempt(attempt.device, node);
            let is_linked = outcome.is_ok();
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

    fn link_code_stage(&self, link_id: u64, iq: &Node, stage: &Node) -> Node {
        match text_attr(stage, "stage").as_deref() {
            Some("companion_hello") => self.companion_hello(link_id, iq, stage),
            Some("companion_finish") => self.companion_finish(link_id, iq, stage),
            _ => super::stanza::iq_error(iq, 400, "bad-request"),
        }
    }

    /// How long a linking code may be entered (wacore `pair_code`: 180 seconds).
    const CODE_VALID_MS: i64 = 180_000;

    fn companion_hello(&self, link_id: u64, iq: &Node, stage: &Node) -> Node {
        let Some(number) = super::stanza::jid_attr(stage, "jid").map(|jid| jid.user.to_string())
        else {
            return super::stanza::iq_error(iq, 400, "bad-request");
        };
        let (Some(wrapped), Some(noise_key)) = (
            child_bytes(stage, "link_code_pairing_wrapped_companion_ephemeral_pub"),
            child_bytes(stage, "companion_server_auth_key_pub"),
        ) else {
            return super::stanza::iq_error(iq, 400, "bad-request");
        };
        let Ok(account) = self.cell(&number) else {
            return super::stanza::iq_error(iq, 404, "item-not-found");
        };
        let text = |tag| {
            child_bytes(stage, tag)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default()
        };
        let hello = LinkCodeHello {
            pairing_ref: self.new_ref(),
            wrapped_companion_ephemeral: wrapped,
            companion_noise_key: noise_key,
            platform_id: text("companion_platform_id"),
            platform_display: text("companion_platform_display"),
        };
        let pairing_ref = NodeBuilder::new("link_code_pairing_ref")
            .bytes(hello.pairing_ref.as_bytes().to_vec())
            .build();
        {
            let mut waitings = self.inner.pairings.lock();
            let expires_at_ms = self.inner.config.clock.now_ms() + Self::CODE_VALID_MS;
            waitings.issue(hello.pairing_ref.clone(), link_id, expires_at_ms);
            waitings.hello(number.clone(), link_id, hello);
            if let Some(waiting) = waitings.by_link.get_mut(&link_id) {
                waiting.code_number = Some(number);
            }
        }
        let mut shown = stage.clone();
        if let Some(wacore_binary::NodeContent::Nodes(children)) = &mut shown.content {
            children.push(pairing_ref.clone());
        }
        let notification = self.link_code_notification(server_jid(), shown);
        self.push_to_device(&account, 0, &notification);
        let registered = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "companion_hello")
            .children([pairing_ref])
            .build();
        super::stanza::iq_result(iq, [registered])
    }

    /// The companion's key bundle, on to the primary.
    fn companion_finish(&self, link_id: u64, iq: &Node, stage: &Node) -> Node {
        let number = self
            .inner
            .pairings
            .lock()
            .by_link
            .get(&link_id)
            .and_then(|waiting| waiting.code_number.clone());
        let Some(account) = number.and_then(|number| self.cell(&number).ok()) else {
            return super::stanza::iq_error(iq, 404, "item-not-found");
        };
        let notification = self.link_code_notification(server_jid(), stage.clone());
        self.push_to_device(&account, 0, &notification);
        super::stanza::iq_result(iq, [])
    }
}
