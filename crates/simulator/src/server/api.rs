//! The server's interface for phones, the control API and the socket.

use std::sync::Arc;

use rand::RngExt;
use rand::rngs::StdRng;
use wacore_binary::Jid;

use crate::accounting::Accounting;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::{Journal, JournalError};

use super::account::Account;
use super::error::ServerError;
use super::inner::{Inner, ServerConfig};
use super::record::{AccountRecord, DeviceRecord, device_key, namespace};
use super::state::{AccountCell, AccountState, DeviceState};

/// The WhatsApp server; cheap to clone, all clones are the same server.
#[derive(Debug, Clone)]
pub struct Server {
    pub(crate) inner: Arc<Inner>,
}

impl Server {
    /// A server that goes on with what its journal holds.
    pub fn open(config: ServerConfig, journal: Journal) -> Result<Self, JournalError> {
        Ok(Self {
            inner: Arc::new(Inner::open(config, journal)?),
        })
    }

    /// Registers an account with its primary device, as the registration on a phone would.
    ///
    /// Without a number one that is free is chosen. The primary is device 0; it uploads its keys
    /// through [`Server::attach`] like any other device.
    pub fn create_account(
        &self,
        number: Option<&str>,
        push_name: Option<&str>,
    ) -> Result<Account, ServerError> {
        if number.is_some_and(|number| !is_number(number)) {
            return Err(ServerError::InvalidNumber);
        }
        loop {
            let chosen = match number {
                Some(number) => number.to_owned(),
                None => self.inner.with_rng(random_number),
            };
            let record = AccountRecord {
                lid: self.inner.with_rng(random_lid),
                push_name: push_name.map_or_else(|| default_push_name(&chosen), str::to_owned),
                number: chosen,
                next_device_id: 1,
                next_key_index: 1,
                ..AccountRecord::default()
            };
            let cell = Arc::new(AccountCell::new(new_state(record.clone())));
            if !self.inner.directory.insert(cell.clone()) {
                if number.is_some() && self.inner.directory.by_number(&record.number).is_some() {
                    return Err(ServerError::NumberTaken);
                }
                continue;
            }
            let mut batch = self.inner.journal.batch();
            batch.put(namespace::ACCOUNT, &record.number, to_json(&record));
            batch.put(
                namespace::DEVICE,
                device_key(&record.number, 0),
                to_json(&DeviceRecord::default()),
            );
            batch.commit()?;
            return Ok(cell.describe());
        }
    }

    /// The account with this number.
    pub fn account(&self, number: &str) -> Option<Account> {
        Some(self.inner.directory.by_number(number)?.describe())
    }

    /// The account that a user's JID means, by phone number or by LID.
    pub fn account_of(&self, jid: &Jid) -> Option<Account> {
        Some(self.inner.directory.by_jid(jid)?.describe())
    }

    /// All accounts, by number.
    pub fn accounts(&self) -> Vec<Account> {
        self.inner
            .directory
            .all()
            .iter()
            .map(|cell| cell.describe())
            .collect()
    }

    /// Deletes an account; its companions are logged out.
    pub fn delete_account(&self, number: &str) -> Result<(), ServerError> {
        let companions = self
            .account(number)
            .ok_or(ServerError::UnknownAccount)?
            .devices;
        for device in companions {
            self.unlink(number, device.id, None)?;
        }
        self.leave_all_groups(&*self.cell(number)?)?;
        let cell = self
            .inner
            .directory
            .remove(number)
            .ok_or(ServerError::UnknownAccount)?;
        let link = {
            let mut state = cell.lock();
            state.is_deleted = true;
            state
                .devices
                .values_mut()
                .find_map(|device| device.live.take())
        };
        if let Some(live) = link {
            live.link.cut();
        }
        self.forget_account(number)?;
        Ok(())
    }

    /// Changes the name that the account is shown with.
    pub fn set_push_name(&self, number: &str, push_name: &str) -> Result<(), ServerError> {
        let cell = self.cell(number)?;
        let mut state = cell.lock();
        push_name.clone_into(&mut state.record.push_name);
        self.save_account(&state)?;
        Ok(())
    }

    /// What was accepted, delivered and acknowledged between each pair of numbers.
    pub fn accounting(&self) -> &Accounting {
        &self.inner.accounting
    }

    /// The faults that are waiting to strike.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Where the server takes its time from.
    pub fn clock(&self) -> &Clock {
        &self.inner.config.clock
    }

    /// Persistence for the phones half, in namespaces of its own (`phone…`).
    pub fn store(&self) -> &Journal {
        &self.inner.journal
    }

    /// Tells the server where it is reached, for the URLs in its stanzas.
    pub(crate) fn listens_on(&self, address: std::net::SocketAddr) {
        self.inner.set_address(address);
    }

    /// Cancelled when the simulator shuts down; phones may end with it.
    pub fn shutdown_token(&self) -> tokio_util::sync::CancellationToken {
        self.inner.shutdown.clone()
    }

    pub(crate) fn cell(&self, number: &str) -> Result<Arc<AccountCell>, ServerError> {
        self.inner
            .directory
            .by_number(number)
            .ok_or(ServerError::UnknownAccount)
    }

    pub(crate) fn save_account(&self, state: &AccountState) -> Result<(), JournalError> {
        self.inner.journal.put(
            namespace::ACCOUNT,
            &state.record.number,
            to_json(&state.record),
        )
    }

    pub(crate) fn save_device(
        &self,
        number: &str,
        record: &DeviceRecord,
    ) -> Result<(), JournalError> {
        self.inner.journal.put(
            namespace::DEVICE,
            device_key(number, record.id),
            to_json(record),
        )
    }

    fn forget_account(&self, number: &str) -> Result<(), JournalError> {
        let journal = &self.inner.journal;
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        batch.delete(namespace::ACCOUNT, number);
        batch.delete(namespace::PICTURE, number);
        let prefix = format!("{number}:");
        for space in [
            namespace::DEVICE,
            namespace::PREKEYS,
            namespace::PREKEYS_USED,
            namespace::QUEUE,
            namespace::APP_STATE,
        ] {
            for (key, _) in journal.scan_prefix(space, &prefix)? {
                batch.delete(space, key);
            }
        }
        transaction.commit()
    }
}

fn new_state(record: AccountRecord) -> AccountState {
    let mut state = AccountState {
        record,
        ..AccountState::default()
    };
    state.devices.insert(0, DeviceState::default());
    state
}

/// A record as its journal value.
pub(crate) fn to_json(record: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have string keys and serialize")
}

fn is_number(number: &str) -> bool {
    (7..=15).contains(&number.len())
        && !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Numbers in the range that the North American plan sets aside for fiction, and beyond it.
fn random_number(rng: &mut StdRng) -> String {
    format!("1555{:07}", rng.random_range(0..10_000_000_u32))
}

/// LIDs have 14 or 15 digits.
fn random_lid(rng: &mut StdRng) -> String {
    rng.random_range(100_000_000_000_000_u64..281_000_000_000_000)
        .to_string()
}

/// Every real account has a name, and clients wait for it at login.
fn default_push_name(number: &str) -> String {
    let tail = number.len().saturating_sub(4);
    format!("Phone {}", &number[tail..])
}
