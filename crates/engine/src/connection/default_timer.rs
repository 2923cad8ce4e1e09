//! The timer that the account gives to the chats that it begins: asked for once per connection,
//! and told when another device changes it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use whatsapp_rust::usync::{
    UsyncContext, UsyncMode, UsyncProtocol, UsyncProtocolKind, UsyncProtocolResult, UsyncQuery,
    UsyncUser,
};
use whatsapp_rust::wacore_binary::OwnedNodeRef;
use whatsapp_rust::{Client, IqError};

use crate::EngineEvent;
use crate::mailbox::Mailbox;

/// Asks beside the connection's own tasks, as for what restricts the account.
pub(super) fn ask(client: Arc<Client>, mailbox: Mailbox, cancel: CancellationToken) {
    tokio::spawn(async move {
        let asked = tokio::select! {
            () = cancel.cancelled() => return,
            asked = read(&client) => asked,
        };
        match asked {
            Ok(Some(seconds)) => mailbox.tell(EngineEvent::DefaultTimer(seconds)),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the account's default timer is not known"),
        }
    });
}

/// The timer in seconds, 0 where there is none; nothing where WhatsApp does not tell.
///
/// WhatsApp tells it of everybody, by number, and so of the account itself.
pub(super) async fn read(client: &Client) -> Result<Option<u32>, IqError> {
    let Some(own) = client.pn() else {
        return Ok(None);
    };
    let query = UsyncQuery::new(
        UsyncMode::Query,
        UsyncContext::Interactive,
        vec![UsyncProtocol::DisappearingMode],
        vec![UsyncUser::from_jid(own.to_non_ad())],
    );
    let query = query.map_err(|error| IqError::EncodeError(error.into()))?;
    let answer = client.query_usync(query).await?;
    let user = answer.users.first();
    let result = user.and_then(|user| user.protocol(UsyncProtocolKind::DisappearingMode));
    Ok(match result {
        Some(UsyncProtocolResult::DisappearingMode(outcome)) => {
            outcome.value().map(|mode| mode.duration_seconds)
        }
        _ => None,
    })
}

/// The timer that another device of the account has set, where a stanza tells one.
pub(super) fn set_elsewhere(stanza: &OwnedNodeRef) -> Option<u32> {
    let node = stanza.get();
    let kind = node.attrs().optional_string("type");
    if node.tag != "notification" || kind.as_deref() != Some("account_sync") {
        return None;
    }
    let mode = node.get_optional_child("disappearing_mode")?;
    let seconds = mode.attrs().optional_string("duration")?.parse();
    seconds.ok()
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::NodeBuilder;
    use whatsapp_rust::wacore_binary::marshal::marshal;

    use super::*;

    fn told(kind: &'static str, mode: NodeBuilder) -> Option<u32> {
        let stanza = NodeBuilder::new("notification").attr("type", kind);
        let stanza = stanza.children([mode.build()]).build();
        let bytes = marshal(&stanza).unwrap();
        // The first byte is a flag of the transport.
        set_elsewhere(&OwnedNodeRef::new(bytes[1..].to_vec()).unwrap())
    }

    #[test]
    fn only_news_of_the_account_itself_counts() {
        let mode = || NodeBuilder::new("disappearing_mode").attr("duration", 86_400_u32);
        assert_eq!(told("account_sync", mode()), Some(86_400));
        // That is news of a contact.
        assert_eq!(told("disappearing_mode", mode()), None);
        assert_eq!(told("account_sync", NodeBuilder::new("devices")), None);
    }
}
