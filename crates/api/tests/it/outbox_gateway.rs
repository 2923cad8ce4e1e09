//! A gateway that keeps messages in the real outbox, and sends none.

use async_trait::async_trait;
use wagate_cluster::{
    CommandHandler, CommandReply, CommandResult, Refusal, SendCommand, SessionAction,
    SessionCommand,
};
use wagate_identity::{Randomness as _, SystemRandomness};
use wagate_model::OutboxId;
use wagate_store::{Enqueued, IdempotencyKey, NewOutbox, Store, StoreError};

/// Accepts what is to be sent as a gateway does.
pub(crate) struct OutboxGateway {
    pub(crate) store: Store,
}

#[async_trait]
impl CommandHandler for OutboxGateway {
    async fn handle(
        &self,
        command: SessionCommand,
        _deadline: tokio::time::Instant,
    ) -> CommandResult {
        match command.action.clone() {
            SessionAction::Send(send) => self.accept(&command, &send).await,
            SessionAction::ReadQr => Ok(CommandReply::QrPending),
            SessionAction::RequestPairingCode { .. } => {
                Ok(CommandReply::PairingCode("ABCD-1234".into()))
            }
            // WhatsApp knows none of the people and chats of these tests.
            SessionAction::Live(_) => Err(Refusal::Missing),
            _ => Ok(CommandReply::Done),
        }
    }
}

impl OutboxGateway {
    async fn accept(&self, command: &SessionCommand, send: &SendCommand) -> CommandResult {
        let mut random = [0; 16];
        SystemRandomness.fill(&mut random[6..]);
        let id = OutboxId::from_parts(1, u128::from_be_bytes(random));
        let idempotency = send.idempotency.as_ref().map(|key| {
            let mut body_hash = [0; 32];
            for (index, byte) in body_hash.iter_mut().enumerate() {
                let digits = &key.body_hash[2 * index..2 * index + 2];
                *byte = u8::from_str_radix(digits, 16).unwrap();
            }
            IdempotencyKey {
                key: key.key.clone(),
                body_hash,
            }
        });
        let new = NewOutbox {
            id,
            session_id: command.session_id,
            wa_message_id: format!("3EB0{id}"),
            chat_jid: send.task.recipient().unwrap().to_string(),
            mode: send.mode,
            request: b"{}".to_vec(),
            idempotency,
            next_attempt_at_ms: 0,
        };
        let organization = command.organization_id;
        let enqueued = self
            .store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move { tx.enqueue(organization, &new, 1).await })
            })
            .await;
        let accepted = |outbox_id, is_replay| {
            Ok(CommandReply::SendPending {
                outbox_id,
                wa_message_id: "3EB0".into(),
                is_replay,
            })
        };
        match enqueued {
            Ok(Enqueued::New) => accepted(id, false),
            Ok(Enqueued::Replayed(first)) => accepted(first, true),
            Ok(Enqueued::OtherRequest) => Err(Refusal::KeyReused),
            Err(_) => Err(Refusal::Internal),
        }
    }
}
