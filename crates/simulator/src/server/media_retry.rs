//! Where a file is again: a primary's answer to a companion that could not fetch it.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::journal::JournalError;

use super::api::Server;
use super::deliver::parcels;
use super::jids::Addressing;
use super::session::Session;
use super::stanza::{jid_attr, text_attr};

impl Server {
    /// Takes a notification from a primary for one of its companions; no other device may notify.
    pub(super) fn handle_notification(
        &self,
        session: &Session,
        node: &Node,
    ) -> Result<(), JournalError> {
        let to = jid_attr(node, "to").filter(|to| to.device != 0);
        let is_known = text_attr(node, "type").as_deref() == Some("mediaretry");
        let Some(to) = to.filter(|_| is_known && session.device_id == 0) else {
            self.refuse(session, node, 501);
            return Ok(());
        };
        let target = self.inner.directory.by_jid(&to);
        let is_own = target.is_some_and(|target| target.number == session.account.number);
        if !is_own || !session.account.device_ids().contains(&to.device) {
            self.refuse(session, node, 404);
            return Ok(());
        }
        let addressing = Addressing::of(&to).unwrap_or(Addressing::Pn);
        let mut notification = NodeBuilder::new("notification")
            .attr("from", session.jid(addressing))
            .attr("type", "mediaretry")
            .attr("t", self.inner.now_s());
        if let Some(id) = node.attrs.get("id") {
            notification = notification.attr("id", id.clone());
        }
        let notification = notification.apply_content(node.content.clone()).build();
        self.deliver(&session.account, parcels(&notification, [to.device]))?;
        self.acknowledge_stanza(session, node, "notification");
        Ok(())
    }
}
