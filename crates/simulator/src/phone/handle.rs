//! The handle of a phone: what people, tests and the control API ask it to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use wacore_binary::Jid;

use crate::phone::actor::{Command, Mail, Reply, SendReply, TypingState};
use crate::phone::content::SendRequest;
use crate::phone::error::PhoneError;
use crate::phone::log::{MessageLog, MessageQuery, MessageStatus, StoredMessage};
use crate::phone::past::Past;
use crate::phone::record::Behaviour;
use crate::phone::shared::{Shared, gone};

/// How long the server may take to acknowledge what a phone sends.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);

/// What the server said about a message that a phone sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message id.
    pub id: String,
    /// When the server took it, in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// Albums: the ids of its files' messages.
    pub items: Vec<String>,
}

/// What a phone shows in a chat while its user is writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatState {
    /// The user is writing.
    Typing,
    /// The user is recording a voice message.
    Recording,
    /// The user has stopped.
    Paused,
}

/// A simulated phone; cheap to clone, all clones are the same phone.
#[derive(Clone)]
pub struct Phone {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mail: mpsc::UnboundedSender<Mail>,
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phone").finish_non_exhaustive()
    }
}

impl Phone {
    /// The number, digits only.
    pub fn number(&self) -> &str {
        &self.shared.number
    }

    /// The primary by phone number.
    pub fn jid(&self) -> &Jid {
        &self.shared.jid
    }

    /// The primary by LID.
    pub fn lid(&self) -> &Jid {
        &self.shared.lid
    }

    /// Sends a message, with its files; resolves when the server has taken it.
    pub async fn send(&self, request: SendRequest) -> Result<Sent, PhoneError> {
        request.validate()?;
        self.send_files(request).await
    }

    /// Sends a message whose file is at the media host.
    pub(crate) async fn send_composed(&self, request: SendRequest) -> Result<Sent, PhoneError> {
        self.acknowledged(|reply| Command::Send { request, reply })
            .await
    }

    /// Sends a text to a number.
    pub async fn send_text(&self, to: &str, text: &str) -> Result<Sent, PhoneError> {
        self.send(SendRequest::text(to, text)).await
    }

    /// Reacts to a message of the log; an empty emoji takes the reaction back.
    pub async fn react(&self, id: &str, emoji: &str) -> Result<Sent, PhoneError> {
        let (id, emoji) = (id.to_owned(), emoji.to_owned());
        self.acknowledged(|reply| Command::React { id, emoji, reply })
            .await
    }

    /// Gives an own text message a new text.
    pub async fn edit(&self, id: &str, text: &str) -> Result<Sent, PhoneError> {
        let (id, text) = (id.to_owned(), text.to_owned());
        self.acknowledged(|reply| Command::Edit { id, text, reply })
            .await
    }

    /// Deletes an own message for everybody.
    pub async fn revoke(&self, id: &str) -> Result<Sent, PhoneError> {
        let id = id.to_owned();
        self.acknowledged(|reply| Command::Revoke { id, reply })
            .await
    }

    /// Sends the read receipt of a received message.
    pub async fn read(&self, id: &str) -> Result<(), PhoneError> {
        let id = id.to_owned();
        self.done(|reply| Command::Read { id, reply }).await
    }

    /// Shows or hides that the user is writing to a number.
    pub async fn typing(&self, to: &str, state: ChatState) -> Result<(), PhoneError> {
        let to = to.to_owned();
        let state = match state {
            ChatState::Typing => TypingState::Composing,
            ChatState::Recording => TypingState::Recording,
            ChatState::Paused => TypingState::Paused,
        };
        self.done(|reply| Command::Typing { to, state, reply })
            .await
    }

    /// Says whether the user is there.
    pub async fn set_available(&self, is_available: bool) -> Result<(), PhoneError> {
        self.done(|reply| Command::Presence {
            is_available,
            reply,
        })
        .await
    }

    /// Takes the phone off the network; the server keeps what arrives.
    pub async fn go_offline(&self) -> Result<(), PhoneError> {
        self.done(|reply| Command::Offline { reply }).await
    }

    /// Brings the phone back.
    pub async fn go_online(&self) -> Result<(), PhoneError> {
        self.done(|reply| Command::Online { reply }).await
    }

    /// Changes what the phone does by itself.
    pub async fn set_behaviour(&self, behaviour: Behaviour) -> Result<(), PhoneError> {
        self.done(|reply| Command::Behave { behaviour, reply })
            .await
    }

    /// What the phone does by itself.
    pub async fn behaviour(&self) -> Result<Behaviour, PhoneError> {
        self.ask(|reply| Command::Behaviour { reply }).await
    }

    /// Loses every Signal session, as a phone with damaged storage would.
    pub async fn forget_sessions(&self) -> Result<(), PhoneError> {
        self.done(|reply| Command::ForgetSessions { reply }).await
    }

    /// Gives the phone a past, which companions that are linked from now on are sent.
    pub async fn set_past(&self, past: Past) -> Result<(), PhoneError> {
        past.validate()?;
        self.done(|reply| Command::SetPast { past, reply }).await
    }

    /// The messages that `query` asks for, oldest first.
    pub fn messages(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, PhoneError> {
        self.shared.log().list(query)
    }

    /// One message by its id.
    pub fn message(&self, id: &str) -> Option<StoredMessage> {
        self.shared.log().get(id).map(|entry| entry.message.clone())
    }

    /// Like [`Phone::messages`], but waits up to `wait` while there is none.
    pub async fn wait_for_messages(
        &self,
        query: &MessageQuery,
        wait: Duration,
    ) -> Result<Vec<StoredMessage>, PhoneError> {
        let mut changes = self.shared.watch();
        let found = tokio::time::timeout(wait, async {
            loop {
                changes.borrow_and_update();
                let found = self.messages(query)?;
                if !found.is_empty() || changes.changed().await.is_err() {
                    return Ok(found);
                }
            }
        });
        found.await.unwrap_or_else(|_| Ok(Vec::new()))
    }

    /// The first message that satisfies `is_wanted`; waits up to `wait` for it.
    ///
    /// `is_wanted` is asked while the phone's log is locked: it must not use the phone.
    pub async fn wait_for_message(
        &self,
        wait: Duration,
        mut is_wanted: impl FnMut(&StoredMessage) -> bool,
    ) -> Option<StoredMessage> {
        self.wait_for(wait, |log| log.find(&mut is_wanted).cloned())
            .await
    }

    /// Waits until an own message has come at least as far as `status`.
    pub async fn wait_for_status(&self, id: &str, status: MessageStatus, wait: Duration) -> bool {
        let has_come_far = |log: &MessageLog| {
            log.get(id)
                .is_some_and(|entry| entry.message.status >= status)
                .then_some(())
        };
        self.wait_for(wait, has_come_far).await.is_some()
    }

    /// Looks at the log at each of its changes until there is something to be found.
    async fn wait_for<T>(
        &self,
        wait: Duration,
        mut look: impl FnMut(&MessageLog) -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.shared.watch();
        let found = tokio::time::timeout(wait, async {
            loop {
                changes.borrow_and_update();
                let found = look(&self.shared.log());
                if found.is_some() {
                    return found;
                }
                changes.changed().await.ok()?;
            }
        });
        found.await.ok().flatten()
    }

    /// Asks the phone's task and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, PhoneError> {
        let (reply, answer) = oneshot::channel();
        self.mail
            .send(Mail::Command(command(reply)))
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    async fn done(&self, command: impl FnOnce(Reply) -> Command) -> Result<(), PhoneError> {
        self.ask(command).await?
    }

    async fn acknowledged(
        &self,
        command: impl FnOnce(SendReply) -> Command,
    ) -> Result<Sent, PhoneError> {
        tokio::time::timeout(ACK_TIMEOUT, self.ask(command))
            .await
            .map_err(|_| {
                PhoneError::Conflict("the server did not acknowledge in time".to_owned())
            })??
    }
}
