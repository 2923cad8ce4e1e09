//! Handing stanzas to devices: durable ones by their queue, others only to live connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use wacore_binary::Node;

use crate::faults::OutboundFate;
use crate::journal::JournalError;

use super::api::Server;
use super::link::{Link, Outgoing};
use super::queue::{Class, Queued};
use super::record::{namespace, sequence_key};
use super::stanza::{jid_attr, marshal, text_attr};
use super::state::{AccountCell, AccountState};

/// A stanza for one device.
pub(crate) struct Parcel {
    pub(crate) device_id: u16,
    pub(crate) node: Node,
}

impl Server {
    /// Queues stanzas for devices of one account, durably and all at once, and hands them to those
    /// that are connected. `also` may add to the same journal write.
    pub(crate) fn deliver(
        &self,
        account: &AccountCell,
        parcels: Vec<Parcel>,
        also: impl FnOnce(&mut crate::journal::Batch<'_>),
    ) -> Result<(), JournalError> {
        let mut state = account.lock();
        let mut batch = self.inner.journal.batch();
        let mut queued = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let Some(class) = Class::of_tag(&parcel.node.tag) else {
                continue;
            };
            let Some(device) = state.devices.get_mut(&parcel.device_id) else {
                continue;
            };
            let stanza = marshal(&parcel.node);
            let seq = device.queue.next_seq();
            let value = journal_value(class, &stanza);
            batch.put(
                namespace::QUEUE,
                sequence_key(&account.number, parcel.device_id, seq),
                value,
            );
            device.queue.insert(seq, entry(class, &parcel.node, stanza));
            queued.push((parcel.device_id, seq));
        }
        also(&mut batch);
        if let Err(error) = batch.commit() {
            for (device_id, seq) in queued {
                if let Some(device) = state.devices.get_mut(&device_id) {
                    device.queue.remove(seq);
                }
            }
            return Err(error);
        }
        for (device_id, seq) in queued {
            self.push_queued(account, &mut state, device_id, seq);
        }
        Ok(())
    }

    /// Hands a queued stanza to the device's connection, unless that reads the queue itself.
    fn push_queued(
        &self,
        account: &AccountCell,
        state: &mut AccountState,
        device_id: u16,
        seq: u64,
    ) {
        let Some(device) = state.devices.get_mut(&device_id) else {
            return;
        };
        let Some(live) = &device.live else {
            return;
        };
        if live.drain_from.is_some() || live.is_passive {
            return;
        }
        let link = live.link.clone();
        let Some((_, queued)) = device.queue.take_batch(seq, 1).pop() else {
            return;
        };
        let tag = queued.class.tag();
        self.push_bytes(account, &link, tag, queued.stanza);
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

    /// Takes what a device acknowledged from its queue.
    pub(crate) fn acknowledge(
        &self,
        account: &AccountCell,
        device_id: u16,
        found: &Acknowledged<'_>,
    ) -> Result<Option<Queued>, JournalError> {
        let mut state = account.lock();
        let Some(device) = state.devices.get_mut(&device_id) else {
            return Ok(None);
        };
        let Some(seq) = device
            .queue
            .find(found.class, found.id, found.from_user, found.kind)
        else {
            return Ok(None);
        };
        let removed = device.queue.remove(seq);
        self.inner.journal.delete(
            namespace::QUEUE,
            sequence_key(&account.number, device_id, seq),
        )?;
        Ok(removed)
    }
}

/// What an acknowledgement says about the stanza that it means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledged<'a> {
    pub(crate) class: Class,
    pub(crate) id: &'a str,
    pub(crate) from_user: Option<&'a str>,
    pub(crate) kind: Option<&'a str>,
}

fn journal_value(class: Class, stanza: &Bytes) -> Bytes {
    let mut value = BytesMut::with_capacity(1 + stanza.len());
    value.put_u8(class as u8);
    value.put_slice(stanza);
    value.freeze()
}

fn entry(class: Class, node: &Node, stanza: Bytes) -> Queued {
    Queued {
        class,
        id: text_attr(node, "id").unwrap_or_default().into(),
        from_user: jid_attr(node, "from")
            .map(|jid| jid.user.as_str().into())
            .unwrap_or_default(),
        kind: text_attr(node, "type").unwrap_or_default().into(),
        stanza,
        was_sent: false,
    }
}
