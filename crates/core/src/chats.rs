//! Use cases of chats.

use wagate_cluster::{ChatRequest, GroupRequest, LiveRequest};
use wagate_model::{
    Chat, Draft, Jid, JidKind, ListChat, ListMessage, ReadChatInput, SendMode, SendTask,
    UpdateChatInput, UpdateGroupInput,
};
use wagate_store::{ChatPosition, MessagePosition, Tx};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::messages::SendOptions;
use crate::pages::{Page, cut};
use crate::service::Core;

/// Which chats of a session are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatQuery {
    /// The id of a label that they have; without it, all of them.
    pub label: Option<String>,
    /// Which part of the list.
    pub page: Page,
}

impl Core {
    /// Lists stored chats in display order.
    pub async fn list_chats(
        &self,
        access: &SessionAccess,
        query: Draft<ChatQuery>,
    ) -> Result<ListChat> {
        let (ChatQuery { label, page }, mut faults) = query.open()?;
        // Cursors of one list fit no other.
        let name = match &label {
            Some(label) => format!("chats/{}/{label}", access.id()),
            None => format!("chats/{}", access.id()),
        };
        let cursors = self.list(access.organization_id(), name);
        let after: Option<ChatPosition> = cursors.start(&page, &mut faults);
        faults.into_result()?;
        let limit = page.rows();
        let mut data = self
            .store
            .read()
            .await?
            .chats(
                access.organization_id(),
                access.id(),
                label.as_deref(),
                after,
                limit + 1,
            )
            .await?;
        let has_more = cut(&mut data, limit);
        let last = data.last().filter(|_| has_more).map(ChatPosition::from);
        Ok(ListChat {
            next_cursor: last.map(|position| cursors.cursor(&position)),
            data: data.into_iter().map(|chat| self.shown(chat)).collect(),
        })
    }

    /// One stored chat, by either of its addresses or a bare phone number.
    pub async fn get_chat(&self, access: &SessionAccess, chat: &str) -> Result<Chat> {
        let mut tx = self.store.read().await?;
        Ok(self.shown(find_chat(&mut tx, access, chat).await?))
    }

    /// A chat without the number of its row.
    fn shown(&self, chat: Chat) -> Chat {
        Chat {
            id: self.signing_root.number_of(chat.session_id, chat.id),
            ..chat
        }
    }

    /// Lists the stored messages of a chat, newest first.
    pub async fn list_chat_messages(
        &self,
        access: &SessionAccess,
        chat: &str,
        page: Draft<Page>,
    ) -> Result<ListMessage> {
        let mut tx = self.store.read().await?;
        let chat = find_chat(&mut tx, access, chat).await?;
        let (page, mut faults) = page.open()?;
        let cursors = self.list(access.organization_id(), format!("messages/{}", chat.id));
        let after: Option<MessagePosition> = cursors.start(&page, &mut faults);
        faults.into_result()?;
        let limit = page.rows();
        let mut rows = tx
            .messages(
                access.organization_id(),
                access.id(),
                chat.id,
                after,
                limit + 1,
            )
            .await?;
        let has_more = cut(&mut rows, limit);
        let last = rows
            .last()
            .filter(|_| has_more)
            .map(|(position, _)| *position);
        Ok(ListMessage {
            data: rows.into_iter().map(|(_, message)| message).collect(),
            next_cursor: last.map(|position| cursors.cursor(&position)),
        })
    }
}

impl Core {
    /// Archives, pins, mutes a chat or undoes it, on WhatsApp and in the store.
    pub async fn update_chat(
        &self,
        access: &SessionAccess,
        chat: &str,
        request: Draft<UpdateChatInput>,
    ) -> Result<Chat> {
        let stored = self.chat_address(access, chat).await?;
        let (request, mut faults) = request.open()?;
        request.check(self.clock.now_ms(), &mut faults);
        let has_timer = stored.kind().is_person() || stored.kind() == JidKind::Group;
        let is_set = request.disappearing_seconds.is_some();
        faults.check(!is_set || has_timer, "disappearingSeconds", || {
            "is for chats of two and for groups".into()
        });
        faults.into_result()?;
        if let Some(seconds) = request.disappearing_seconds {
            self.set_timer(access, &stored, seconds).await?;
        }
        if !request.is_empty() {
            let request = ChatRequest::Update {
                chat: stored,
                is_archived: request.archived,
                is_pinned: request.pinned,
                muted_until: request.mute(),
            };
            self.do_in_chat(access, request).await?;
        }
        self.get_chat(access, chat).await
    }

    /// Sets after how many seconds new messages of a chat disappear for everybody in it.
    ///
    /// In a chat of two that is a message, which goes by the outbox as others do; in a group it
    /// is one of the group's settings.
    async fn set_timer(&self, access: &SessionAccess, chat: &Jid, seconds: i64) -> Result<()> {
        if chat.kind() == JidKind::Group {
            let settings = UpdateGroupInput {
                disappearing_seconds: Some(seconds),
                ..UpdateGroupInput::default()
            };
            let group = chat.clone();
            let request = LiveRequest::Groups(GroupRequest::Update { group, settings });
            return self.do_live(access, request, What::Group).await;
        }
        let task = SendTask::SetTimer {
            chat: chat.clone(),
            seconds: u32::try_from(seconds).unwrap_or(0),
        };
        let options = SendOptions {
            mode: SendMode::Sync,
            idempotency_key: None,
        };
        self.send_task(access, task, options).await.map(drop)
    }

    /// Sets a chat's unread counter to zero; tells the senders on WhatsApp where asked to.
    pub async fn read_chat(
        &self,
        access: &SessionAccess,
        chat: &str,
        request: Draft<ReadChatInput>,
    ) -> Result<Chat> {
        let stored = self.chat_address(access, chat).await?;
        let (request, faults) = request.open()?;
        faults.into_result()?;
        if request.receipt == Some(true) {
            let request = ChatRequest::SendReceipts { chat: stored };
            self.do_in_chat(access, request).await?;
        }
        let id = self.chat_row(access, chat).await?;
        let (organization, session) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(
                    async move { Ok(tx.mark_chat_read(organization, session, id, now).await?) },
                )
            })
            .await?;
        self.get_chat(access, chat).await
    }

    /// Deletes the stored copy of a chat with its messages; WhatsApp keeps the chat.
    pub async fn delete_chat(&self, access: &SessionAccess, chat: &str) -> Result<()> {
        let id = self.chat_row(access, chat).await?;
        let (organization, session) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        let was_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move { Ok(tx.delete_chat(organization, session, id, now).await?) })
            })
            .await?;
        if was_there {
            Ok(())
        } else {
            Err(Error::NotFound(What::Chat))
        }
    }

    /// Marks a chat unread, on WhatsApp and in the store.
    pub async fn mark_chat_unread(&self, access: &SessionAccess, chat: &str) -> Result<Chat> {
        let stored = self.chat_address(access, chat).await?;
        let request = ChatRequest::MarkUnread { chat: stored };
        self.do_in_chat(access, request).await?;
        self.get_chat(access, chat).await
    }

    /// Removes a chat's messages on WhatsApp; the stored ones stay.
    pub async fn clear_chat_on_whatsapp(&self, access: &SessionAccess, chat: &str) -> Result<()> {
        let stored = self.chat_address(access, chat).await?;
        let request = ChatRequest::Clear { chat: stored };
        self.do_in_chat(access, request).await
    }

    /// Deletes a chat on WhatsApp; the stored copy stays.
    pub async fn delete_chat_on_whatsapp(&self, access: &SessionAccess, chat: &str) -> Result<()> {
        let stored = self.chat_address(access, chat).await?;
        let request = ChatRequest::Delete { chat: stored };
        self.do_in_chat(access, request).await
    }

    async fn do_in_chat(&self, access: &SessionAccess, request: ChatRequest) -> Result<()> {
        self.do_live(access, LiveRequest::Chats(request), What::Chat)
            .await
    }

    /// The address under which a chat is stored.
    pub(crate) async fn chat_address(&self, access: &SessionAccess, chat: &str) -> Result<Jid> {
        let mut tx = self.store.read().await?;
        let stored = find_chat(&mut tx, access, chat).await?;
        stored.jid.parse().map_err(Error::internal)
    }

    /// The number of a stored chat's row.
    async fn chat_row(&self, access: &SessionAccess, chat: &str) -> Result<i64> {
        let mut tx = self.store.read().await?;
        Ok(find_chat(&mut tx, access, chat).await?.id)
    }
}

async fn find_chat(tx: &mut Tx, access: &SessionAccess, chat: &str) -> Result<Chat> {
    const NOT_FOUND: Error = Error::NotFound(What::Chat);
    let jid = Jid::parse_lenient(chat).map_err(|_| NOT_FOUND)?;
    tx.labelled_chat(access.organization_id(), access.id(), jid.as_str())
        .await?
        .ok_or(NOT_FOUND)
}
