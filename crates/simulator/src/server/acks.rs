//! Acknowledgements of devices for what the server sent them.

use wacore_binary::Node;

use crate::accounting::DeviceProgress;
use crate::journal::JournalError;

use super::api::Server;
use super::deliver::Acknowledged;
use super::queue::Class;
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
        self.acknowledge(&session.account, session.device_id, &found)?;
        if class == Class::Message
            && let Some(sender) = to.and_then(|to| self.inner.directory.by_jid(&to))
        {
            self.inner.accounting.advance(
                &self.inner.journal,
                (&sender.number, &session.account.number, &id),
                session.device_id,
                DeviceProgress::Delivered,
            )?;
        }
        Ok(())
    }
}
