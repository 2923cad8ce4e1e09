//! Chats: how the account keeps them, on all its devices.

use std::collections::BTreeMap;

use wagate_cluster::{ChatRequest, LiveReply, Refusal};
use wagate_engine::{NamedMessage, RequestError};
use wagate_model::{Chat, Jid, JidKind, Message};
use wagate_store::{ChatChange, StoreError};

use super::{Live, LiveResult};
use crate::inbound::chats;

/// Messages of a chat that are marked read on WhatsApp at once; older ones are not.
const MAX_RECEIPTS: i64 = 1_000;

/// What is stored of a chat once WhatsApp has taken it.
#[derive(Clone)]
enum Change {
    Settings(ChatChange),
    Unread,
}

impl Live<'_> {
    pub(super) async fn chats(&self, request: ChatRequest) -> LiveResult {
        match request {
            ChatRequest::Update {
                chat,
                is_archived,
                is_pinned,
                muted_until,
            } => {
                let change = ChatChange {
                    is_archived,
                    is_pinned,
                    muted_until,
                    disappearing_seconds: None,
                };
                self.update_chat(&chat, change).await
            }
            ChatRequest::SendReceipts { chat } => self.send_receipts(&chat).await,
            ChatRequest::MarkUnread { chat } => self.mark_unread(&chat).await,
            ChatRequest::Clear { chat } => {
                let (_, latest) = self.stored_chat(&chat).await?;
                self.done(self.connection.clear_chat(&chat, latest.as_ref()).await)
            }
            ChatRequest::Delete { chat } => {
                let (_, latest) = self.stored_chat(&chat).await?;
                self.done(self.connection.delete_chat(&chat, latest.as_ref()).await)
            }
        }
    }

    async fn update_chat(&self, chat: &Jid, wanted: ChatChange) -> LiveResult {
        let (_, latest) = self.stored_chat(chat).await?;
        // What WhatsApp has taken is kept, whatever becomes of the rest.
        let mut taken = ChatChange::default();
        let outcome = self
            .tell_settings(chat, wanted, latest.as_ref(), &mut taken)
            .await;
        self.store_in(chat, Change::Settings(taken)).await?;
        self.done(outcome)
    }

    async fn tell_settings(
        &self,
        chat: &Jid,
        wanted: ChatChange,
        latest: Option<&NamedMessage>,
        taken: &mut ChatChange,
    ) -> Result<(), RequestError> {
        if let Some(is_archived) = wanted.is_archived {
            self.connection
                .archive_chat(chat, is_archived, latest)
                .await?;
            taken.is_archived = Some(is_archived);
        }
        if let Some(is_pinned) = wanted.is_pinned {
            self.connection.pin_chat(chat, is_pinned).await?;
            taken.is_pinned = Some(is_pinned);
        }
        if let Some(until) = wanted.muted_until {
            let until_ms = Some(until).filter(|until| *until != 0);
            self.connection.mute_chat(chat, until_ms).await?;
            taken.muted_until = Some(until);
        }
        Ok(())
    }

    async fn mark_unread(&self, chat: &Jid) -> LiveResult {
        let (_, latest) = self.stored_chat(chat).await?;
        let marked = self.connection.mark_chat_unread(chat, latest.as_ref());
        self.done(marked.await)?;
        self.store_in(chat, Change::Unread).await?;
        Ok(LiveReply::Done)
    }

    /// Stores what has changed in a chat, as it is stored by then; one that is gone is left alone.
    async fn store_in(&self, chat: &Jid, change: Change) -> Result<(), Refusal> {
        let (now_ms, chat) = (self.cx.store.now_ms(), chat.clone());
        self.session
            .commit::<_, StoreError, _>(&self.cx.store, move |owned| {
                let (chat, change) = (chat.clone(), change.clone());
                Box::pin(async move {
                    let (organization, session) = (owned.organization(), owned.session());
                    let stored = owned.chat(organization, session, chat.as_str()).await?;
                    match (stored, change) {
                        (Some(stored), Change::Settings(taken)) => {
                            chats::change(owned, &stored, &taken, now_ms).await
                        }
                        (Some(stored), Change::Unread) => {
                            let unread = stored.unread_count.max(1);
                            chats::set_unread(owned, &stored, unread, now_ms).await
                        }
                        (None, _) => Ok(()),
                    }
                })
            })
            .await
            .map_err(|error| store_refusal(&error))
    }

    /// Tells the senders of a chat's unread messages that they were read.
    async fn send_receipts(&self, chat: &Jid) -> LiveResult {
        if !chat.kind().is_person() && chat.kind() != JidKind::Group {
            return Ok(LiveReply::Done);
        }
        let (stored, _) = self.stored_chat(chat).await?;
        let count = stored.unread_count.min(MAX_RECEIPTS);
        if count <= 0 {
            return Ok(LiveReply::Done);
        }
        let (organization, session) = (self.session.organization, self.session.id());
        let mut tx = self.cx.store.read().await.map_err(|e| store_refusal(&e))?;
        let unread = tx
            .latest_incoming(organization, session, stored.id, count)
            .await
            .map_err(|error| store_refusal(&error))?;
        drop(tx);
        let mut senders: BTreeMap<Option<Jid>, Vec<String>> = BTreeMap::new();
        for message in unread {
            let sender = sender_of(&message).filter(|_| chat.kind() == JidKind::Group);
            senders
                .entry(sender)
                .or_default()
                .push(message.wa_message_id);
        }
        for (sender, ids) in senders {
            let marked = self.connection.mark_read(chat, sender.as_ref(), &ids);
            self.done(marked.await)?;
        }
        Ok(LiveReply::Done)
    }

    /// A chat and its latest message, as they are stored.
    async fn stored_chat(&self, chat: &Jid) -> Result<(Chat, Option<NamedMessage>), Refusal> {
        let (organization, session) = (self.session.organization, self.session.id());
        let refused = |error: StoreError| store_refusal(&error);
        let mut tx = self.cx.store.read().await.map_err(refused)?;
        let stored = tx
            .chat(organization, session, chat.as_str())
            .await
            .map_err(refused)?
            .ok_or(Refusal::Missing)?;
        let newest = tx
            .messages(organization, session, stored.id, None, 1)
            .await
            .map_err(refused)?
            .pop();
        let latest = newest.map(|(_, message)| NamedMessage {
            sender: sender_of(&message),
            id: message.wa_message_id,
            is_from_me: message.from_me,
            timestamp_ms: message.timestamp,
        });
        Ok((stored, latest))
    }
}

/// Who sent a stored message, by the address under which groups know people.
fn sender_of(message: &Message) -> Option<Jid> {
    let sender = message.sender_lid.as_ref().or(message.sender_jid.as_ref());
    sender.and_then(|sender| sender.parse().ok())
}

pub(super) fn store_refusal(error: &StoreError) -> Refusal {
    match error {
        StoreError::Fenced => Refusal::NotOwner,
        _ => Refusal::Unavailable,
    }
}
