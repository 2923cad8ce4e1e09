//! Use cases of chats.

use wagate_model::{Chat, Draft, Jid, ListChat, ListMessage};
use wagate_store::{ChatPosition, MessagePosition, Tx};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::pages::{Page, cut};
use crate::service::Core;

impl Core {
    /// Lists stored chats in display order.
    pub async fn list_chats(&self, access: &SessionAccess, page: Draft<Page>) -> Result<ListChat> {
        let (page, mut faults) = page.open()?;
        let cursors = self.list(access.organization_id(), format!("chats/{}", access.id()));
        let after: Option<ChatPosition> = cursors.start(&page, &mut faults);
        faults.into_result()?;
        let limit = page.rows();
        let mut data = self
            .store
            .read()
            .await?
            .chats(access.organization_id(), access.id(), after, limit + 1)
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

async fn find_chat(tx: &mut Tx, access: &SessionAccess, chat: &str) -> Result<Chat> {
    const NOT_FOUND: Error = Error::NotFound(What::Chat);
    let jid = Jid::parse_lenient(chat).map_err(|_| NOT_FOUND)?;
    tx.chat(access.organization_id(), access.id(), jid.as_str())
        .await?
        .ok_or(NOT_FOUND)
}
