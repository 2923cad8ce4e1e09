//! What is written when a request is accepted: all its messages, or none.

use std::sync::Arc;

use wagate_cluster::Refusal;
use wagate_engine::InboundMessage;
use wagate_model::{ChatType, Jid, MessageStatus, OutboxId, SendMode};
use wagate_store::{
    ChatFacts, ChatRef, Enqueued, IdempotencyKey, NewMessage, NewOutbox, Owned, RateDecision,
    StoreError,
};

use super::accept::{NotAccepted, check_status, invalid};
use super::checks::check_target;
use super::order::Order;
use super::own::{Author, own_message};
use crate::inbound::row_of;
use crate::session::Session;

/// When to try again what WhatsApp forbids for a time that it does not tell.
const UNKNOWN_WAIT_MS: i64 = 3_600_000;
/// Messages of one session that may wait in the outbox.
const MAX_WAITING: i64 = 10_000;

/// How long WhatsApp lets the account begin no chat, in seconds; nothing where it may.
pub(super) fn restricted_seconds(session: &Session, now_ms: i64) -> Option<i64> {
    let mut restrictions = session.restrictions();
    restrictions.retain(|restriction| restriction.holds_at(now_ms));
    if restrictions.is_empty() {
        return None;
    }
    // The last one to end decides; where WhatsApp does not say, it may be asked in an hour.
    let ends = restrictions.iter().map(|restriction| restriction.until);
    let until = ends
        .collect::<Option<Vec<_>>>()
        .and_then(|ends| ends.into_iter().max());
    let wait_ms = until.map_or(UNKNOWN_WAIT_MS, |until| until - now_ms);
    Some(wait_ms.saturating_add(999) / 1_000)
}

/// What became of a request.
pub(super) enum Accepted {
    /// Its messages are in the outbox.
    New {
        chat_jid: String,
        disappearing_seconds: Option<u32>,
    },
    /// It is a repetition; this is the first one's entry.
    Replayed(OutboxId),
    /// It waited for its time, and was taken back meanwhile.
    Withdrawn,
}

/// One message, with its reserved id.
pub(super) struct Part {
    pub(super) id: OutboxId,
    pub(super) wa_message_id: String,
    pub(super) order: Arc<Order>,
}

/// A request with all that its transaction needs.
pub(super) struct Entry {
    /// Its messages in their order: one, or an album and its files. The first one's outcome
    /// answers repetitions.
    pub(super) parts: Vec<Part>,
    pub(super) chat: Jid,
    pub(super) mode: SendMode,
    pub(super) key: Option<IdempotencyKey>,
    /// Whether it waited for its time in the store.
    pub(super) is_scheduled: bool,
    pub(super) now_ms: i64,
    pub(super) checks_depth: bool,
}

impl Entry {
    pub(super) fn first(&self) -> &Part {
        self.parts.first().expect("a request has a message")
    }

    pub(super) async fn store(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        may_be_stored: bool,
    ) -> Result<Accepted, NotAccepted> {
        let organization = owned.organization();
        let stored = if may_be_stored {
            owned.outbox(organization, self.first().id).await?
        } else {
            None
        };
        if self.is_scheduled && stored.is_none() && !owned.take_scheduled(self.first().id).await? {
            return Ok(Accepted::Withdrawn);
        }
        let facts = ChatFacts {
            jid: self.chat.to_string(),
            alias_jid: None,
            kind: ChatType::from(self.chat.kind()),
            name: None,
        };
        let mut chat = owned.upsert_chat(&facts, self.now_ms).await?;
        if self.first().order.task.is_counted() {
            owned.begin_timer(&mut chat).await?;
        }
        let timer = chat.disappearing_seconds;
        if let Some(stored) = stored {
            return Ok(Accepted::New {
                chat_jid: stored.chat_jid,
                disappearing_seconds: timer,
            });
        }
        let mut key = self.key.clone();
        for part in &self.parts {
            let order = part.order.in_chat(timer);
            match self
                .enqueue(owned, (part, &order), &chat, key.take())
                .await?
            {
                Enqueued::New => {}
                Enqueued::Replayed(id) => return Ok(Accepted::Replayed(id)),
                Enqueued::OtherRequest => return Err(NotAccepted::Refused(Refusal::KeyReused)),
            }
        }
        // From here on a refusal undoes all of it, the key included.
        self.check(owned, session, chat.id).await?;
        for part in &self.parts {
            self.check_part(owned, session, part).await?;
            let order = part.order.in_chat(timer);
            let message = self.message(owned, session, (part, &order)).await?;
            let row = NewMessage {
                status: Some(MessageStatus::Pending),
                ..row_of(&message, chat.id)
            };
            owned.defer_own_message(row, self.now_ms)?;
        }
        Ok(Accepted::New {
            chat_jid: chat.jid,
            disappearing_seconds: timer,
        })
    }

    async fn enqueue(
        &self,
        owned: &mut Owned<'_>,
        (part, order): (&Part, &Order),
        chat: &ChatRef,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Enqueued, NotAccepted> {
        let new = NewOutbox {
            id: part.id,
            session_id: owned.session(),
            wa_message_id: part.wa_message_id.clone(),
            chat_jid: chat.jid.clone(),
            mode: self.mode,
            request: serde_json::to_vec(order).map_err(StoreError::from)?,
            idempotency,
            next_attempt_at_ms: self.now_ms,
        };
        let organization = owned.organization();
        Ok(owned.enqueue(organization, &new, self.now_ms).await?)
    }

    async fn check(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        chat_id: i64,
    ) -> Result<(), NotAccepted> {
        let refuse = |refusal| Err(NotAccepted::Refused(refusal));
        // The account may have gone while this waited for its turn; what it had to send has
        // been given up then, and the next account must not send this.
        if let Err(refusal) = check_status(session, self.mode) {
            return refuse(refusal);
        }
        let request = self.first().order.task.request();
        if let Some(id) = request.and_then(|request| request.reply_to.as_ref())
            && owned.stored_message(chat_id, id, None).await?.is_none()
        {
            return refuse(invalid(
                "replyTo",
                "must be the id of a message in this chat",
            ));
        }
        if let Some(refusal) = self.check_new_chat(owned, session, chat_id).await? {
            return refuse(refusal);
        }
        if self.checks_depth {
            let (organization, session_id) = (owned.organization(), owned.session());
            if owned.outbox_depth(organization, session_id).await? > MAX_WAITING {
                return refuse(Refusal::Busy);
            }
        }
        Ok(())
    }

    /// Refuses what begins a chat while WhatsApp lets the account begin none.
    async fn check_new_chat(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        chat_id: i64,
    ) -> Result<Option<Refusal>, StoreError> {
        let Some(retry_after_seconds) = restricted_seconds(session, self.now_ms) else {
            return Ok(None);
        };
        let is_new_message = self.first().order.task.is_counted() && self.chat.kind().is_person();
        if !is_new_message || owned.has_exchanged(chat_id).await? {
            return Ok(None);
        }
        Ok(Some(Refusal::ReachoutRestricted {
            retry_after_seconds,
        }))
    }

    async fn check_part(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        part: &Part,
    ) -> Result<(), NotAccepted> {
        let refuse = |refusal| Err(NotAccepted::Refused(refusal));
        if let Err(refusal) = check_target(owned, &part.order.task).await? {
            return refuse(refusal);
        }
        if let Some(attachment) = &part.order.attachment
            && !owned.claim_attachment(attachment.id, part.id).await?
        {
            // It waited so long that its file was swept away: the caller has it still.
            return refuse(Refusal::Unavailable);
        }
        if self.mode == SendMode::Sync && part.order.is_counted() {
            let limits = session.settings().limits;
            match owned.take_rate(limits, self.now_ms).await? {
                RateDecision::Allowed => {}
                RateDecision::Limited {
                    retry_after_seconds,
                } => {
                    return refuse(Refusal::RateLimited {
                        retry_after_seconds,
                    });
                }
            }
        }
        Ok(())
    }

    /// The message as it would come in from another device of the account.
    async fn message(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        (part, order): (&Part, &Order),
    ) -> Result<InboundMessage, NotAccepted> {
        let account = session.account();
        let author = Author {
            account: account.as_ref(),
            at_ms: self.now_ms,
        };
        let id = &part.wa_message_id;
        Ok(own_message(owned, order, id, &self.chat, author, None).await?)
    }
}
