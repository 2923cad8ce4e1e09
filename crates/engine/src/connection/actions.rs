//! What else can be done with an open session.

use std::sync::Arc;
use std::time::Duration;

use wagate_model::{Jid, JidKind};
use whatsapp_rust::Client;
use whatsapp_rust::error::ErrorChainExt;
use whatsapp_rust::features::{
    ChatStateType, MediaRetryResult, MediaReuploadError, MediaReuploadRequest, PresenceStatus,
};
use whatsapp_rust::wacore::iq::devices::RemoveCompanionDeviceSpec;
use whatsapp_rust::wacore::iq::keepalive::KeepaliveSpec;

use super::Connection;
use super::hook::{other_address, own};
use crate::convert::library_jid;
use crate::{
    Account, EndReason, EngineError, EngineEvent, Mark, MediaOrigin, RequestError, TypingState,
};

/// How long the account's name may take to come after the first login.
const NAME_PATIENCE: Duration = Duration::from_secs(10);
/// How long WhatsApp may take to answer a request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

impl Connection {
    /// The client, where it is logged in.
    pub(super) fn logged_in(&self) -> Result<&Arc<Client>, RequestError> {
        let client = &self.session().client;
        if client.is_logged_in() {
            Ok(client)
        } else {
            Err(RequestError::NotConnected)
        }
    }

    /// Whether the session is paired with an account.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        self.session().client.pn().is_some()
    }

    /// Whether the session is logged in and ready to send.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.session().attempt.is_connected() && self.session().client.is_logged_in()
    }

    /// Whether WhatsApp has taken the login; what waited there may still be coming in.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        self.session().client.is_logged_in()
    }

    /// Stores changed credentials now. The engine does so by itself, but soon is too late
    /// for who is about to tell others of the change.
    pub async fn save(&self) -> Result<(), EngineError> {
        let storage = self.session().client.persistence_manager();
        let saved = storage.flush().await;
        saved.map_err(|error| EngineError::Storage(error.into()))
    }

    /// The account, once paired.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        let client = &self.session().client;
        let own = own(client);
        let push_name = client.push_name();
        Some(Account {
            jid: own.phone?,
            lid: own.lid,
            platform: None,
            business_name: None,
            push_name: (!push_name.is_empty()).then_some(push_name),
        })
    }

    /// When WhatsApp last sent anything, in milliseconds since 1970.
    #[must_use]
    pub fn last_traffic_ms(&self) -> Option<i64> {
        let last = self.session().client.stats().last_data_received_ms;
        i64::try_from(last).ok().filter(|last| *last > 0)
    }

    /// Asks WhatsApp for a sign of life and waits for it; gives the time it took.
    pub async fn probe(&self, timeout: Duration) -> Result<Duration, RequestError> {
        let client = &self.session().client;
        if !client.is_logged_in() {
            return Err(RequestError::NotConnected);
        }
        let asked_at = tokio::time::Instant::now();
        let ping = client.execute(KeepaliveSpec::with_timeout(timeout));
        match tokio::time::timeout(timeout, ping).await {
            Ok(Ok(())) => Ok(asked_at.elapsed()),
            Ok(Err(error)) => Err(request_error(&error)),
            Err(_) => Err(RequestError::TimedOut),
        }
    }

    /// Drops the connection and makes a new one, when a probe stayed unanswered.
    pub async fn reconnect(&self) {
        self.session().client.reconnect_immediately().await;
    }

    /// Waits until all events that WhatsApp has brought about so far are dealt with.
    pub async fn settled(&self) {
        let (mark, is_dropped) = Mark::new();
        self.session().mailbox.tell(EngineEvent::Mark(mark));
        // Nothing is ever sent: the end is what is waited for.
        let _ = is_dropped.await;
    }

    /// A person's other address (phone number or LID), where the session knows it.
    pub async fn alias_of(&self, person: &Jid) -> Option<Jid> {
        other_address(&self.session().client, person).await
    }

    /// Tells a sender that messages of one chat were read. `sender` is needed in groups.
    pub async fn mark_read(
        &self,
        chat: &Jid,
        sender: Option<&Jid>,
        message_ids: &[String],
    ) -> Result<(), RequestError> {
        let client = &self.session().client;
        if !client.is_logged_in() {
            return Err(RequestError::NotConnected);
        }
        let ids: Vec<&str> = message_ids.iter().map(String::as_str).collect();
        // Receipts in direct chats name no participant.
        let sender = sender.filter(|_| !chat.kind().is_person()).map(library_jid);
        client
            .mark_as_read(&library_jid(chat), sender.as_ref(), &ids)
            .await
            .map_err(|_| RequestError::Failed)
    }

    /// Shows in a chat that this account types, records, or stopped.
    pub async fn set_typing(&self, chat: &Jid, state: TypingState) -> Result<(), RequestError> {
        let client = &self.session().client;
        if !client.is_logged_in() {
            return Err(RequestError::NotConnected);
        }
        let state = match state {
            TypingState::Composing => ChatStateType::Composing,
            TypingState::Recording => ChatStateType::Recording,
            TypingState::Paused => ChatStateType::Paused,
        };
        let sending = client.chatstate();
        sending
            .send(&library_jid(chat), state)
            .await
            .map_err(|_| RequestError::Failed)
    }

    /// Shows this account online or offline to others.
    pub async fn set_online(&self, is_online: bool) -> Result<(), RequestError> {
        let client = &self.session().client;
        if !client.is_logged_in() {
            return Err(RequestError::NotConnected);
        }
        let status = if is_online {
            PresenceStatus::Available
        } else {
            PresenceStatus::Unavailable
        };
        // It is shown with the account's name, which comes a moment after the first login.
        let mailbox = &self.session().mailbox;
        let named = mailbox.wait_for_name(|| !client.push_name().is_empty());
        let _ = tokio::time::timeout(NAME_PATIENCE, named).await;
        client
            .presence()
            .set(status)
            .await
            .map_err(|_| RequestError::Failed)
    }

    /// Asks for a person's presence from now on.
    pub async fn subscribe_presence(&self, person: &Jid) -> Result<(), RequestError> {
        let client = &self.session().client;
        if !client.is_logged_in() {
            return Err(RequestError::NotConnected);
        }
        if !matches!(person.kind(), JidKind::User | JidKind::Lid) {
            return Err(RequestError::Failed);
        }
        client
            .presence()
            .subscribe(library_jid(person))
            .await
            .map_err(|_| RequestError::Failed)
    }

    /// Asks the phone to send a message's file to WhatsApp again; gives the path where it is
    /// then, or nothing where the phone does not have it.
    pub async fn ask_for_media(
        &self,
        origin: &MediaOrigin,
    ) -> Result<Option<String>, RequestError> {
        let client = &self.session().client;
        if !client.is_logged_in() {
            return Err(RequestError::NotConnected);
        }
        let Some(media_key) = &origin.source.media_key else {
            // Files of channels have no key, and no phone of a member has them.
            return Ok(None);
        };
        let chat = library_jid(&origin.chat);
        let sender = origin
            .sender
            .as_ref()
            .filter(|_| !origin.chat.kind().is_person());
        let participant = sender.map(library_jid);
        let request = MediaReuploadRequest {
            msg_id: &origin.message_id,
            chat_jid: &chat,
            media_key,
            is_from_me: origin.from_me,
            participant: participant.as_ref(),
        };
        match client.media_reupload().request(&request).await {
            Ok(MediaRetryResult::Success { direct_path }) => Ok(Some(direct_path)),
            Ok(_) | Err(MediaReuploadError::InvalidRequest(_)) => Ok(None),
            Err(MediaReuploadError::Timeout) => Err(RequestError::TimedOut),
            Err(MediaReuploadError::Client(_) | MediaReuploadError::NotLoggedIn) => {
                Err(RequestError::NotConnected)
            }
            Err(_) => Err(RequestError::Failed),
        }
    }

    /// Unlinks this device at WhatsApp. `Ended(LoggedOutByRequest)` follows;
    /// the stored credentials are worthless from then on.
    ///
    /// When WhatsApp cannot be asked, nothing has changed.
    pub async fn logout(&self) -> Result<(), RequestError> {
        let session = self.session();
        let Some(own) = session
            .client
            .pn()
            .filter(|_| session.client.is_logged_in())
        else {
            return Err(RequestError::NotConnected);
        };
        session.attempt.ask_logout(true);
        let unlink = session.client.execute(RemoveCompanionDeviceSpec::new(&own));
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, unlink).await;
        let failure = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(request_error(&error)),
            Err(_) => Some(RequestError::TimedOut),
        };
        // WhatsApp may cut the connection instead of answering.
        if let Some(error) = failure
            && !session.attempt.is_over()
        {
            session.attempt.ask_logout(false);
            return Err(error);
        }
        session.attempt.end(EndReason::LoggedOutByRequest);
        Ok(())
    }
}

/// What a failed request means.
pub(super) fn request_error(error: &whatsapp_rust::IqError) -> RequestError {
    use whatsapp_rust::IqError;
    if let Some(refused) = error.server_rejection() {
        return RequestError::Refused { code: refused.code };
    }
    match error {
        IqError::Timeout => RequestError::TimedOut,
        IqError::NotConnected | IqError::Disconnected(_) | IqError::InternalChannelClosed => {
            RequestError::NotConnected
        }
        _ => RequestError::Failed,
    }
}
