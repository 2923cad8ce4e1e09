//! Use cases of stories.

use wagate_model::{Draft, PostStatusInput, PostedStatus, SendMode, SendTask};

use crate::caller::SessionAccess;
use crate::error::{Error, Result};
use crate::messages::SendOptions;
use crate::service::Core;

impl Core {
    /// Posts a story, and waits for WhatsApp; every call posts another one.
    pub async fn post_status(
        &self,
        access: &SessionAccess,
        request: Draft<PostStatusInput>,
    ) -> Result<PostedStatus> {
        let (request, mut faults) = request.open()?;
        let post = request.into_post(&mut faults);
        faults.into_result()?;
        let options = SendOptions {
            mode: SendMode::Sync,
            idempotency_key: None,
        };
        let posted = self
            .send_task(access, SendTask::Status(post), options)
            .await?;
        let message_id = posted
            .wa_message_id
            .ok_or_else(|| Error::internal(anyhow::anyhow!("a story was posted without an id")))?;
        Ok(PostedStatus { message_id })
    }
}
