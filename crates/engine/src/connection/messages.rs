//! What the account keeps of messages, told to its other devices, and that it played them.

use std::pin::Pin;

use wagate_model::Jid;
use whatsapp_rust::features::AppStateError;
use whatsapp_rust::{Client, Jid as LibraryJid};

use super::Connection;
use super::chats::failure;
use crate::convert::library_jid;
use crate::{NamedMessage, RequestError};

/// What other devices are told about a message.
#[derive(Clone, Copy)]
enum Action {
    Star(bool),
    DeleteForMe { with_media: bool },
}

/// As in [`super::chats`]: nobody sees the layout of the library's futures.
type Telling<'t> = Pin<Box<dyn Future<Output = Result<(), AppStateError>> + Send + 't>>;

impl Connection {
    /// Stars a message, or takes the star back, on the account's devices.
    pub async fn star_message(
        &self,
        chat: &Jid,
        message: &NamedMessage,
        is_starred: bool,
    ) -> Result<(), RequestError> {
        self.act_on(chat, message, Action::Star(is_starred)).await
    }

    /// Deletes a message on the account's devices, and nobody else's.
    pub async fn delete_message_for_me(
        &self,
        chat: &Jid,
        message: &NamedMessage,
        with_media: bool,
    ) -> Result<(), RequestError> {
        self.act_on(chat, message, Action::DeleteForMe { with_media })
            .await
    }

    /// Tells the sender of a message that it was played. `sender` is needed in groups.
    pub async fn mark_played(
        &self,
        chat: &Jid,
        sender: Option<&Jid>,
        message_id: &str,
    ) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        // Receipts in direct chats name no participant.
        let sender = sender.filter(|_| !chat.kind().is_person()).map(library_jid);
        client
            .mark_as_played(&library_jid(chat), sender.as_ref(), &[message_id])
            .await
            .map_err(|_| RequestError::Failed)
    }

    /// Mutes a person's stories or no longer does, on the account's devices.
    pub async fn mute_status(&self, person: &Jid, is_muted: bool) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let telling = tell_mute(client, library_jid(person), is_muted);
        telling.await.map_err(|error| failure(&error))
    }

    async fn act_on(
        &self,
        chat: &Jid,
        message: &NamedMessage,
        action: Action,
    ) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let telling = tell(
            client,
            library_jid(chat),
            participant(chat, message),
            message,
            action,
        );
        telling.await.map_err(|error| failure(&error))
    }
}

#[inline(never)]
fn tell<'t>(
    client: &'t Client,
    chat: LibraryJid,
    participant: Option<LibraryJid>,
    message: &'t NamedMessage,
    action: Action,
) -> Telling<'t> {
    Box::pin(async move {
        let actions = client.chat_actions();
        let (id, is_from_me) = (message.id.as_str(), message.is_from_me);
        let participant = participant.as_ref();
        match action {
            Action::Star(true) => {
                actions
                    .star_message(&chat, participant, id, is_from_me)
                    .await
            }
            Action::Star(false) => {
                actions
                    .unstar_message(&chat, participant, id, is_from_me)
                    .await
            }
            Action::DeleteForMe { with_media } => {
                let sent_at_s = message.timestamp_ms.div_euclid(1000);
                actions
                    .delete_message_for_me(
                        &chat,
                        participant,
                        id,
                        is_from_me,
                        with_media,
                        Some(sent_at_s),
                    )
                    .await
            }
        }
    })
}

#[inline(never)]
fn tell_mute(client: &Client, person: LibraryJid, is_muted: bool) -> Telling<'_> {
    Box::pin(async move {
        let actions = client.chat_actions();
        actions.set_user_status_mute(&person, is_muted).await
    })
}

/// Who sent a message, where that is not the account and the chat does not say it.
pub(super) fn participant(chat: &Jid, message: &NamedMessage) -> Option<LibraryJid> {
    message
        .sender
        .as_ref()
        .filter(|_| !message.is_from_me && !chat.kind().is_person())
        .map(library_jid)
}
