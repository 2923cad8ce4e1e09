//! Use cases of messages that are to be sent later.
//!
//! They are written into the store at once, also while their session is not connected; the
//! session's owner accepts them when their time has come.

use std::sync::Arc;

use wagate_cluster::SendCommand;
use wagate_model::{
    AttachmentId, Draft, Faults, ListScheduledMessage, MessageStatus, OrganizationId, OutboxId,
    ScheduledMessage, ScheduledStatus, SendMode, SendResult, SessionStatus, StatusDetail,
    StatusReason, limits, message_id,
};
use wagate_store::{
    Enqueued, IdempotencyKey, NewScheduled, ScheduledPosition, ScheduledRecord, Tx,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Reason, Result, What};
use crate::messages::store_key;
use crate::pages::{Page, cut};
use crate::service::Core;

const NOT_FOUND: Error = Error::NotFound(What::ScheduledMessage);

/// What became of a message that is to be sent later.
enum Scheduling {
    New,
    /// It was asked for before, under this id and WhatsApp's, as far as that is still known.
    Replayed(OutboxId, Option<String>),
}

/// A message with all that its transaction needs.
struct Entry {
    new: NewScheduled,
    key: Option<IdempotencyKey>,
    files: Vec<AttachmentId>,
    reply_to: Option<String>,
    /// What is said where no phone is attached.
    standing: (SessionStatus, Option<StatusReason>, Option<StatusDetail>),
    now_ms: i64,
}

impl Core {
    /// Keeps a message until its time has come.
    pub(crate) async fn schedule(
        &self,
        access: &SessionAccess,
        command: SendCommand,
        send_at_ms: i64,
    ) -> Result<SendResult> {
        let attachments = command.attachments.clone();
        let scheduled = self.store_scheduled(access, command, send_at_ms).await;
        let is_taken = matches!(&scheduled, Ok(result) if result.replayed != Some(true));
        if !is_taken {
            self.discard(access.organization_id(), &attachments).await;
        }
        scheduled
    }

    async fn store_scheduled(
        &self,
        access: &SessionAccess,
        mut command: SendCommand,
        send_at_ms: i64,
    ) -> Result<SendResult> {
        let (organization, session) = (access.organization_id(), access.id());
        let key = command.idempotency.take();
        let chat = command.task.recipient()?;
        let (time, random) = self.id_parts();
        let id = OutboxId::from_parts(time, random);
        let mut random = [0; 9];
        self.randomness.fill(&mut random);
        let wa_message_id = message_id(random);
        let request = command.task.request();
        let shown = &access.record.session;
        let entry = Arc::new(Entry {
            key: key.as_ref().map(store_key).transpose()?,
            files: command.attachments.iter().map(|file| file.id).collect(),
            reply_to: request.and_then(|request| request.reply_to.clone()),
            standing: (shown.status, shown.status_reason, shown.status_detail),
            now_ms: self.clock.now_ms(),
            new: NewScheduled {
                id,
                session_id: session,
                wa_message_id: wa_message_id.clone(),
                chat_jid: chat.to_string(),
                request: serde_json::to_vec(&command).map_err(Error::internal)?,
                send_at_ms,
            },
        });
        let stored = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                let entry = Arc::clone(&entry);
                Box::pin(async move { entry.store(tx, organization).await })
            })
            .await;
        let result = |id, wa_message_id, replayed| SendResult {
            file_message_ids: None,
            mode: SendMode::Async,
            outbox_id: Some(id),
            replayed,
            status: Some(MessageStatus::Pending),
            timestamp: None,
            wa_message_id,
        };
        Ok(match stored? {
            Scheduling::New => result(id, Some(wa_message_id), None),
            Scheduling::Replayed(id, wa_message_id) => result(id, wa_message_id, Some(true)),
        })
    }

    /// The messages of a session that wait for their time, and those that were given up lately.
    pub async fn list_scheduled_messages(
        &self,
        access: &SessionAccess,
        page: Draft<Page>,
    ) -> Result<ListScheduledMessage> {
        let (organization, session) = (access.organization_id(), access.id());
        let (page, mut faults) = page.open()?;
        let cursors = self.list(organization, format!("scheduled/{session}"));
        let after: Option<ScheduledPosition> = cursors.start(&page, &mut faults);
        faults.into_result()?;
        let limit = page.rows();
        let mut tx = self.store.read().await?;
        let mut rows = tx
            .scheduled(organization, session, after, limit + 1)
            .await?;
        let has_more = cut(&mut rows, limit);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|row| cursors.cursor(&(row.send_at_ms, row.id)));
        Ok(ListScheduledMessage {
            data: rows.into_iter().map(|row| shown(access, row)).collect(),
            next_cursor,
        })
    }

    /// Takes a scheduled message back; one whose time has come is no longer found.
    pub async fn cancel_scheduled_message(&self, access: &SessionAccess, id: &str) -> Result<()> {
        let id: OutboxId = id.parse().map_err(|_| NOT_FOUND)?;
        let (organization, session) = (access.organization_id(), access.id());
        let was_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move { Ok(tx.delete_scheduled(organization, session, id).await?) })
            })
            .await?;
        if was_there { Ok(()) } else { Err(NOT_FOUND) }
    }
}

impl Entry {
    async fn store(&self, tx: &mut Tx, organization: OrganizationId) -> Result<Scheduling> {
        let session = self.new.session_id;
        if let Some(key) = &self.key {
            match tx
                .claim_key(organization, key, self.new.id, self.now_ms)
                .await?
            {
                Enqueued::New => {}
                Enqueued::Replayed(id) => return self.replayed(tx, organization, id).await,
                Enqueued::OtherRequest => {
                    return Err(Error::conflict(Reason::IdempotencyKeyReused));
                }
            }
        }
        // From here on a refusal undoes all of it, the key included.
        if !tx.hold_account(organization, session).await? {
            let (status, reason, detail) = self.standing;
            return Err(Error::NotConnected {
                status,
                reason,
                detail,
            });
        }
        let waiting = tx.scheduled_count(organization, session).await?;
        if waiting >= limits::SCHEDULED_MESSAGES {
            return Err(Error::conflict(Reason::LimitReached));
        }
        if let Some(id) = &self.reply_to {
            self.check_reply(tx, organization, id).await?;
        }
        if !tx
            .claim_for_scheduled(organization, session, &self.files, self.new.id)
            .await?
        {
            // It waited so long that its file was swept away: the caller has it still.
            return Err(Error::unavailable());
        }
        tx.insert_scheduled(organization, &self.new, self.now_ms)
            .await?;
        Ok(Scheduling::New)
    }

    /// What was asked for before: it waits, or its time has come.
    async fn replayed(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        id: OutboxId,
    ) -> Result<Scheduling> {
        let session = self.new.session_id;
        let waiting = tx.scheduled_message(organization, session, id).await?;
        let wa_message_id = match waiting {
            Some(waiting) => Some(waiting.wa_message_id),
            None => tx
                .outbox(organization, id)
                .await?
                .map(|sent| sent.wa_message_id),
        };
        Ok(Scheduling::Replayed(id, wa_message_id))
    }

    async fn check_reply(&self, tx: &mut Tx, organization: OrganizationId, id: &str) -> Result<()> {
        let session = self.new.session_id;
        let chat = tx.chat(organization, session, &self.new.chat_jid).await?;
        let is_there = match chat {
            Some(chat) => {
                let found = tx.message(organization, session, Some(chat.id), id).await?;
                found.is_some()
            }
            None => false,
        };
        if is_there {
            return Ok(());
        }
        let message = "must be the id of a message in this chat";
        Err(Faults::one("replyTo", message).into())
    }
}

fn shown(access: &SessionAccess, row: ScheduledRecord) -> ScheduledMessage {
    let command = row.request.as_deref();
    let command: Option<SendCommand> =
        command.and_then(|request| serde_json::from_slice(request).ok());
    let request = command.as_ref().and_then(|command| command.task.request());
    // The text of a message with a file went with the file.
    let caption = command
        .as_ref()
        .and_then(|command| command.attachments.first()?.caption.as_deref());
    let text = request.and_then(|request| request.shown_text()).or(caption);
    ScheduledMessage {
        chat_jid: row.chat_jid,
        created_at: row.created_at_ms,
        error: row.error,
        id: row.id,
        send_at: row.send_at_ms,
        session_id: access.id(),
        status: match row.failed_at_ms {
            Some(_) => ScheduledStatus::Failed,
            None => ScheduledStatus::Waiting,
        },
        text: text.map(str::to_owned),
        kind: request.map(|request| request.kind),
        wa_message_id: row.wa_message_id,
    }
}
