//! Use cases of messages.

use sha2::{Digest as _, Sha256};
use wagate_cluster::{
    CommandReply, IdempotencyKey, LiveRequest, MessageRequest, SendCommand, SessionAction,
};
use wagate_model::{
    DeleteForMeInput, Draft, EditMessageInput, Faults, ForwardInput, LinkPreview, Message,
    MessageInChatInput, MessageStatus, PinInput, ReactionInput, RespondInput, RevokeMessageInput,
    SelectInput, SendMode, SendRequest, SendResult, SendTask, SessionId, TargetMessage, UnpinInput,
    VoteInput, limits,
};

use crate::caller::SessionAccess;
use crate::contacts::addresses_of;
use crate::error::{Error, Result, What};
use crate::owners::unexpected;
use crate::previews::link_of;
use crate::service::Core;

/// How a message is to be sent.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// Whether the caller waits.
    pub mode: SendMode,
    /// Makes repeating the request harmless.
    pub idempotency_key: Option<String>,
}

impl Core {
    /// Sends a message: waits for WhatsApp (sync), queues it (async), or keeps it until its time
    /// has come.
    ///
    /// A sync send whose outcome is not known in time is answered as pending: the
    /// message is on its way and its outcome comes as `message.status`.
    pub async fn send_message(
        &self,
        access: &SessionAccess,
        request: Draft<SendRequest>,
        options: Draft<SendOptions>,
    ) -> Result<SendResult> {
        let (options, mut faults) = options.open()?;
        if let Some(key) = &options.idempotency_key {
            check_key(key, &mut faults);
        }
        let request = match request.open() {
            Ok((request, mut found)) => {
                request.check(&mut found);
                request.check_times(self.clock.now_ms(), &mut found);
                faults.extend(found);
                request
            }
            Err(found) => {
                faults.extend(found);
                return Err(faults.into());
            }
        };
        faults.into_result()?;
        let Some(send_at_ms) = request.send_at else {
            return self
                .send_task(access, SendTask::Send(request), options)
                .await;
        };
        let options = SendOptions {
            mode: SendMode::Async,
            ..options
        };
        let command = self
            .prepare(access, SendTask::Send(request), options)
            .await?;
        self.schedule(access, command, send_at_ms).await
    }

    /// Changes the text of a message that this session has sent.
    pub async fn edit_message(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<EditMessageInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, SendTask::edit)
            .await
    }

    /// Deletes a message for everyone.
    pub async fn revoke_message(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<RevokeMessageInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, |id, body, faults| {
            SendTask::revoke(id, &body, faults)
        })
        .await
    }

    /// Reacts to a message; a new reaction replaces the old.
    pub async fn add_reaction(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<ReactionInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, |id, body, faults| {
            SendTask::react(id, &body, faults)
        })
        .await
    }

    /// Takes the reaction to a message back.
    pub async fn remove_reaction(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<ReactionInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, |id, body, faults| {
            SendTask::unreact(id, &body, faults)
        })
        .await
    }

    /// Votes in a poll; replaces the earlier vote.
    pub async fn vote_message(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<VoteInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, SendTask::vote)
            .await
    }

    /// Pins a message in its chat for everybody; a new pin replaces the old one's time.
    pub async fn pin_message(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<PinInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, |id, body, faults| {
            SendTask::pin(id, &body, faults)
        })
        .await
    }

    /// Unpins a message for everybody.
    pub async fn unpin_message(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<UnpinInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, |id, body, faults| {
            SendTask::unpin(id, &body, faults)
        })
        .await
    }

    /// Answers to an event; replaces the earlier answer.
    pub async fn respond_to_event(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<RespondInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, |id, body, faults| {
            SendTask::respond(id, &body, faults)
        })
        .await
    }

    /// Chooses a button or a row that a message offers.
    pub async fn select_choice(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<SelectInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, SendTask::select)
            .await
    }

    /// Sends what a message says to another chat, marked as forwarded.
    pub async fn forward_message(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<ForwardInput>,
    ) -> Result<SendResult> {
        self.act_on_message(access, id, request, |id, body, faults| {
            SendTask::forward(id, &body, faults)
        })
        .await
    }

    /// Stars a message, or takes the star back.
    pub async fn star_message(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<MessageInChatInput>,
        is_starred: bool,
    ) -> Result<Message> {
        let target = target_of(id, request, MessageInChatInput::target)?;
        let request = MessageRequest::Star {
            target: target.clone(),
            is_starred,
        };
        self.do_to_message(access, request).await?;
        self.stored_message(access, &target).await
    }

    /// Deletes a message for the account alone, and the stored copy with it.
    pub async fn delete_message_for_me(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<DeleteForMeInput>,
    ) -> Result<()> {
        let mut with_media = true;
        let target = target_of(id, request, |body: &DeleteForMeInput, id, faults| {
            with_media = body.delete_media.unwrap_or(true);
            body.target(id, faults)
        })?;
        let request = MessageRequest::DeleteForMe { target, with_media };
        self.do_to_message(access, request).await
    }

    /// Tells the sender of a message that it was played.
    pub async fn mark_message_played(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<MessageInChatInput>,
    ) -> Result<()> {
        let target = target_of(id, request, MessageInChatInput::target)?;
        self.do_to_message(access, MessageRequest::MarkPlayed { target })
            .await
    }

    async fn do_to_message(&self, access: &SessionAccess, request: MessageRequest) -> Result<()> {
        self.do_live(access, LiveRequest::Messages(request), What::Message)
            .await
    }

    /// A message of a chat as it is stored now.
    pub(crate) async fn stored_message(
        &self,
        access: &SessionAccess,
        target: &TargetMessage,
    ) -> Result<Message> {
        const NOT_FOUND: Error = Error::NotFound(What::Message);
        let (organization, session) = (access.organization_id(), access.id());
        let mut tx = self.store.read().await?;
        let chat = tx.chat(organization, session, target.chat.as_str()).await?;
        let chat = chat.ok_or(NOT_FOUND)?.id;
        let found = match &target.sender {
            Some(sender) => {
                let [one, other] = addresses_of(&mut tx, session, sender).await?;
                tx.message_by(organization, session, (chat, &target.id), [&one, &other])
                    .await?
            }
            None => {
                tx.message(organization, session, Some(chat), &target.id)
                    .await?
            }
        };
        found.ok_or(NOT_FOUND)
    }

    /// Does something to a message of a chat, and waits for WhatsApp.
    async fn act_on_message<T>(
        &self,
        access: &SessionAccess,
        id: &str,
        request: Draft<T>,
        task: impl FnOnce(&str, T, &mut Faults) -> Option<SendTask>,
    ) -> Result<SendResult> {
        if !is_message_id(id) {
            return Err(Error::NotFound(What::Message));
        }
        let (request, mut faults) = request.open()?;
        let task = task(id, request, &mut faults);
        faults.into_result()?;
        let task = task.ok_or_else(|| Error::internal(anyhow::anyhow!("no task, and no fault")))?;
        let options = SendOptions {
            mode: SendMode::Sync,
            idempotency_key: None,
        };
        self.send_task(access, task, options).await
    }

    pub(crate) async fn send_task(
        &self,
        access: &SessionAccess,
        task: SendTask,
        options: SendOptions,
    ) -> Result<SendResult> {
        let command = self.prepare(access, task, options).await?;
        self.send_command(access, command).await
    }

    /// Takes in what a task needs beside what its request says.
    async fn prepare(
        &self,
        access: &SessionAccess,
        mut task: SendTask,
        options: SendOptions,
    ) -> Result<SendCommand> {
        let mode = options.mode;
        let idempotency = match options.idempotency_key {
            Some(key) => Some(IdempotencyKey {
                body_hash: body_hash(access.id(), &task)?,
                key,
            }),
            None => None,
        };
        let attachments = match &mut task {
            SendTask::Send(request) if request.has_files() => {
                if self.is_repeated(access, idempotency.as_ref()).await? {
                    // Its files are sent, or on their way.
                    request.take_files();
                    Vec::new()
                } else {
                    self.attach(access, request.take_files()).await?
                }
            }
            _ => Vec::new(),
        };
        let preview = self.preview(access, &task, idempotency.as_ref()).await?;
        Ok(SendCommand {
            task,
            mode,
            idempotency,
            attachments,
            preview,
        })
    }

    /// What a text shows of the page that it links to.
    async fn preview(
        &self,
        access: &SessionAccess,
        task: &SendTask,
        idempotency: Option<&IdempotencyKey>,
    ) -> Result<Option<LinkPreview>> {
        let link = task.request().and_then(link_of);
        let (Some(link), Some(previews)) = (link, &self.previews) else {
            return Ok(None);
        };
        if self.is_repeated(access, idempotency).await? {
            return Ok(None);
        }
        Ok(previews.of(access.organization_id(), link).await)
    }

    /// Has a message sent; its files go where nobody takes them.
    pub(crate) async fn send_command(
        &self,
        access: &SessionAccess,
        command: SendCommand,
    ) -> Result<SendResult> {
        let attachments = command.attachments.clone();
        let sent = self.ask_to_send(access, command).await;
        let is_taken = matches!(&sent, Ok(result) if result.replayed != Some(true));
        if !is_taken {
            self.discard(access.organization_id(), &attachments).await;
        }
        sent
    }

    /// Whether a request was made before under its key; then it is answered without its files.
    async fn is_repeated(
        &self,
        access: &SessionAccess,
        idempotency: Option<&IdempotencyKey>,
    ) -> Result<bool> {
        let Some(idempotency) = idempotency else {
            return Ok(false);
        };
        let key = store_key(idempotency)?;
        let mut tx = self.store.read().await?;
        let found = tx.outbox_by_key(access.organization_id(), &key).await?;
        Ok(found.is_some())
    }

    async fn ask_to_send(
        &self,
        access: &SessionAccess,
        command: SendCommand,
    ) -> Result<SendResult> {
        let mode = command.mode;
        let action = SessionAction::Send(Box::new(command));
        let timeout = self.config.send_timeout;
        let answer = self.ask_owner(access, action, timeout).await;
        match answer.map_err(|error| error.about(What::Message))? {
            CommandReply::Send(result) => Ok(result),
            CommandReply::SendPending {
                outbox_id,
                wa_message_id,
                is_replay,
            } => Ok(SendResult {
                file_message_ids: None,
                mode,
                outbox_id: Some(outbox_id),
                replayed: is_replay.then_some(true),
                status: Some(MessageStatus::Pending),
                timestamp: None,
                wa_message_id: Some(wa_message_id),
            }),
            other => Err(unexpected(&other)),
        }
    }
}

/// A key in the store's form.
pub(crate) fn store_key(key: &IdempotencyKey) -> Result<wagate_store::IdempotencyKey> {
    let mut body_hash = [0; 32];
    hex::decode_to_slice(&key.body_hash, &mut body_hash).map_err(Error::internal)?;
    Ok(wagate_store::IdempotencyKey {
        key: key.key.clone(),
        body_hash,
    })
}

/// The message that a request names, by its id in the path and its body.
pub(crate) fn target_of<T>(
    id: &str,
    request: Draft<T>,
    target: impl FnOnce(&T, &str, &mut Faults) -> Option<TargetMessage>,
) -> Result<TargetMessage> {
    if !is_message_id(id) {
        return Err(Error::NotFound(What::Message));
    }
    let (request, mut faults) = request.open()?;
    let target = target(&request, id, &mut faults);
    faults.into_result()?;
    target.ok_or_else(|| Error::internal(anyhow::anyhow!("no message, and no fault")))
}

/// Whether a text can be the id of a message on WhatsApp.
fn is_message_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= limits::MESSAGE_ID_CHARS
        && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check_key(key: &str, faults: &mut Faults) {
    let is_key = !key.is_empty()
        && key.len() <= limits::IDEMPOTENCY_KEY_CHARS
        && key.bytes().all(|byte| byte.is_ascii_graphic());
    faults.check(is_key, "Idempotency-Key", || {
        format!(
            "must be 1 to {} visible ASCII characters",
            limits::IDEMPOTENCY_KEY_CHARS
        )
    });
}

/// The same for the same request, however its JSON was written and whether its caller waits.
fn body_hash(session: SessionId, task: &SendTask) -> Result<String> {
    let canonical = serde_json::to_vec(&(session, task)).map_err(Error::internal)?;
    Ok(hex::encode(Sha256::digest(canonical)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> SendTask {
        let request = serde_json::from_value(serde_json::json!({
            "type": "text", "to": "15551234567", "text": text
        }));
        SendTask::Send(request.unwrap())
    }

    #[test]
    fn the_hash_tells_session_and_request_apart() {
        let (a, b) = (SessionId::from_parts(1, 1), SessionId::from_parts(1, 2));
        let base = body_hash(a, &request("hi")).unwrap();
        assert_eq!(base.len(), 64);
        assert_eq!(base, body_hash(a, &request("hi")).unwrap());
        assert_ne!(base, body_hash(b, &request("hi")).unwrap());
        assert_ne!(base, body_hash(a, &request("ho")).unwrap());
    }

    #[test]
    fn keys_are_bounded_visible_ascii() {
        let is_fine = |key: &str| {
            let mut faults = Faults::new();
            check_key(key, &mut faults);
            faults.is_empty()
        };
        assert!(is_fine("order-1") && is_fine(&"k".repeat(255)));
        assert!(!is_fine("") && !is_fine("a b") && !is_fine("ü") && !is_fine(&"k".repeat(256)));
    }
}
