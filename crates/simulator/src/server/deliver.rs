//! Handing stanzas to devices: durable ones by their queue, others only to live connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wacore_binary::Node;

use crate::faults::OutboundFate;
use crate::journal::JournalError;

use super::api::Server;
use super::link::{Link, Outgoing};
use super::queue::Queued;
use super::stanza::marshal;
use super::state::{AccountCell, DeviceState};

/// A stanza for one device.
pub(super) struct Parcel {
    pub(super) device_id: u16,
    pub(super) queued: Arc<Queued>,
}

impl Parcel {
    /// The same stanza for another device.
    pub(super) fn for_device(&self, device_id: u16) -> Self {
        Self {
            device_id,
            queued: self.queued.clone(),
        }
    }
}

/// The same stanza for several devices.
pub(super) fn parcels(node: &Node, device_ids: impl IntoIterator<Item = u16>) -> Vec<Parcel> {
    let Some(queued) = Queued::new(node).map(Arc::new) else {
        return Vec::new();
    };
    device_ids
        .into_iter()
        .map(|device_id| Parcel {
            device_id,
            queued: queued.clone(),
        })
        .collect()
}

impl Server {
    /// Queues stanzas for devices of one account, durably and all at once, and hands them to those
    /// that are connected.
    pub(super) fn deliver(
        &self,
        account: &Arc<AccountCell>,
        parcels: Vec<Parcel>,
    ) -> Result<(), JournalError> {
        if parcels.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin();
        transaction.deliver(account, parcels);
        transaction.commit()
    }

    /// Hands a queued stanza to the device's connection, unless that reads the queue itself.
    pub(super) fn push_queued(
        &self,
        account: &AccountCell,
        device: &mut DeviceState,
        seq: u64,
        queued: &Queued,
    ) {
        let Some(live) = &mut device.live else {
            return;
        };
        if live.drain_from.is_some() || live.is_passive {
            return;
        }
        if live.link.is_full() {
            // A slow reader goes on from its queue when it has caught up.
            live.drain_from = Some(seq);
            return;
        }
        match queued.stanza() {
            Some(stanza) => self.push_bytes(account, &live.link, queued.class.tag(), stanza),
            None => live.drain_from = Some(seq),
        }
    }

    /// Sends a stanza that is not kept to one device, when it is connected.
    pub(crate) fn push_to_device(&self, account: &AccountCell, device_id: u16, node: &Node) {
        let link = account
            .lock()
            .devices
            .get(&device_id)
            .and_then(|device| device.live.as_ref())
            .map(|live| live.link.clone());
        if let Some(link) = link {
            self.push_node(account, &link, node);
        }
    }

    /// Sends a stanza that is not kept on one connection.
    pub(crate) fn push_node(&self, account: &AccountCell, link: &Arc<Link>, node: &Node) {
        self.push_bytes(account, link, &node.tag, marshal(node));
    }

    fn push_bytes(&self, account: &AccountCell, link: &Arc<Link>, tag: &str, stanza: Bytes) {
        match self.inner.faults.outbound(&account.number, tag) {
            OutboundFate::Pass => {
                link.push(Outgoing::Stanza(stanza));
            }
            OutboundFate::Drop => {}
            OutboundFate::Duplicate => {
                link.push(Outgoing::Stanza(stanza.clone()));
                link.push(Outgoing::Stanza(stanza));
            }
            OutboundFate::Slow(delay_ms) => {
                link.push(Outgoing::Slow(stanza, delay_ms));
            }
            OutboundFate::Delay(delay_ms) => {
                let link = link.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    link.push(Outgoing::Stanza(stanza));
                });
            }
        }
    }
}
