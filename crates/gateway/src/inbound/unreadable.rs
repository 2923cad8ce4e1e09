//! Messages that no linked device can read.

use wagate_engine::{Content, InboundMessage, UnreadableMessage, UnreadableReason};
use wagate_model::Jid;
use wagate_store::{Owned, Result};

use super::batch::{Batch, both_addresses};
use super::payload::Addresses;

/// Both addresses of a person, as far as they are stored.
async fn addresses_of(owned: &mut Owned<'_>, of: &Jid) -> Result<Addresses> {
    if !of.kind().is_person() {
        return Ok(Addresses::default());
    }
    let session = owned.session();
    let mut stored = owned.identities_of(session, &[of.to_string()]).await?;
    let person = stored.remove(of.as_str());
    let mut known = person
        .into_iter()
        .flat_map(|person| [person.phone_jid, person.lid]);
    let other = known.find_map(|address| address?.parse().ok().filter(|other: &Jid| other != of));
    Ok(both_addresses(of, other.as_ref()))
}

/// A message that only the phone can show is told as one of unknown content.
pub(super) async fn unreadable(
    owned: &mut Owned<'_>,
    message: &UnreadableMessage,
    now_ms: i64,
) -> Result<()> {
    let kind = match message.reason {
        UnreadableReason::ViewOnce => "view_once",
        UnreadableReason::Hosted => "hosted",
        UnreadableReason::Bot => "bot",
        // It may still come, under the same id.
        UnreadableReason::Undecryptable => {
            metrics::counter!("wagate_gateway_undecryptable_total").increment(1);
            return Ok(());
        }
    };
    let sender = addresses_of(owned, &message.sender).await?;
    let chat = addresses_of(owned, &message.chat).await?;
    let parsed = |address: Option<String>| address.and_then(|address| address.parse::<Jid>().ok());
    let mut chat_addresses = [parsed(chat.phone), parsed(chat.lid)].into_iter().flatten();
    let chat_alias = chat_addresses.find(|address| *address != message.chat);
    let message = InboundMessage {
        id: message.id.clone(),
        chat: message.chat.clone(),
        chat_alias,
        sender_jid: parsed(sender.phone),
        sender_lid: parsed(sender.lid),
        from_me: message.is_from_me,
        push_name: None,
        business_name: None,
        timestamp_ms: message.timestamp_ms,
        content: Content::System { kind },
        mentions: Vec::new(),
        quoted: None,
        is_forwarded: false,
        is_view_once: message.reason == UnreadableReason::ViewOnce,
        expires_after_s: None,
        is_offline: false,
        raw: bytes::Bytes::new(),
    };
    Batch::new(owned, now_ms).write(&[message]).await.map(drop)
}
