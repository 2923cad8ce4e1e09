//! Reading the state back from the journal.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::journal::{Journal, JournalError};

use super::queue::Queued;
use super::record::{AccountRecord, DeviceRecord, namespace, split_device_key};
use super::state::{AccountCell, AccountState, DeviceState, Directory};

type States = HashMap<String, AccountState>;

/// Every account with its devices, prekeys, queues and collections.
pub(super) fn directory(journal: &Journal) -> Result<Directory, JournalError> {
    let mut states = accounts(journal)?;
    devices(journal, &mut states)?;
    prekeys(journal, &mut states)?;
    queues(journal, &mut states)?;
    app_state(journal, &mut states)?;
    let directory = Directory::default();
    for state in states.into_values() {
        directory.insert(Arc::new(AccountCell::new(state)));
    }
    Ok(directory)
}

fn read<T: DeserializeOwned>(namespace: &'static str, value: &[u8]) -> Option<T> {
    let record = serde_json::from_slice(value).ok();
    if record.is_none() {
        tracing::warn!(
            journal.namespace = namespace,
            "skipped an unreadable record"
        );
    }
    record
}

fn accounts(journal: &Journal) -> Result<States, JournalError> {
    let mut states = States::new();
    for (_, value) in journal.scan(namespace::ACCOUNT)? {
        let Some(record) = read::<AccountRecord>(namespace::ACCOUNT, &value) else {
            continue;
        };
        let number = record.number.clone();
        let state = AccountState {
            record,
            ..AccountState::default()
        };
        states.insert(number, state);
    }
    Ok(states)
}

fn devices(journal: &Journal, states: &mut States) -> Result<(), JournalError> {
    for (key, value) in journal.scan(namespace::DEVICE)? {
        let Some((number, device_id, _)) = split_device_key(&key) else {
            continue;
        };
        let Some(state) = states.get_mut(number) else {
            continue;
        };
        if let Some(record) = read::<DeviceRecord>(namespace::DEVICE, &value) {
            let device = DeviceState {
                record,
                ..DeviceState::default()
            };
            state.devices.insert(device_id, device);
        }
    }
    Ok(())
}

/// The device and the number in its sequence that a journal key means.
fn locate<'a>(states: &'a mut States, key: &[u8]) -> Option<(&'a mut DeviceState, u64)> {
    let (number, device_id, rest) = split_device_key(key)?;
    let seq = u64::from_be_bytes(rest.try_into().ok()?);
    let device = states.get_mut(number)?.devices.get_mut(&device_id)?;
    Some((device, seq))
}

fn prekeys(journal: &Journal, states: &mut States) -> Result<(), JournalError> {
    let used: HashMap<Vec<u8>, usize> = journal
        .scan(namespace::PREKEYS_USED)?
        .into_iter()
        .filter_map(|(key, value)| {
            let used = u64::from_be_bytes(value.as_ref().try_into().ok()?);
            Some((key, usize::try_from(used).ok()?))
        })
        .collect();
    for (key, entries) in journal.scan(namespace::PREKEYS)? {
        let used = used.get(&key).copied().unwrap_or_default();
        if let Some((device, seq)) = locate(states, &key) {
            device.prekeys.restore(seq, entries, used);
        }
    }
    Ok(())
}

fn queues(journal: &Journal, states: &mut States) -> Result<(), JournalError> {
    for (key, value) in journal.scan(namespace::QUEUE)? {
        if let Some((device, seq)) = locate(states, &key)
            && let Some(queued) = Queued::restore(&value)
        {
            device.queue.insert(seq, Arc::new(queued));
        }
    }
    Ok(())
}

fn app_state(journal: &Journal, states: &mut States) -> Result<(), JournalError> {
    for (key, patch) in journal.scan(namespace::APP_STATE)? {
        let Some((number, rest)) = key
            .iter()
            .position(|byte| *byte == b':')
            .map(|at| (&key[..at], &key[at + 1..]))
        else {
            continue;
        };
        let Some(name) = rest
            .iter()
            .position(|byte| *byte == b':')
            .and_then(|at| std::str::from_utf8(&rest[..at]).ok())
        else {
            continue;
        };
        if let Some(state) = std::str::from_utf8(number)
            .ok()
            .and_then(|number| states.get_mut(number))
        {
            state.collections.entry(name).push(patch);
        }
    }
    Ok(())
}

/// The journal key of a patch; patches of a collection sort by version.
pub(super) fn patch_key(number: &str, collection: &str, version: u64) -> Vec<u8> {
    let mut key = format!("{number}:{collection}:").into_bytes();
    key.extend_from_slice(&version.to_be_bytes());
    key
}
