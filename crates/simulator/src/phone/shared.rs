//! What a phone's task and its handles see together.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wacore_binary::Jid;

use crate::phone::calls::PhoneCall;
use crate::phone::error::PhoneError;
use crate::phone::log::MessageLog;
use crate::phone::media::Media;
use crate::phone::signal::PhoneKeys;
use crate::server::{Account, Server};

/// Identity, log and signals of one phone.
pub(crate) struct Shared {
    pub(crate) number: String,
    /// The primary by phone number.
    pub(crate) jid: Jid,
    /// The primary by LID.
    pub(crate) lid: Jid,
    pub(crate) keys: PhoneKeys,
    pub(crate) raw_id: u32,
    /// What all phones share for their files.
    pub(crate) media: Media,
    /// Gone when the phone's task has ended, so that handles keep nothing open.
    server: Mutex<Option<Server>>,
    log: Mutex<MessageLog>,
    calls: Mutex<VecDeque<PhoneCall>>,
    /// Counts the changes of the log; those who wait for messages watch it.
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(
        server: Server,
        account: &Account,
        keys: PhoneKeys,
        raw_id: u32,
        log: MessageLog,
        media: Media,
    ) -> Self {
        Self {
            number: account.number.clone(),
            jid: account.jid.clone(),
            lid: account.lid.clone(),
            keys,
            raw_id,
            media,
            server: Mutex::new(Some(server)),
            log: Mutex::new(log),
            calls: Mutex::new(VecDeque::new()),
            changes: watch::Sender::new(0),
        }
    }

    /// The server, while the phone runs.
    pub(crate) fn server(&self) -> Result<Server, PhoneError> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.clone().ok_or_else(gone)
    }

    /// Lets go of the server.
    pub(crate) fn close(&self) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        *server = None;
    }

    /// The log; hold it shortly, and never across an await.
    pub(crate) fn log(&self) -> MutexGuard<'_, MessageLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls, oldest first; hold them shortly, and never across an await.
    pub(crate) fn calls(&self) -> MutexGuard<'_, VecDeque<PhoneCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody who waits for messages.
    pub(crate) fn announce(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// A receiver that resolves on the next change of the log.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// The phone's task has ended.
pub(crate) fn gone() -> PhoneError {
    PhoneError::NotFound("the phone is gone".to_owned())
}
