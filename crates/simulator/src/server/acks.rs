//! Acknowledgements of devices for what the server sent them.

use wacore_binary::Node;

use crate::accounting::DeviceProgress;
use crate::journal::JournalError;

use super::api::Server;
use super::queue::{Acknowledged, Class};
use super::session::Session;
use super::stanza::{jid_attr, text_attr};

impl Server {
    pub(super) fn handle_ack(&self, session: &Session, node: &Node) -> Result<(), JournalError> {
        let class = text_attr(node, "class").and_then(|class| Class::of_tag(&class));
        let (Some(class), Some(id)) = (class, text_attr(node, "id")) else {
            return Ok(());
        };
        let to = jid_attr(node, "to");
        let kind = text_attr(node, "type");
        let found = Acknowledged {
            class,
            id: &id,
            from_user: to.as_ref().map(|to| to.user.as_str()),
            kind: kind.as_deref(),
        };
        let mut transaction = self.begin();
        // What a receipt has taken before, perhaps to ask for a retry, goes no further by this.
        if transaction.take(&session.account, session.device_id, &found)
            && class == Class::Message
            && let Some(sender) = to.and_then(|to| self.inner.directory.by_jid(&to))
        {
            let progress = if node.attrs.contains_key("error") {
                DeviceProgress::Refused
            } else {
                DeviceProgress::Delivered
            };
            self.inner.accounting.advance(
                &mut transaction.batch,
                (&sender.number, &session.account.number, &id),
                session.device_id,
                progress,
            );
        }
        transaction.commit()
    }
}
