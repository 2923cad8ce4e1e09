//! Messages: what the account keeps of them, and that it played them.

use bytes::Bytes;
use wagate_cluster::{LiveReply, MessageRequest, Refusal};
use wagate_engine::{NamedMessage, is_played};
use wagate_model::{Jid, MessageStatus, TargetMessage};
use wagate_store::{StoreError, StoredMessage};

use super::chats::store_refusal;
use super::{Live, LiveResult};
use crate::inbound::raw_of;
use crate::outbox::ambiguous;
use crate::targets::{Named, named};

/// Kinds of rows that only change another message.
const ABOUT_OTHERS: [&str; 7] = [
    "reaction",
    "edit",
    "revoke",
    "poll_vote",
    "event_response",
    "pin",
    "keep",
];

/// A message that is stored.
pub(super) struct Found {
    /// The chat, by the address under which it is stored.
    pub(super) chat: Jid,
    /// The message, as other devices know it.
    pub(super) message: NamedMessage,
    row: i64,
    /// How far it is; for the account's own.
    status: Option<MessageStatus>,
    raw: Option<Bytes>,
}

impl Live<'_> {
    pub(super) async fn messages(&self, request: MessageRequest) -> LiveResult {
        match request {
            MessageRequest::Star { target, is_starred } => self.star(target, is_starred).await,
            MessageRequest::DeleteForMe { target, with_media } => {
                self.delete_for_me(target, with_media).await
            }
            MessageRequest::MarkPlayed { target } => self.mark_played(target).await,
        }
    }

    async fn star(&self, target: TargetMessage, is_starred: bool) -> LiveResult {
        let found = self.stored_message(target).await?;
        let told = self
            .connection
            .star_message(&found.chat, &found.message, is_starred);
        self.done(told.await)?;
        let (row, now_ms) = (found.row, self.cx.now_ms());
        self.session
            .commit::<_, StoreError, _>(&self.cx.store, move |owned| {
                Box::pin(async move { owned.star_message(row, is_starred, now_ms).await })
            })
            .await
            .map_err(|error| store_refusal(&error))?;
        Ok(LiveReply::Done)
    }

    async fn delete_for_me(&self, target: TargetMessage, with_media: bool) -> LiveResult {
        let found = self.kept_message(target).await?;
        if found.status == Some(MessageStatus::Pending) {
            return Err(Refusal::NotSent);
        }
        // What could not be sent is known here only.
        if found.status != Some(MessageStatus::Failed) {
            let told =
                self.connection
                    .delete_message_for_me(&found.chat, &found.message, with_media);
            self.done(told.await)?;
        }
        let (row, now_ms) = (found.row, self.cx.now_ms());
        self.session
            .commit::<_, StoreError, _>(&self.cx.store, move |owned| {
                Box::pin(async move { owned.delete_message(row, now_ms).await })
            })
            .await
            .map_err(|error| store_refusal(&error))?;
        Ok(LiveReply::Done)
    }

    async fn mark_played(&self, target: TargetMessage) -> LiveResult {
        let found = self.stored_message(target).await?;
        if found.message.is_from_me {
            return Err(invalid("must be a message of somebody else"));
        }
        if !found.raw.as_deref().is_some_and(is_played) {
            return Err(invalid(
                "must be a voice note, a video note or a message to be seen once",
            ));
        }
        let sender = found.message.sender.as_ref();
        let told = self
            .connection
            .mark_played(&found.chat, sender, &found.message.id);
        self.done(told.await)
    }

    /// Finds the message that a request is about, which other devices of the account know.
    pub(super) async fn stored_message(&self, target: TargetMessage) -> Result<Found, Refusal> {
        let found = self.kept_message(target).await?;
        match found.status {
            Some(MessageStatus::Pending | MessageStatus::Failed) => Err(Refusal::NotSent),
            _ => Ok(found),
        }
    }

    /// Finds the message that a request is about, whether it was sent or not.
    async fn kept_message(&self, target: TargetMessage) -> Result<Found, Refusal> {
        let found = self
            .session
            .commit::<_, StoreError, _>(&self.cx.store, move |owned| {
                let target = target.clone();
                Box::pin(async move {
                    let (organization, session) = (owned.organization(), owned.session());
                    let chat = owned
                        .chat(organization, session, target.chat.as_str())
                        .await?;
                    let named = named(owned, &target, false).await?;
                    Ok(chat.map(|chat| (chat.jid, target.id, named)))
                })
            })
            .await
            .map_err(|error| store_refusal(&error))?;
        let (chat, id, stored) = match found {
            Some((chat, id, Named::One(stored))) => (chat, id, stored),
            Some((_, _, Named::Ambiguous)) => return Err(ambiguous()),
            Some((_, _, Named::Nothing)) | None => return Err(Refusal::Missing),
        };
        if ABOUT_OTHERS.contains(&stored.kind.as_str()) {
            return Err(Refusal::Missing);
        }
        Ok(Found {
            chat: chat.parse().map_err(|_| Refusal::Internal)?,
            row: stored.id,
            status: stored.status.filter(|_| stored.is_from_me),
            raw: stored.content.as_ref().and_then(raw_of),
            message: named_message(id, &stored),
        })
    }
}

fn named_message(id: String, stored: &StoredMessage) -> NamedMessage {
    let sender = stored.sender_lid.as_ref().or(stored.sender_jid.as_ref());
    NamedMessage {
        id,
        is_from_me: stored.is_from_me,
        sender: sender.and_then(|sender| sender.parse().ok()),
        timestamp_ms: stored.timestamp_ms,
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::Invalid {
        field: "mid".to_owned(),
        message: message.to_owned(),
    }
}
