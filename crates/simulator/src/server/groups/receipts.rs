//! Receipts in groups: they name the author of the message, and go to that author alone.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::accounting::Entry;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::deliver::parcels;
use crate::server::jids::Addressing;
use crate::server::queue::{Acknowledged, Class};
use crate::server::receipts::{FOR_ONE_DEVICE, message_ids};
use crate::server::session::Session;
use crate::server::stanza::{jid_attr, text_attr};

impl Server {
    pub(in crate::server) fn handle_group_receipt(
        &self,
        session: &Session,
        node: &Node,
        to: &Jid,
    ) -> Result<(), JournalError> {
        let author = jid_attr(node, "participant");
        let account = author
            .as_ref()
            .and_then(|author| self.inner.directory.by_jid(author));
        let kind = text_attr(node, "type").unwrap_or_default();
        let mut transaction = self.begin();
        for id in message_ids(node) {
            let found = Acknowledged {
                class: Class::Message,
                id: &id,
                from_user: Some(to.user.as_str()),
                kind: None,
            };
            transaction.take(&session.account, session.device_id, &found);
            if let Some(author) = &account {
                let entry = Entry {
                    from: &author.number,
                    to: &session.account.number,
                    group: Some(&to.user),
                    id: &id,
                };
                self.note_receipt(&mut transaction, session, entry, &kind);
            }
        }
        let group = self.inner.groups.get(&to.user);
        let is_member = group.is_some_and(|group| {
            let own = group.role_of(&session.account.number);
            own.is_some() && group.jid() == *to
        });
        if let (true, Some(author), Some(account)) = (is_member, author, account) {
            let is_own = account.number == session.account.number;
            // Reading without telling stays among one's own devices.
            if kind != "read-self" && kind != "played-self" {
                let reader = session.jid(Addressing::Lid);
                let receipt = self.group_receipt(session, node, to, (&reader, &kind));
                let only = FOR_ONE_DEVICE.contains(&&*kind).then_some(author.device);
                let device_ids = account.device_ids().into_iter().filter(|device_id| {
                    only.is_none_or(|only| only == *device_id)
                        && !(is_own && *device_id == session.device_id)
                });
                transaction.deliver(&account, parcels(&receipt, device_ids));
            }
            let own_kind = match &*kind {
                "read" | "read-self" => Some("read-self"),
                "played" | "played-self" => Some("played-self"),
                _ => None,
            };
            if let Some(own_kind) = own_kind.filter(|_| !is_own) {
                let receipt = self.group_receipt(session, node, to, (&author, own_kind));
                transaction.deliver(&session.account, parcels(&receipt, session.siblings()));
            }
        }
        transaction.commit()?;
        self.acknowledge_stanza(session, node, "receipt");
        Ok(())
    }

    fn group_receipt(
        &self,
        session: &Session,
        node: &Node,
        group: &Jid,
        (participant, kind): (&Jid, &str),
    ) -> Node {
        let mut builder = NodeBuilder::new("receipt")
            .attr("from", group)
            .attr("participant", participant)
            .attr("t", self.inner.now_s());
        if participant.user == *session.account.lid {
            builder = builder.attr("participant_pn", session.account.jid(Addressing::Pn));
        }
        if !kind.is_empty() {
            builder = builder.attr("type", kind);
        }
        for key in ["id", "context", "category"] {
            if let Some(value) = node.attrs.get(key) {
                builder = builder.attr(key, value.clone());
            }
        }
        builder.apply_content(node.content.clone()).build()
    }
}
