//! The end of a send: row, result and events in one transaction, exactly once.

use std::sync::Arc;

use serde_json::value::to_raw_value;
use wagate_engine::Sent;
use wagate_model::{ChatType, EventKind, Jid, MessageStatus, MessageStatusPayload};
use wagate_store::{
    Account, AdvancedMessage, ChatFacts, ChatRef, NewEvent, Owned, Result, StoreError,
};

use super::outcome::{Failure, Outcome};
use super::own::{Author, own_message};
use super::queue::Item;
use crate::context::Context;
use crate::inbound::{Batch, ChatAddress};
use crate::session::{CommitError, Session};

/// Stores that WhatsApp has the message.
pub(super) async fn finish_sent(
    cx: &Context,
    session: &Session,
    item: &Item,
    sent: &Sent,
) -> Result<()> {
    let now_ms = cx.now_ms();
    let address = ChatAddress {
        session: session.id(),
        chat: sent.chat.clone(),
        alias: sent.chat_alias.clone(),
    };
    let job = Arc::new(Finish {
        item: item.clone(),
        account: session.account(),
        known_chat: cx.familiar.chat(&address),
        chat: Some(address),
        at_ms: sent.timestamp_ms.unwrap_or(now_ms),
        now_ms,
        failure: None,
    });
    finish(cx, session, job).await
}

/// Stores that the message will not be sent.
pub(super) async fn finish_failed(
    cx: &Context,
    session: &Session,
    item: &Item,
    failure: Failure,
) -> Result<()> {
    let job = Finish::failed(item.clone(), session.account(), failure, cx.now_ms());
    finish(cx, session, Arc::new(job)).await
}

async fn finish(cx: &Context, session: &Session, job: Arc<Finish>) -> Result<()> {
    let id = job.item.id;
    let sent = session.held_sent_messages();
    let stored = sent.clone();
    let finishing = job.clone();
    let finished = session
        .commit(&cx.store, move |owned| {
            let (job, sent) = (finishing.clone(), sent.clone());
            Box::pin(async move {
                if let Some(sent) = sent {
                    sent.apply(owned);
                }
                job.store(owned).await
            })
        })
        .await;
    let count = |label| {
        metrics::counter!("wagate_gateway_sends_total", "outcome" => label).increment(1);
    };
    let (outcome, chat) = match finished {
        Ok(finished) => finished,
        Err(NotFinished::FinishedBefore) => {
            count("finished_before");
            return Ok(());
        }
        Err(NotFinished::Store(error)) => return Err(error),
    };
    if let Some(stored) = stored {
        stored.committed();
    }
    if let (Some(address), Some(chat)) = (&job.chat, chat) {
        cx.familiar.remember_chat(address.clone(), chat);
    }
    count(if outcome.error.is_some() {
        "failed"
    } else {
        "sent"
    });
    cx.waiters.finish(id, outcome);
    Ok(())
}

/// Why the end of a message was not stored.
#[derive(Debug)]
pub(super) enum NotFinished {
    /// Another owner has finished it.
    FinishedBefore,
    Store(StoreError),
}

impl From<StoreError> for NotFinished {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl CommitError for NotFinished {
    fn as_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::FinishedBefore => None,
        }
    }
}

/// The end of one message.
pub(super) struct Finish {
    item: Item,
    account: Option<Account>,
    /// The chat and its other address, where WhatsApp has the message.
    chat: Option<ChatAddress>,
    /// The chat's row, where it is remembered; it may be gone by now.
    known_chat: Option<ChatRef>,
    at_ms: i64,
    now_ms: i64,
    failure: Option<Failure>,
}

impl Finish {
    /// The end of a message that will not be sent.
    pub(super) fn failed(
        item: Item,
        account: Option<Account>,
        failure: Failure,
        now_ms: i64,
    ) -> Self {
        Self {
            item,
            account,
            chat: None,
            known_chat: None,
            at_ms: now_ms,
            now_ms,
            failure: Some(failure),
        }
    }

    /// Gives the outcome, and the chat's row where it was written.
    pub(super) async fn store(
        &self,
        owned: &mut Owned<'_>,
    ) -> Result<(Outcome, Option<ChatRef>), NotFinished> {
        let item = &self.item;
        let ids = [item.wa_message_id.clone()];
        let (mut status, mut error) = match &self.failure {
            Some(failure) => (MessageStatus::Failed, Some(failure)),
            None => (MessageStatus::Sent, None),
        };
        let text = error.map(|failure| failure.message.as_str());
        let advanced = owned
            .advance_messages(&ids, status, text, self.now_ms)
            .await?;
        if advanced.is_empty()
            && let Some(now) = owned.own_message_status(&item.wa_message_id).await?
            && now.ack_level() > 0
        {
            // A receipt that came first is proof that it was sent, whatever the attempt said.
            (status, error) = (now, None);
        }
        let mut outcome = match error {
            Some(failure) => {
                Outcome::failed(item.mode, &item.wa_message_id, self.at_ms, failure.clone())
            }
            None => Outcome::sent(item.mode, &item.wa_message_id, status, self.at_ms),
        };
        outcome.result.file_message_ids = item.order.files();
        let result = to_raw_value(&outcome).map_err(StoreError::from)?;
        if !owned
            .finish_send(item.id, error.is_none(), &result, self.now_ms)
            .await?
        {
            return Err(NotFinished::FinishedBefore);
        }
        if item.order.attachment.is_some() {
            owned.drop_attachments(&[item.id]).await?;
        }
        let known = self.known_chat_of(&advanced);
        let written = match known {
            Some(_) => None,
            None => self.write_chat(owned).await?,
        };
        let chat = known.or(written.as_ref()).cloned();
        if error.is_none() {
            self.tell_sent(owned, chat.as_ref()).await?;
        }
        let chat_jid = match chat {
            Some(chat) => chat.jid,
            None => self.stored_chat_jid(owned).await?,
        };
        if !advanced.is_empty() {
            let payload = MessageStatusPayload {
                chat_jid: chat_jid.clone(),
                message_ids: ids.to_vec(),
                sender_jid: None,
                status,
                timestamp: self.at_ms,
                error: error.map(|failure| failure.message.clone()),
            };
            self.tell(owned, EventKind::MessageStatus, &payload, &chat_jid)?;
        }
        Ok((outcome, written))
    }

    /// The remembered chat, where the message's own row is in it.
    ///
    /// Somebody may have deleted the chat since it was remembered; the message is in a new row
    /// of it then, or went with the old one.
    fn known_chat_of(&self, advanced: &[AdvancedMessage]) -> Option<&ChatRef> {
        let is_in = |chat: &&ChatRef| advanced.iter().any(|message| message.chat_id == chat.id);
        self.known_chat.as_ref().filter(is_in)
    }

    /// Writes what sending has taught: it may be the first to tell the chat's other address.
    async fn write_chat(&self, owned: &mut Owned<'_>) -> Result<Option<ChatRef>> {
        let Some(ChatAddress { chat, alias, .. }) = &self.chat else {
            return Ok(None);
        };
        let facts = ChatFacts {
            jid: chat.to_string(),
            alias_jid: alias.as_ref().map(Jid::to_string),
            kind: ChatType::from(chat.kind()),
            name: None,
        };
        owned.upsert_chat(&facts, self.now_ms).await.map(Some)
    }

    /// The chat as it was when the message was accepted.
    async fn stored_chat(&self, owned: &mut Owned<'_>) -> Result<Option<ChatRef>> {
        let (organization, session) = (owned.organization(), owned.session());
        let stored = owned.chat(organization, session, &self.item.chat).await?;
        Ok(stored.map(|chat| ChatRef {
            id: chat.id,
            jid: chat.jid,
            disappearing_seconds: None,
            is_empty: false,
        }))
    }

    /// The address that clients know the chat by.
    async fn stored_chat_jid(&self, owned: &mut Owned<'_>) -> Result<String> {
        let stored = self.stored_chat(owned).await?;
        Ok(stored.map_or_else(|| self.item.chat.to_string(), |chat| chat.jid))
    }

    fn tell<P: serde::Serialize>(
        &self,
        owned: &mut Owned<'_>,
        kind: EventKind,
        payload: &P,
        chat_jid: &str,
    ) -> Result<()> {
        let (organization, session) = (owned.organization(), owned.session());
        let event = NewEvent::new(organization, session, kind, self.now_ms, payload)?;
        owned.append_event(event.in_chat(chat_jid));
        Ok(())
    }

    /// Tells the message as it was sent, with what it changes.
    async fn tell_sent(&self, owned: &mut Owned<'_>, chat: Option<&ChatRef>) -> Result<()> {
        let item = &self.item;
        let stored = match chat {
            Some(_) => None,
            None => self.stored_chat(owned).await?,
        };
        let Some(chat) = chat.or(stored.as_ref()) else {
            return Ok(());
        };
        let address = self.chat.as_ref().map(|address| address.chat.clone());
        let Some(address) = address.or_else(|| chat.jid.parse().ok()) else {
            return Ok(());
        };
        let author = Author {
            account: self.account.as_ref(),
            at_ms: self.at_ms,
        };
        let uploaded = item.uploaded.as_deref();
        let (order, id) = (&item.order, &item.wa_message_id);
        let message = own_message(owned, order, id, &address, author, uploaded).await?;
        Batch::new(owned, self.now_ms)
            .write_sent(&message, chat)
            .await
    }
}
