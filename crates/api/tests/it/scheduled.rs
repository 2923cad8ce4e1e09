//! Messages that wait for their time, in the store.

use wagate_cluster::SendCommand;
use wagate_model::{OrganizationId, OutboxId, SendMode, SendTask, SessionId};
use wagate_store::{NewScheduled, StoreError};

use crate::harness::Service;

impl Service {
    /// Schedules some texts, and gives the id of the first one.
    pub(crate) async fn schedule(
        &self,
        organization: OrganizationId,
        session: SessionId,
        text: &str,
    ) -> OutboxId {
        let request = serde_json::json!({"type": "text", "to": "15551234567", "text": text});
        let command = SendCommand {
            task: SendTask::Send(serde_json::from_value(request).unwrap()),
            mode: SendMode::Async,
            idempotency: None,
            attachments: Vec::new(),
            preview: None,
        };
        let request = serde_json::to_vec(&command).unwrap();
        let random = rand::random::<u128>() >> 49;
        let new = (0..3).map(|turn| NewScheduled {
            id: OutboxId::from_parts(1, random + turn),
            session_id: session,
            wa_message_id: format!("3EB0{turn}"),
            chat_jid: "15551234567@s.whatsapp.net".into(),
            request: request.clone(),
            send_at_ms: i64::MAX,
        });
        let new: Vec<_> = new.collect();
        let first = new[0].id;
        self.store
            .write::<_, StoreError, _>(organization, move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    for new in &new {
                        tx.insert_scheduled(organization, new, 1).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
        first
    }
}
