//! What is known of messages: of each by itself, and of those from one number to another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How far a message has come with one device of the recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceProgress {
    /// Queued by the server, or asked for again.
    Pending,
    /// Taken from the queue by the device with a nack: it will not read it.
    Refused,
    /// Taken over by the device.
    Delivered,
    /// Read with success by the device.
    Acknowledged,
}

/// What is known of one message.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Arrivals of the id after the first.
    pub duplicates: u32,
    /// The devices of the recipient that the message was sent to.
    pub devices: BTreeMap<u16, DeviceProgress>,
}

impl MessageRecord {
    /// Whether a device of the recipient has taken the message over.
    pub fn is_delivered(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress >= DeviceProgress::Delivered)
    }

    /// Whether a device of the recipient could read the message.
    pub fn is_acknowledged(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress == DeviceProgress::Acknowledged)
    }

    /// Whether a device has said that it cannot take the message.
    pub fn is_refused(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress == DeviceProgress::Refused)
    }

    /// Whether a device has not taken the message over.
    pub fn is_pending(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress == DeviceProgress::Pending)
    }
}

/// Messages that are only counted any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    /// All of them.
    pub accepted: u64,
    /// Those that a device has taken over.
    pub delivered: u64,
    /// Those that a device could read.
    pub acknowledged: u64,
    /// Those that a device has refused.
    pub refused: u64,
    /// Further arrivals of their ids.
    pub duplicates: u64,
}

impl Settled {
    pub(super) fn add(&mut self, record: &MessageRecord) {
        self.accepted += 1;
        self.delivered += u64::from(record.is_delivered());
        self.acknowledged += u64::from(record.is_acknowledged());
        self.refused += u64::from(record.is_refused());
        self.duplicates += u64::from(record.duplicates);
    }
}

/// The messages from one number to another.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// The sender's number.
    pub from: String,
    /// The recipient's number.
    pub to: String,
    /// The group in which they were sent; none where they were sent to the recipient alone.
    pub group: Option<String>,
    /// What is known of each message, by id.
    pub messages: BTreeMap<String, MessageRecord>,
    /// What is known of older ones.
    pub settled: Settled,
}
