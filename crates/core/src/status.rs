//! Use cases of stories.

use wagate_cluster::SendCommand;
use wagate_model::{Draft, PostStatusInput, PostedStatus, SendMode, SendTask};

use crate::caller::SessionAccess;
use crate::error::{Error, Result};
use crate::service::Core;

impl Core {
    /// Posts a story, and waits for WhatsApp; every call posts another one.
    pub async fn post_status(
        &self,
        access: &SessionAccess,
        request: Draft<PostStatusInput>,
    ) -> Result<PostedStatus> {
        let (request, mut faults) = request.open()?;
        let (post, file) = request.into_post(&mut faults);
        faults.into_result()?;
        let files = file.map(|(kind, payload)| ("media".to_owned(), kind, payload));
        let attachments = self.attach(access, files.into_iter().collect()).await?;
        let command = SendCommand {
            task: SendTask::Status(post),
            mode: SendMode::Sync,
            idempotency: None,
            attachments,
            preview: None,
        };
        let posted = self.send_command(access, command).await?;
        let message_id = posted
            .wa_message_id
            .ok_or_else(|| Error::internal(anyhow::anyhow!("a story was posted without an id")))?;
        Ok(PostedStatus { message_id })
    }
}
