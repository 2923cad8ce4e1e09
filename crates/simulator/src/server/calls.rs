//! Call signalling: offers, answers and endings go from device to device; media is not relayed.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeContent};

use crate::journal::JournalError;

use super::api::Server;
use super::deliver;
use super::jids::Addressing;
use super::session::Session;
use super::stanza::{ack_of, jid_attr};

impl Server {
    pub(super) fn handle_call(&self, session: &Session, node: &Node) -> Result<(), JournalError> {
        let Some(signal) = node.children().and_then(<[Node]>::first) else {
            self.refuse(session, node, 400);
            return Ok(());
        };
        let target =
            jid_attr(node, "to").and_then(|to| Some((self.inner.directory.by_jid(&to)?, to)));
        if let Some((target, to)) = target {
            let addressing = Addressing::of(&to).unwrap_or(Addressing::Pn);
            let name = session.account.lock().record.push_name.clone();
            let mut parcels = Vec::new();
            for device_id in target.device_ids() {
                if to.device != 0 && device_id != to.device {
                    continue;
                }
                let mut call = NodeBuilder::new("call")
                    .attr("from", session.jid(addressing))
                    .attr("t", self.inner.now_s());
                if let Some(id) = node.attrs.get("id") {
                    call = call.attr("id", id.clone());
                }
                if !name.is_empty() {
                    call = call.attr("notify", &name);
                }
                let call = call.children([signal_for(signal, device_id)]).build();
                parcels.extend(deliver::parcels(&call, [device_id]));
            }
            self.deliver(&target, parcels)?;
        }
        let ack = ack_of(node).attr("type", signal.tag.to_string());
        self.push_node(&session.account, &session.link, &ack.build());
        Ok(())
    }
}

/// A signal as one device gets it: of the keys in `<destination>`, its own.
fn signal_for(signal: &Node, device_id: u16) -> Node {
    let mut signal = signal.clone();
    let Some(NodeContent::Nodes(children)) = &mut signal.content else {
        return signal;
    };
    let own = children
        .iter()
        .find(|child| child.tag == "destination")
        .and_then(|destination| {
            destination
                .get_children_by_tag("to")
                .find(|to| jid_attr(to, "jid").is_some_and(|jid| jid.device == device_id))
        })
        .and_then(|to| to.get_optional_child("enc"))
        .cloned();
    children.retain(|child| child.tag != "destination");
    let is_there = children.iter().any(|child| child.tag == "enc");
    if let Some(enc) = own
        && !is_there
    {
        children.push(enc);
    }
    signal
}

#[cfg(test)]
mod tests {
    use wacore_binary::Jid;

    use super::super::stanza::text_attr;
    use super::*;

    #[test]
    fn each_device_gets_its_own_call_key() {
        let to = |device: u16, key: u8| {
            NodeBuilder::new("to")
                .attr("jid", Jid::pn_device("1", device))
                .children([NodeBuilder::new("enc").bytes(vec![key]).build()])
                .build()
        };
        let offer = NodeBuilder::new("offer")
            .attr("call-id", "C")
            .children([NodeBuilder::new("destination")
                .children([to(0, 7), to(3, 9)])
                .build()])
            .build();
        let theirs = signal_for(&offer, 3);
        assert_eq!(
            theirs.get_optional_child("enc").unwrap().content,
            Some(NodeContent::Bytes(vec![9]))
        );
        assert!(theirs.get_optional_child("destination").is_none());
        assert_eq!(text_attr(&theirs, "call-id").as_deref(), Some("C"));
    }
}
