//! What marks chats and messages have for the account: stars and labels.

use wagate_engine::{LabelChange, LabelNews};
use wagate_model::{ChatUpdatePayload, EventKind, Jid, TargetMessage};
use wagate_store::{Owned, Result};

use super::news::tell;
use crate::targets::{Whose, referred};

/// A message was starred or not, on any of the account's devices; one that is not stored is left
/// alone.
pub(super) async fn star(
    owned: &mut Owned<'_>,
    target: &TargetMessage,
    is_from_me: bool,
    is_starred: bool,
    now_ms: i64,
) -> Result<()> {
    let (organization, session) = (owned.organization(), owned.session());
    let chat = owned
        .chat(organization, session, target.chat.as_str())
        .await?;
    let Some(chat) = chat else {
        return Ok(());
    };
    let whose = match &target.sender {
        _ if is_from_me => Whose::Account,
        Some(sender) if !target.chat.kind().is_person() => Whose::Person(sender),
        _ => Whose::Others,
    };
    match referred(owned, chat.id, &target.id, whose).await? {
        Some(stored) => owned
            .star_message(stored.id, is_starred, now_ms)
            .await
            .map(drop),
        None => Ok(()),
    }
}

/// A label was changed, put on something or taken off.
pub(super) async fn label(owned: &mut Owned<'_>, change: &LabelChange, now_ms: i64) -> Result<()> {
    let label = &change.label;
    match &change.news {
        LabelNews::Put(label) => owned.put_label(label, now_ms).await.map(drop),
        LabelNews::Deleted => owned.delete_label(label, now_ms).await.map(drop),
        LabelNews::Chat { chat, is_labelled } => {
            let addresses = addresses_of(owned, chat).await?;
            let is_news = owned.label_chat(&addresses, label, *is_labelled).await?;
            if is_news && !change.is_initial {
                tell_labels(owned, chat, now_ms).await?;
            }
            Ok(())
        }
        LabelNews::Message {
            chat,
            id,
            is_labelled,
        } => {
            let addresses = addresses_of(owned, chat).await?;
            owned
                .label_message(&addresses, id, label, *is_labelled)
                .await
                .map(drop)
        }
    }
}

/// All addresses of a chat, beginning with the one under which it is stored.
async fn addresses_of(owned: &mut Owned<'_>, chat: &Jid) -> Result<Vec<String>> {
    let (organization, session) = (owned.organization(), owned.session());
    let mut addresses = Vec::new();
    let stored = owned.chat(organization, session, chat.as_str()).await?;
    if let Some(stored) = stored {
        addresses.push(stored.jid);
        addresses.extend(stored.aliases.into_iter().flatten());
    } else {
        addresses.push(chat.to_string());
        let person = owned.identities_of(session, &[chat.to_string()]).await?;
        let person = person.into_values().next();
        let both = person.map(|person| [person.lid, person.phone_jid]);
        addresses.extend(both.into_iter().flatten().flatten());
    }
    addresses.dedup();
    Ok(addresses)
}

/// Tells which labels a stored chat has now.
async fn tell_labels(owned: &mut Owned<'_>, chat: &Jid, now_ms: i64) -> Result<()> {
    let (organization, session) = (owned.organization(), owned.session());
    let stored = owned
        .labelled_chat(organization, session, chat.as_str())
        .await?;
    let Some(stored) = stored else {
        return Ok(());
    };
    let payload = ChatUpdatePayload {
        change: "labels".to_owned(),
        chat_jid: stored.jid,
        labels: Some(stored.labels),
        ..ChatUpdatePayload::default()
    };
    tell(owned, EventKind::ChatUpdate, &payload, Some(chat), now_ms)
}
