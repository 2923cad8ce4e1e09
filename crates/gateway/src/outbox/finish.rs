//! The end of a send: row, result and events in one transaction, exactly once.

use std::sync::Arc;

use serde_json::value::to_raw_value;
use wagate_engine::Sent;
use wagate_model::{
    ChatType, EventKind, Jid, MessagePayload, MessageStatus, MessageStatusPayload, MessageType,
};
use wagate_store::{Account, ChatFacts, NewEvent, Owned, Result, StoreError};

use super::outcome::{Failure, Outcome};
use super::queue::Item;
use crate::context::Context;
use crate::inbound::mention_data;
use crate::session::Session;

/// Stores that WhatsApp has the message.
pub(super) async fn finish_sent(
    cx: &Context,
    session: &Session,
    item: &Item,
    sent: &Sent,
) -> Result<()> {
    let now_ms = cx.now_ms();
    let job = Arc::new(Finish {
        item: item.clone(),
        account: session.account(),
        chat: Some((sent.chat.clone(), sent.chat_alias.clone())),
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
    let now_ms = cx.now_ms();
    let job = Arc::new(Finish {
        item: item.clone(),
        account: session.account(),
        chat: None,
        at_ms: now_ms,
        now_ms,
        failure: Some(failure),
    });
    finish(cx, session, job).await
}

async fn finish(cx: &Context, session: &Session, job: Arc<Finish>) -> Result<()> {
    let id = job.item.id;
    let sent = session.held_sent_messages();
    let stored = sent.clone();
    let finished = session
        .commit(&cx.store, move |owned| {
            let (job, sent) = (job.clone(), sent.clone());
            Box::pin(async move {
                if let Some(sent) = sent {
                    sent.apply(owned).await?;
                }
                job.store(owned).await
            })
        })
        .await?;
    if let Some(stored) = stored {
        stored.committed();
    }
    let label = match &finished {
        Some(outcome) if outcome.error.is_some() => "failed",
        Some(_) => "sent",
        None => "finished_before",
    };
    metrics::counter!("wagate_gateway_sends_total", "outcome" => label).increment(1);
    if let Some(outcome) = finished {
        cx.waiters.finish(id, outcome);
    }
    Ok(())
}

/// Gives up all that a session still has to send: it has no account any more.
pub(crate) async fn abandon(cx: &Context, session: &Session, reason: &str) -> Result<()> {
    let page = cx.config.outbox.page;
    loop {
        let due = session
            .commit(&cx.store, move |owned| {
                Box::pin(async move { owned.due_outbox(i64::MAX, page).await })
            })
            .await?;
        if due.is_empty() {
            return Ok(());
        }
        for entry in due {
            let request = serde_json::from_slice(&entry.request)?;
            let item = Item {
                id: entry.record.id,
                wa_message_id: entry.record.wa_message_id,
                chat: entry.record.chat_jid.into(),
                mode: entry.record.mode,
                request: Arc::new(request),
                created_at_ms: entry.record.created_at_ms,
                attempts: entry.record.attempts,
            };
            finish_failed(cx, session, &item, Failure::new(reason)).await?;
        }
    }
}

/// The end of one message.
struct Finish {
    item: Item,
    account: Option<Account>,
    /// The chat and its other address, where WhatsApp has the message.
    chat: Option<(Jid, Option<Jid>)>,
    at_ms: i64,
    now_ms: i64,
    failure: Option<Failure>,
}

impl Finish {
    /// Gives the outcome, unless another owner has finished it before.
    async fn store(&self, owned: &mut Owned<'_>) -> Result<Option<Outcome>> {
        let item = &self.item;
        let chat_jid = self.chat_jid(owned).await?;
        let ids = [item.wa_message_id.clone()];
        let status_now = owned.own_message_status(&item.wa_message_id).await?;
        // A receipt that came first is proof that it was sent, whatever the attempt said.
        let has_arrived = status_now.is_some_and(|status| status.ack_level() > 0);
        let failure = self.failure.as_ref().filter(|_| !has_arrived);
        let outcome = if let Some(failure) = failure {
            Outcome::failed(item.mode, &item.wa_message_id, self.at_ms, failure.clone())
        } else {
            let status = status_now
                .filter(|_| has_arrived)
                .unwrap_or(MessageStatus::Sent);
            Outcome::sent(item.mode, &item.wa_message_id, status, self.at_ms)
        };
        let result = to_raw_value(&outcome)?;
        if !owned
            .finish_send(item.id, failure.is_none(), &result, self.now_ms)
            .await?
        {
            return Ok(None);
        }
        let status = if failure.is_some() {
            MessageStatus::Failed
        } else {
            MessageStatus::Sent
        };
        let error = failure.map(|failure| failure.message.as_str());
        let has_advanced = !has_arrived
            && !owned
                .advance_messages(&ids, status, error, self.now_ms)
                .await?
                .is_empty();
        if failure.is_none() {
            let payload = self.payload(owned, &chat_jid).await?;
            self.tell(owned, EventKind::MessageFromMe, &payload, &chat_jid)?;
        }
        if has_advanced {
            let payload = MessageStatusPayload {
                chat_jid: chat_jid.clone(),
                message_ids: ids.to_vec(),
                sender_jid: None,
                status,
                timestamp: self.at_ms,
                error: error.map(str::to_owned),
            };
            self.tell(owned, EventKind::MessageStatus, &payload, &chat_jid)?;
        }
        Ok(Some(outcome))
    }

    /// The address that clients know the chat by.
    async fn chat_jid(&self, owned: &mut Owned<'_>) -> Result<String> {
        let Some((chat, alias)) = &self.chat else {
            let (organization, session) = (owned.organization(), owned.session());
            let stored = owned.chat(organization, session, &self.item.chat).await?;
            return Ok(stored.map_or_else(|| self.item.chat.to_string(), |chat| chat.jid));
        };
        // Sending may be what teaches the chat's other address.
        let facts = ChatFacts {
            jid: chat.to_string(),
            alias_jid: alias.as_ref().map(Jid::to_string),
            kind: ChatType::from(chat.kind()),
            name: None,
        };
        Ok(owned.upsert_chat(&facts, self.now_ms).await?.jid)
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

    /// The payload of the message as it was sent.
    async fn payload(&self, owned: &mut Owned<'_>, chat_jid: &str) -> Result<MessagePayload> {
        let request = &self.item.request;
        let session = owned.session();
        let mentions = request.mentioned();
        let jids: Vec<String> = mentions.iter().map(Jid::to_string).collect();
        let people = owned.identities_of(session, &jids).await?;
        let mentions = mention_data(&mentions, &people);
        let quoted = match &request.reply_to {
            Some(id) => self.quoted(owned, chat_jid, id).await?,
            None => None,
        };
        let account = self.account.as_ref();
        Ok(MessagePayload {
            body: request.text.clone(),
            chat_jid: chat_jid.to_owned(),
            contact: None,
            from_me: true,
            has_media: false,
            location: None,
            media: None,
            mentions: (!mentions.is_empty()).then_some(mentions),
            poll: None,
            push_name: account.and_then(|account| account.push_name.clone()),
            quoted_body: quoted
                .as_ref()
                .and_then(|quoted| quoted.body.as_deref())
                .map(cut),
            quoted_from_me: quoted.as_ref().map(|quoted| quoted.is_from_me),
            quoted_message_id: request.reply_to.clone(),
            quoted_sender_jid: quoted.as_ref().and_then(|quoted| quoted.sender_jid.clone()),
            quoted_sender_lid: quoted.and_then(|quoted| quoted.sender_lid),
            reaction: None,
            selected_options: None,
            sender_jid: account.map(|account| account.jid.clone()),
            sender_lid: account.and_then(|account| account.lid.clone()),
            target_id: None,
            timestamp: self.at_ms,
            kind: MessageType::Text,
            wa_message_id: self.item.wa_message_id.clone(),
        })
    }

    async fn quoted(
        &self,
        owned: &mut Owned<'_>,
        chat_jid: &str,
        id: &str,
    ) -> Result<Option<wagate_store::StoredMessage>, StoreError> {
        let (organization, session) = (owned.organization(), owned.session());
        match owned.chat(organization, session, chat_jid).await? {
            Some(chat) => owned.stored_message(chat.id, id, None).await,
            None => Ok(None),
        }
    }
}

/// The most of a quoted text that an event bears.
const MAX_QUOTED_BYTES: usize = 4_096;

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_QUOTED_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_cut_between_characters() {
        let text = format!("a{}", "ä".repeat(4_000));
        let quoted = cut(&text);
        assert_eq!(quoted.len(), 4_095);
        assert!(text.starts_with(&quoted));
        assert_eq!(cut("short"), "short");
    }
}
