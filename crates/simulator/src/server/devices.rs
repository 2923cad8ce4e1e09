//! Telling everybody concerned that an account's list of devices has changed.

use std::sync::Arc;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::journal::JournalError;

use super::api::Server;
use super::deliver::{Parcel, parcels};
use super::jids::Addressing;
use super::state::{AccountCell, AccountState};

impl Server {
    /// Sends `account_sync` to the account's own devices and `devices` to the correspondents that
    /// have talked to it.
    pub(super) fn announce_devices(
        &self,
        account: &Arc<AccountCell>,
        change: &'static str,
        device_id: u16,
        key_index: u32,
    ) -> Result<(), JournalError> {
        let at_s = self.inner.now_s();
        let (own, list_hash) = {
            let state = account.lock();
            (
                self.own_parcels(account, &state, device_id),
                devices_hash(account, &state, Addressing::Pn),
            )
        };
        self.deliver(account, own)?;
        let signed_list = account.lock().record.key_index_list.clone();
        let mut concerned = self.inner.accounting.correspondents(&account.number);
        for group in self.inner.groups.of_member(&account.number) {
            concerned.extend(group.members.keys().cloned());
        }
        concerned.remove(&*account.number);
        for number in concerned {
            let Some(contact) = self.inner.directory.by_number(&number) else {
                continue;
            };
            let mut device = NodeBuilder::new("device")
                .attr("jid", account.device_jid(Addressing::Pn, device_id))
                .attr("lid", account.device_jid(Addressing::Lid, device_id));
            if key_index != 0 {
                device = device.attr("key-index", key_index);
            }
            let mut list = NodeBuilder::new("key-index-list").attr("ts", at_s);
            if change == "add" {
                list = list.bytes(signed_list.clone());
            }
            let details = NodeBuilder::new(change)
                .attr("device_hash", list_hash.clone())
                .children([device.build(), list.build()])
                .build();
            let node = NodeBuilder::new("notification")
                .attr("from", account.jid(Addressing::Pn))
                .attr("type", "devices")
                .attr("id", self.inner.stanza_id())
                .attr("t", at_s)
                .attr("lid", account.jid(Addressing::Lid))
                .children([details])
                .build();
            self.deliver_to_all(&contact, &node)?;
        }
        Ok(())
    }

    /// Delivers a stanza to every device of an account.
    pub(super) fn deliver_to_all(
        &self,
        account: &Arc<AccountCell>,
        node: &Node,
    ) -> Result<(), JournalError> {
        self.deliver(account, parcels(node, account.device_ids()))
    }

    fn own_parcels(
        &self,
        account: &AccountCell,
        state: &AccountState,
        changed: u16,
    ) -> Vec<Parcel> {
        let at_s = self.inner.now_s();
        let mut devices: Vec<Node> = state
            .devices
            .values()
            .map(|device| {
                let node = NodeBuilder::new("device")
                    .attr("jid", account.device_jid(Addressing::Pn, device.record.id))
                    .attr("lid", account.device_jid(Addressing::Lid, device.record.id));
                match device.record.key_index {
                    0 => node.build(),
                    key_index => node.attr("key-index", key_index).build(),
                }
            })
            .collect();
        devices.push(
            NodeBuilder::new("key-index-list")
                .attr("ts", state.record.key_index_list_at_s)
                .bytes(state.record.key_index_list.clone())
                .build(),
        );
        let list = NodeBuilder::new("devices")
            .attr("dhash", devices_hash(account, state, Addressing::Pn))
            .children(devices)
            .build();
        let node = NodeBuilder::new("notification")
            .attr("from", account.jid(Addressing::Pn))
            .attr("type", "account_sync")
            .attr("id", self.inner.stanza_id())
            .attr("t", at_s)
            .children([list])
            .build();
        let others = state.devices.keys().copied();
        parcels(&node, others.filter(|device_id| *device_id != changed))
    }
}

/// The hash of an account's device list (`dhash`, `device_hash`), computed like a `phash`.
pub(super) fn devices_hash(
    account: &AccountCell,
    state: &AccountState,
    addressing: Addressing,
) -> String {
    let jids: Vec<_> = state
        .devices
        .keys()
        .map(|device_id| account.device_jid(addressing, *device_id))
        .collect();
    super::phash::phash(&jids)
}
