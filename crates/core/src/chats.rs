//! Use cases of chats.

use wagate_model::{Chat, Cursor, Faults, Jid, ListChat, ListMessage};
use wagate_store::{ChatPosition, MessagePosition, Tx};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::pages::Page;
use crate::service::Core;

/// Reads a cursor of one list.
fn position<P>(list: &str, page: &Page) -> Result<Option<P>>
where
    P: serde::Serialize + serde::de::DeserializeOwned,
{
    let read = |text| {
        Cursor::decode(list, text).map_err(|error| Faults::one("cursor", error.to_string()).into())
    };
    page.cursor.as_deref().map(read).transpose()
}

/// The rows that fit, and whether there are more.
fn cut<T>(rows: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    has_more
}

impl Core {
    /// Lists stored chats in display order.
    pub async fn list_chats(&self, access: &SessionAccess, page: &Page) -> Result<ListChat> {
        let list_name = format!("chats/{}", access.id());
        let after: Option<ChatPosition> = position(&list_name, page)?;
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
            next_cursor: last.map(|position| Cursor::encode(&list_name, position)),
            data,
        })
    }

    /// One stored chat, by either of its addresses or a bare phone number.
    pub async fn get_chat(&self, access: &SessionAccess, chat: &str) -> Result<Chat> {
        let mut tx = self.store.read().await?;
        find_chat(&mut tx, access, chat).await
    }

    /// Lists the stored messages of a chat, newest first.
    pub async fn list_chat_messages(
        &self,
        access: &SessionAccess,
        chat: &str,
        page: &Page,
    ) -> Result<ListMessage> {
        let mut tx = self.store.read().await?;
        let chat = find_chat(&mut tx, access, chat).await?;
        let list_name = format!("messages/{}", chat.id);
        let after: Option<MessagePosition> = position(&list_name, page)?;
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
            next_cursor: last.map(|position| Cursor::encode(&list_name, position)),
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
