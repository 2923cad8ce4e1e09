//! All phones of a simulator.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc;

use crate::phone::actor::{Actor, Command};
use crate::phone::error::PhoneError;
use crate::phone::handle::Phone;
use crate::phone::log::{DEFAULT_CAPACITY, MessageLog};
use crate::phone::media::Media;
use crate::phone::record::PhoneRecord;
use crate::phone::shared::Shared;
use crate::phone::signal::{PhoneKeys, SignalState};
use crate::server::{Account, Server, ServerError};

/// What phones are made with.
#[derive(Debug, Clone, Copy)]
pub struct PhonesConfig {
    /// The newest messages that each phone keeps; four times as many older ones are still
    /// recognized when they arrive again.
    pub message_capacity: usize,
}

impl Default for PhonesConfig {
    fn default() -> Self {
        Self {
            message_capacity: DEFAULT_CAPACITY,
        }
    }
}

struct Inner {
    server: Server,
    config: PhonesConfig,
    media: Media,
    phones: RwLock<BTreeMap<String, Phone>>,
}

/// The phones of a simulator; cheap to clone, all clones are the same phones.
#[derive(Clone)]
pub struct Phones(Arc<Inner>);

impl std::fmt::Debug for Phones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phones").finish_non_exhaustive()
    }
}

impl Phones {
    /// Starts every phone that the journal knows.
    pub async fn start(server: Server) -> Result<Self, PhoneError> {
        Self::start_with(server, PhonesConfig::default()).await
    }

    /// Like [`Phones::start`], with limits of one's own.
    pub async fn start_with(server: Server, config: PhonesConfig) -> Result<Self, PhoneError> {
        let phones = Self(Arc::new(Inner {
            server,
            config,
            media: Media::default(),
            phones: RwLock::default(),
        }));
        let server = &phones.0.server;
        let mut records: BTreeMap<_, _> = PhoneRecord::all(server.store())?.into_iter().collect();
        for account in server.accounts() {
            // An account without a record is one whose creation was cut short.
            match records.remove(&account.number) {
                Some(record) => phones.run(&account, record)?,
                None => phones.make(&account)?,
            };
        }
        for (number, _) in records {
            phones.erase(&number)?;
        }
        for phone in phones.list() {
            phone.behaviour().await?;
        }
        Ok(phones)
    }

    /// Makes a phone; it is on the network and has prekeys on the server when this returns.
    pub async fn create(
        &self,
        number: Option<String>,
        push_name: Option<String>,
    ) -> Result<Phone, PhoneError> {
        let account = self
            .0
            .server
            .create_account(number.as_deref(), push_name.as_deref())?;
        let phone = self.make(&account)?;
        // The task answers after it has connected.
        phone.behaviour().await?;
        Ok(phone)
    }

    /// The phone with this number.
    pub fn get(&self, number: &str) -> Option<Phone> {
        let phones = self.0.phones.read().unwrap_or_else(PoisonError::into_inner);
        phones.get(number).cloned()
    }

    /// All phones, by number.
    pub fn list(&self) -> Vec<Phone> {
        let phones = self.0.phones.read().unwrap_or_else(PoisonError::into_inner);
        phones.values().cloned().collect()
    }

    /// Deletes a phone with its account, companions and messages.
    pub async fn delete(&self, number: &str) -> Result<(), PhoneError> {
        let removed = {
            let mut phones = self
                .0
                .phones
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            phones.remove(number)
        };
        let phone = removed.ok_or_else(unknown_phone)?;
        phone
            .ask(|reply| Command::Stop {
                is_erasing: true,
                reply,
            })
            .await??;
        self.0.media.forget(number);
        self.0.server.delete_account(number)?;
        Ok(())
    }

    /// Stops every phone's task; what they stored stays.
    pub async fn stop(&self) {
        let phones = {
            let mut phones = self
                .0
                .phones
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *phones)
        };
        for phone in phones.into_values() {
            let stopped = phone
                .ask(|reply| Command::Stop {
                    is_erasing: false,
                    reply,
                })
                .await;
            if !matches!(stopped, Ok(Ok(()))) {
                tracing::warn!("a phone did not stop in order");
            }
        }
    }

    fn make(&self, account: &Account) -> Result<Phone, PhoneError> {
        let now_ms = self.0.server.clock().now_ms();
        let record = PhoneRecord::new(&PhoneKeys::generate(now_ms)?, now_ms)?;
        let mut batch = self.0.server.store().batch();
        record.write(&mut batch, &account.number)?;
        batch.commit()?;
        self.run(account, record)
    }

    fn run(&self, account: &Account, record: PhoneRecord) -> Result<Phone, PhoneError> {
        let server = self.0.server.clone();
        let keys = record.keys()?;
        let number = account.number.clone();
        let capacity = self.0.config.message_capacity;
        let log = MessageLog::restore(capacity, server.store(), &number)?;
        let signal =
            SignalState::restore(keys.clone(), record.next_prekey_id, server.store(), &number)?;
        let shared = Arc::new(Shared::new(
            server.clone(),
            account,
            keys,
            record.raw_id,
            log,
            self.0.media.clone(),
        ));
        let (mail, mailbox) = mpsc::unbounded_channel();
        let phone = Phone {
            shared: shared.clone(),
            mail: mail.clone(),
        };
        let actor = Actor::new(server, shared, record, signal, (mailbox, mail.downgrade()))?;
        tokio::spawn(actor.run());
        let mut phones = self
            .0
            .phones
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        phones.insert(number, phone.clone());
        Ok(phone)
    }

    fn erase(&self, number: &str) -> Result<(), PhoneError> {
        let journal = self.0.server.store();
        crate::phone::actor::erase(journal, number)
    }
}

/// No phone has the number.
pub(crate) fn unknown_phone() -> PhoneError {
    PhoneError::NotFound("no phone has this number".to_owned())
}

impl From<ServerError> for PhoneError {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::UnknownAccount | ServerError::UnknownDevice => {
                Self::NotFound(error.to_string())
            }
            ServerError::NumberTaken => Self::Conflict(error.to_string()),
            ServerError::InvalidNumber => Self::invalid("number", error.to_string()),
            ServerError::Journal(error) => Self::Journal(error),
        }
    }
}
