//! Use cases of labels.

use wagate_cluster::{LabelRequest, LiveReply, LiveRequest};
use wagate_model::{
    Chat, CreateLabelInput, Draft, Label, ListLabel, Message, MessageInChatInput, UpdateLabelInput,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::live::unexpected_live;
use crate::messages::target_of;
use crate::service::Core;

impl Core {
    /// The stored labels of a session.
    pub async fn list_labels(&self, access: &SessionAccess) -> Result<ListLabel> {
        let mut tx = self.store.read().await?;
        let data = tx.labels(access.organization_id(), access.id()).await?;
        Ok(ListLabel { data })
    }

    /// Makes a label.
    pub async fn create_label(
        &self,
        access: &SessionAccess,
        request: Draft<CreateLabelInput>,
    ) -> Result<Label> {
        let (request, ()) = request.checked(CreateLabelInput::check)?;
        let request = LabelRequest::Create {
            name: request.name.unwrap_or_default().trim().to_owned(),
            color: request.color,
        };
        self.ask_label(access, request).await
    }

    /// Changes a label.
    pub async fn update_label(
        &self,
        access: &SessionAccess,
        label: &str,
        request: Draft<UpdateLabelInput>,
    ) -> Result<Label> {
        let stored = self.stored_label(access, label).await?;
        let (request, ()) = request.checked(UpdateLabelInput::check)?;
        if request.name.is_none() && request.color.is_none() {
            return Ok(stored);
        }
        let request = LabelRequest::Update {
            label: stored.id,
            name: request.name.map(|name| name.trim().to_owned()),
            color: request.color,
        };
        self.ask_label(access, request).await
    }

    /// Deletes a label, and takes it off everything.
    pub async fn delete_label(&self, access: &SessionAccess, label: &str) -> Result<()> {
        let label = self.stored_label(access, label).await?.id;
        self.do_label(access, LabelRequest::Delete { label }, What::Label)
            .await
    }

    /// Puts a label on a chat, or takes it off.
    pub async fn label_chat(
        &self,
        access: &SessionAccess,
        chat: &str,
        label: &str,
        is_labelled: bool,
    ) -> Result<Chat> {
        let stored = self.chat_address(access, chat).await?;
        let label = self.stored_label(access, label).await?.id;
        let request = LabelRequest::Chat {
            label,
            chat: stored,
            is_labelled,
        };
        self.do_label(access, request, What::Chat).await?;
        self.get_chat(access, chat).await
    }

    /// Puts a label on a message, or takes it off.
    pub async fn label_message(
        &self,
        access: &SessionAccess,
        (message, label): (&str, &str),
        request: Draft<MessageInChatInput>,
        is_labelled: bool,
    ) -> Result<Message> {
        let label = self.stored_label(access, label).await?.id;
        let target = target_of(message, request, MessageInChatInput::target)?;
        let request = LabelRequest::Message {
            label,
            target: target.clone(),
            is_labelled,
        };
        self.do_label(access, request, What::Message).await?;
        self.stored_message(access, &target).await
    }

    async fn stored_label(&self, access: &SessionAccess, label: &str) -> Result<Label> {
        let mut tx = self.store.read().await?;
        tx.label(access.organization_id(), access.id(), label)
            .await?
            .ok_or(Error::NotFound(What::Label))
    }

    async fn ask_label(&self, access: &SessionAccess, request: LabelRequest) -> Result<Label> {
        let request = LiveRequest::Labels(request);
        match self.ask_live(access, request, What::Label).await? {
            LiveReply::Label(label) => Ok(label),
            other => Err(unexpected_live(&other)),
        }
    }

    async fn do_label(
        &self,
        access: &SessionAccess,
        request: LabelRequest,
        missing: What,
    ) -> Result<()> {
        self.do_live(access, LiveRequest::Labels(request), missing)
            .await
    }
}
