//! Acknowledgements of devices for what the server sent them.

use std::sync::Arc;

use wacore_binary::{Jid, JidExt as _, Node};

use crate::accounting::{DeviceProgress, Entry};
use crate::journal::JournalError;

use super::api::Server;
use super::queue::{Acknowledged, Class};
use super::session::Session;
use super::stanza::{jid_attr, text_attr};
use super::state::AccountCell;

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
            && let Some(to) = to
            && let Some(sender) = self.sender_of(node, &to)
        {
            let progress = if node.attrs.contains_key("error") {
                DeviceProgress::Refused
            } else {
                DeviceProgress::Delivered
            };
            self.inner.accounting.advance(
                &mut transaction.batch,
                Entry {
                    from: &sender.number,
                    to: &session.account.number,
                    group: to.is_group().then_some(&*to.user),
                    id: &id,
                },
                session.device_id,
                progress,
            );
        }
        transaction.commit()
    }

    /// Whose message an acknowledgement is about: in a group it names the author.
    fn sender_of(&self, ack: &Node, to: &Jid) -> Option<Arc<AccountCell>> {
        if to.is_group() {
            return self.inner.directory.by_jid(&jid_attr(ack, "participant")?);
        }
        self.inner.directory.by_jid(to)
    }
}
