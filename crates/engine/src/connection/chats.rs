//! How the account keeps its chats: told to its other devices by application state.

use std::pin::Pin;

use wagate_model::Jid;
use whatsapp_rust::features::{AppStateError, SyncActionMessageRange, message_key, message_range};
use whatsapp_rust::{Client, Jid as LibraryJid};

use super::Connection;
use super::actions::request_error;
use crate::convert::library_jid;
use crate::{NamedMessage, RequestError};

/// `muted_until` of a chat that is muted for ever.
const FOR_EVER: i64 = -1;

/// What other devices are told about a chat.
#[derive(Clone, Copy)]
enum Action {
    Archive(bool),
    Pin(bool),
    Mute(Option<i64>),
    MarkUnread,
    Clear,
    Delete,
}

/// The library's futures are nested so deeply that the compiler of every crate that waits for
/// them would have to be told; behind a pointer, made here, nobody sees their layout.
type Telling<'t> = Pin<Box<dyn Future<Output = Result<(), AppStateError>> + Send + 't>>;

impl Connection {
    /// Archives a chat, or takes it out of the archive.
    pub async fn archive_chat(
        &self,
        chat: &Jid,
        is_archived: bool,
        latest: Option<&NamedMessage>,
    ) -> Result<(), RequestError> {
        self.act(chat, Action::Archive(is_archived), latest).await
    }

    /// Pins a chat, or unpins it.
    pub async fn pin_chat(&self, chat: &Jid, is_pinned: bool) -> Result<(), RequestError> {
        self.act(chat, Action::Pin(is_pinned), None).await
    }

    /// Mutes a chat until a time in milliseconds since 1970 (-1: for ever), or unmutes it.
    pub async fn mute_chat(&self, chat: &Jid, until_ms: Option<i64>) -> Result<(), RequestError> {
        self.act(chat, Action::Mute(until_ms), None).await
    }

    /// Marks a chat unread on the account's other devices.
    pub async fn mark_chat_unread(
        &self,
        chat: &Jid,
        latest: Option<&NamedMessage>,
    ) -> Result<(), RequestError> {
        self.act(chat, Action::MarkUnread, latest).await
    }

    /// Removes all messages of a chat, starred ones and media too, on the account's devices.
    pub async fn clear_chat(
        &self,
        chat: &Jid,
        latest: Option<&NamedMessage>,
    ) -> Result<(), RequestError> {
        self.act(chat, Action::Clear, latest).await
    }

    /// Deletes a chat on the account's devices.
    pub async fn delete_chat(
        &self,
        chat: &Jid,
        latest: Option<&NamedMessage>,
    ) -> Result<(), RequestError> {
        self.act(chat, Action::Delete, latest).await
    }

    async fn act(
        &self,
        chat: &Jid,
        action: Action,
        latest: Option<&NamedMessage>,
    ) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let telling = tell(client, library_jid(chat), action, range(chat, latest));
        telling.await.map_err(|error| failure(&error))
    }
}

#[inline(never)]
fn tell(
    client: &Client,
    chat: LibraryJid,
    action: Action,
    range: Option<SyncActionMessageRange>,
) -> Telling<'_> {
    Box::pin(async move {
        let actions = client.chat_actions();
        match action {
            Action::Archive(true) => actions.archive_chat(&chat, range).await,
            Action::Archive(false) => actions.unarchive_chat(&chat, range).await,
            Action::Pin(true) => actions.pin_chat(&chat).await,
            Action::Pin(false) => actions.unpin_chat(&chat).await,
            Action::Mute(None) => actions.unmute_chat(&chat).await,
            Action::Mute(Some(FOR_EVER)) => actions.mute_chat(&chat).await,
            Action::Mute(Some(until_ms)) => actions.mute_chat_until(&chat, until_ms).await,
            Action::MarkUnread => actions.mark_chat_as_read(&chat, false, range).await,
            Action::Clear => actions.clear_chat(&chat, true, true, range).await,
            Action::Delete => actions.delete_chat(&chat, true, range).await,
        }
    })
}

/// Up to which message an action counts: what comes later on another device is not meant.
fn range(chat: &Jid, latest: Option<&NamedMessage>) -> Option<SyncActionMessageRange> {
    let latest = latest?;
    let seconds = latest.timestamp_ms.div_euclid(1000);
    let sender = latest
        .sender
        .as_ref()
        .filter(|_| !latest.is_from_me && !chat.kind().is_person())
        .map(library_jid);
    let key = message_key(
        &latest.id,
        &library_jid(chat),
        latest.is_from_me,
        sender.as_ref(),
    );
    Some(message_range(seconds, None, vec![(key, seconds)]))
}

pub(super) fn failure(error: &AppStateError) -> RequestError {
    let AppStateError::Internal(error) = error else {
        return RequestError::Failed;
    };
    let mut causes = error.chain();
    causes
        .find_map(|cause| cause.downcast_ref::<whatsapp_rust::IqError>())
        .map_or(RequestError::Failed, request_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latest(is_from_me: bool) -> NamedMessage {
        NamedMessage {
            id: "3EB0".into(),
            is_from_me,
            sender: Some("7@lid".parse().unwrap()),
            timestamp_ms: 1_767_225_700_999,
        }
    }

    #[test]
    fn ranges_end_with_the_latest_message() {
        let group: Jid = "1-2@g.us".parse().unwrap();
        let made = range(&group, Some(&latest(false))).unwrap();
        assert_eq!(made.last_message_timestamp, Some(1_767_225_700));
        let key = made.messages[0].key.as_option().unwrap();
        assert_eq!(key.id.as_deref(), Some("3EB0"));
        assert_eq!(key.remote_jid.as_deref(), Some("1-2@g.us"));
        assert_eq!(key.participant.as_deref(), Some("7@lid"));
        assert!(range(&group, None).is_none());
    }

    #[test]
    fn senders_are_named_for_others_in_groups_only() {
        for (chat, is_from_me) in [("1-2@g.us", true), ("7@lid", false), ("7@lid", true)] {
            let made = range(&chat.parse().unwrap(), Some(&latest(is_from_me))).unwrap();
            let key = made.messages[0].key.as_option().unwrap();
            assert_eq!(key.participant, None, "{chat}");
            assert_eq!(key.from_me, Some(is_from_me));
        }
    }
}
