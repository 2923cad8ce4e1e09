//! The authoritative state of an account, under one lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use wacore_binary::Jid;

use super::account::{Account, Device};
use super::app_state::Collections;
use super::jids::Addressing;
use super::link::Link;
use super::prekeys::PreKeys;
use super::queue::Queue;
use super::record::{AccountRecord, DeviceRecord};

/// A device's connection as the account sees it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) link: Arc<Link>,
    /// While set, the connection itself reads the queue, from here on, and nothing is pushed.
    pub(crate) drain_from: Option<u64>,
    /// How many stanzas of its backlog the client has asked for.
    pub(crate) asked_for: usize,
    /// A passive connection gets answers only, until it says that it is active.
    pub(crate) is_passive: bool,
    /// Whether the device says that its user is there.
    pub(crate) is_available: bool,
}

/// One device of an account.
#[derive(Debug, Default)]
pub(crate) struct DeviceState {
    pub(crate) record: DeviceRecord,
    pub(crate) prekeys: PreKeys,
    pub(crate) queue: Queue,
    pub(crate) live: Option<Live>,
    /// Cleared when the prekeys have been refilled.
    pub(crate) was_told_of_low_prekeys: bool,
}

/// A connection that asked for an account's presence.
#[derive(Debug, Clone)]
pub(crate) struct Watcher {
    /// Whose connection it is.
    pub(crate) number: Box<str>,
    pub(crate) link: Arc<Link>,
    /// How the account was addressed.
    pub(crate) addressing: Addressing,
}

/// Everything that changes in an account.
#[derive(Debug, Default)]
pub(crate) struct AccountState {
    pub(crate) record: AccountRecord,
    pub(crate) devices: BTreeMap<u16, DeviceState>,
    /// Device ids with their key indexes that attempts to link have set aside.
    pub(crate) allotted: BTreeMap<u16, u32>,
    pub(crate) collections: Collections,
    /// Those that asked for this account's presence, by connection.
    pub(crate) watchers: BTreeMap<u64, Watcher>,
    pub(crate) is_deleted: bool,
}

/// Companions have the ids from 1 on; addresses hold a device in one byte.
const MAX_DEVICE_ID: u16 = 255;

impl AccountState {
    /// Whether a collection of app state held more than one change when a device was linked.
    pub(crate) fn held_before(&self, device_id: u16, collection: &str) -> bool {
        let device = self.devices.get(&device_id);
        device.is_some_and(|device| {
            let kept = &device.record.kept_before;
            kept.iter().any(|name| name == collection)
        })
    }

    /// A device id that no companion has, nor an attempt to link one.
    pub(crate) fn free_device_id(&self) -> Option<u16> {
        let next = self.record.next_device_id.clamp(1, MAX_DEVICE_ID);
        (next..=MAX_DEVICE_ID)
            .chain(1..next)
            .find(|id| !self.devices.contains_key(id) && !self.allotted.contains_key(id))
    }

    /// Whether another user has been blocked; users are blocked under their LID.
    pub(crate) fn has_blocked(&self, other: &AccountCell) -> bool {
        !self.record.blocklist.is_empty()
            && self
                .record
                .blocklist
                .contains(&other.jid(Addressing::Lid).to_string())
    }

    /// Whether any device says that the user is there.
    pub(crate) fn is_available(&self) -> bool {
        self.devices
            .values()
            .filter_map(|device| device.live.as_ref())
            .any(|live| live.is_available)
    }
}

/// An account and its lock. Two accounts are never locked at the same time.
#[derive(Debug)]
pub(crate) struct AccountCell {
    pub(crate) number: Box<str>,
    pub(crate) lid: Box<str>,
    state: Mutex<AccountState>,
}

impl AccountCell {
    pub(crate) fn new(state: AccountState) -> Self {
        Self {
            number: state.record.number.clone().into(),
            lid: state.record.lid.clone().into(),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, AccountState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account's user in the given addressing, without a device.
    pub(crate) fn jid(&self, addressing: Addressing) -> Jid {
        match addressing {
            Addressing::Pn => Jid::pn(&*self.number),
            Addressing::Lid => Jid::lid(&*self.lid),
        }
    }

    /// One of the account's devices in the given addressing.
    pub(crate) fn device_jid(&self, addressing: Addressing, device_id: u16) -> Jid {
        self.jid(addressing).with_device(device_id)
    }

    /// The account's devices, the primary included.
    pub(crate) fn device_ids(&self) -> Vec<u16> {
        self.lock().devices.keys().copied().collect()
    }

    pub(crate) fn describe(&self) -> Account {
        let state = self.lock();
        Account {
            number: self.number.to_string(),
            jid: self.jid(Addressing::Pn),
            lid: self.jid(Addressing::Lid),
            push_name: state.record.push_name.clone(),
            is_online: state
                .devices
                .get(&0)
                .is_some_and(|device| device.live.is_some()),
            devices: state
                .devices
                .values()
                .filter(|device| device.record.id != 0)
                .map(|device| self.describe_device(device))
                .collect(),
        }
    }

    pub(crate) fn describe_device(&self, device: &DeviceState) -> Device {
        let id = device.record.id;
        Device {
            id,
            jid: self.device_jid(Addressing::Pn, id),
            lid: self.device_jid(Addressing::Lid, id),
            key_index: device.record.key_index,
            platform: device.record.platform.clone(),
            is_online: device.live.is_some(),
            has_logged_in: device.record.has_logged_in,
            linked_at_ms: device.record.linked_at_ms,
        }
    }
}

#[derive(Debug, Default)]
struct Index {
    by_number: HashMap<Box<str>, Arc<AccountCell>>,
    by_lid: HashMap<Box<str>, Arc<AccountCell>>,
}

/// All accounts, by number and by LID.
#[derive(Debug, Default)]
pub(crate) struct Directory(RwLock<Index>);

impl Directory {
    pub(crate) fn insert(&self, cell: Arc<AccountCell>) -> bool {
        let mut index = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if index.by_number.contains_key(&cell.number) || index.by_lid.contains_key(&cell.lid) {
            return false;
        }
        index.by_lid.insert(cell.lid.clone(), cell.clone());
        index.by_number.insert(cell.number.clone(), cell);
        true
    }

    pub(crate) fn remove(&self, number: &str) -> Option<Arc<AccountCell>> {
        let mut index = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let cell = index.by_number.remove(number)?;
        index.by_lid.remove(&cell.lid);
        Some(cell)
    }

    pub(crate) fn by_number(&self, number: &str) -> Option<Arc<AccountCell>> {
        let index = self.0.read().unwrap_or_else(PoisonError::into_inner);
        index.by_number.get(number).cloned()
    }

    /// The account that a user's JID means.
    pub(crate) fn by_jid(&self, jid: &Jid) -> Option<Arc<AccountCell>> {
        let index = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match Addressing::of(jid)? {
            Addressing::Pn => index.by_number.get(jid.user.as_str()).cloned(),
            Addressing::Lid => index.by_lid.get(jid.user.as_str()).cloned(),
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<AccountCell>> {
        let index = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = index.by_number.values().cloned().collect();
        all.sort_by(|a, b| a.number.cmp(&b.number));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_device_id_fits_into_a_byte_and_is_nobody_s() {
        let mut state = AccountState::default();
        state.record.next_device_id = 254;
        state.devices.insert(0, DeviceState::default());
        state.devices.insert(254, DeviceState::default());
        state.allotted.insert(255, 1);
        assert_eq!(state.free_device_id(), Some(1));
        state.record.next_device_id = 256;
        state.allotted.clear();
        assert_eq!(state.free_device_id(), Some(255));
        for id in 1..=255 {
            state.devices.insert(id, DeviceState::default());
        }
        assert_eq!(state.free_device_id(), None);
    }
}
