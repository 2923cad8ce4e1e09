//! The state of a phone's task and its loop.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use wacore::request::RequestUtils;
use wacore_binary::Jid;

use super::connection::Connection;
use super::groups::KnownGroup;
use super::mail::{Command, Finish, Mail, SendReply};
use crate::journal::Journal;
use crate::phone::contacts::Contacts;
use crate::phone::error::PhoneError;
use crate::phone::log::MessageLog;
use crate::phone::record::PhoneRecord;
use crate::phone::shared::Shared;
use crate::phone::signal::SignalState;
use crate::server::Server;

/// One phone.
pub(crate) struct Actor {
    pub(super) server: Server,
    pub(super) journal: Journal,
    pub(super) shared: Arc<Shared>,
    pub(super) record: PhoneRecord,
    pub(super) signal: SignalState,
    pub(super) contacts: Contacts,
    /// The devices of users, by LID, as far as they have been asked for.
    pub(super) devices: HashMap<String, Vec<u16>>,
    /// Groups by id, as far as they have been asked for.
    pub(super) groups: HashMap<String, KnownGroup>,
    /// The devices that have been given this phone's key of a group, by its id. Not kept over a
    /// restart: they get it once more.
    pub(super) informed: HashMap<String, HashSet<Jid>>,
    pub(super) connection: Option<Connection>,
    /// Counts connections, so that what is left of an old one is recognized.
    pub(super) connection_count: u64,
    /// Connections in a row that were lost soon, or could not be opened.
    pub(super) bad_connections: u32,
    pub(super) requests: RequestUtils,
    /// Messages that the server has not acknowledged, with who waits for it.
    pub(super) unacknowledged: HashMap<String, Option<SendReply>>,
    /// The devices that each unacknowledged message was encrypted for.
    pub(super) sent_to: HashMap<String, Vec<Jid>>,
    /// How often each undecryptable message was asked for again.
    pub(super) asked_again: HashMap<(String, String), u8>,
    /// The code that was typed last and who waits for the companion's answer.
    pub(super) awaited_finish: Option<(Vec<u8>, Finish)>,
    /// Mail that arrived while an answer of the server was awaited.
    pub(super) backlog: VecDeque<Mail>,
    pub(super) mail: mpsc::UnboundedReceiver<Mail>,
    pub(super) own_mail: mpsc::WeakUnboundedSender<Mail>,
}

impl Actor {
    /// A phone with its state read from the journal.
    pub(crate) fn new(
        server: Server,
        shared: Arc<Shared>,
        record: PhoneRecord,
        signal: SignalState,
        channel: (
            mpsc::UnboundedReceiver<Mail>,
            mpsc::WeakUnboundedSender<Mail>,
        ),
    ) -> Result<Self, PhoneError> {
        let journal = server.store().clone();
        let mut contacts = Contacts::restore(&journal, &shared.number)?;
        contacts.learn(&shared.jid, &shared.lid);
        let (mail, own_mail) = channel;
        Ok(Self {
            requests: RequestUtils::new(format!("{:08x}", rand::random::<u32>())),
            server,
            journal,
            shared,
            record,
            signal,
            contacts,
            devices: HashMap::new(),
            groups: HashMap::new(),
            informed: HashMap::new(),
            connection: None,
            connection_count: 0,
            bad_connections: 0,
            unacknowledged: HashMap::new(),
            sent_to: HashMap::new(),
            asked_again: HashMap::new(),
            awaited_finish: None,
            backlog: VecDeque::new(),
            mail,
            own_mail,
        })
    }

    /// Runs until the phone is stopped or every handle is gone.
    pub(crate) async fn run(mut self) {
        self.connect_or_retry().await;
        loop {
            let mail = match self.backlog.pop_front() {
                Some(mail) => Some(mail),
                None => self.mail.recv().await,
            };
            match mail {
                Some(Mail::Stanza(connection, node)) => {
                    // On a lost connection only the server's word on what was sent still counts.
                    let is_wanted = self.is_connected() || node.tag == "ack";
                    if self.is_current(connection)
                        && is_wanted
                        && let Err(error) = self.on_stanza(node).await
                    {
                        tracing::warn!(%error, "phone could not handle a stanza");
                    }
                }
                Some(Mail::Closed(connection)) => {
                    if self.is_current(connection) {
                        self.on_closed().await;
                    }
                }
                Some(Mail::Reconnect) => self.connect_or_retry().await,
                Some(Mail::Command(Command::Stop { is_erasing, reply })) => {
                    self.end().await;
                    let erased = if is_erasing {
                        erase(&self.journal, &self.shared.number)
                    } else {
                        Ok(())
                    };
                    drop(self);
                    let _ = reply.send(erased);
                    return;
                }
                Some(Mail::Command(command)) => self.on_command(command).await,
                None => {
                    self.end().await;
                    return;
                }
            }
        }
    }

    /// Leaves the network and lets go of everything that handles could keep open.
    async fn end(&mut self) {
        self.disconnect().await;
        self.shared.close();
    }

    /// Writes everything that changed, in one commit, and wakes who waits for messages.
    pub(super) fn commit(&mut self) -> Result<(), PhoneError> {
        let number = &self.shared.number;
        let mut batch = self.journal.batch();
        self.signal.write_changes(&mut batch, number)?;
        self.contacts.write_changes(&mut batch, number);
        self.shared.log().write_changes(&mut batch, number)?;
        if self.record.next_prekey_id != self.signal.next_prekey_id() {
            self.record.next_prekey_id = self.signal.next_prekey_id();
            self.record.write(&mut batch, number)?;
        }
        batch.commit()?;
        self.shared.announce();
        Ok(())
    }

    /// Writes the record together with everything else that changed.
    pub(super) fn commit_record(&mut self) -> Result<(), PhoneError> {
        let mut batch = self.journal.batch();
        self.record.next_prekey_id = self.signal.next_prekey_id();
        self.record.write(&mut batch, &self.shared.number)?;
        batch.commit()?;
        self.commit()
    }
}

/// Deletes everything that the phone with this number has stored.
pub(crate) fn erase(journal: &Journal, number: &str) -> Result<(), PhoneError> {
    PhoneRecord::erase(journal, number)?;
    SignalState::erase(journal, number)?;
    Contacts::erase(journal, number)?;
    MessageLog::erase(journal, number)
}
