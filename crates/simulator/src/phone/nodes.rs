//! Reading and building the stanzas of a phone.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

pub(crate) use crate::server::stanza::{
    child_bytes, content_bytes as bytes, jid_attr, number_attr, text_attr,
};

/// The acknowledgement that takes a stanza out of the server's queue.
///
/// Shape: `to` repeats `from`; `participant` and `recipient` are kept, and `type` except for
/// messages (whatsapp-rust `client::node_io`).
pub(crate) fn ack_for(node: &Node) -> Option<Node> {
    let id = text_attr(node, "id")?;
    let to = jid_attr(node, "from")?;
    let mut ack = NodeBuilder::new("ack")
        .attr("class", node.tag.to_string())
        .attr("id", id)
        .attr("to", to);
    for key in ["participant", "recipient"] {
        if let Some(value) = jid_attr(node, key) {
            ack = ack.attr(key, value);
        }
    }
    if node.tag != "message"
        && let Some(kind) = text_attr(node, "type")
    {
        ack = ack.attr("type", kind);
    }
    Some(ack.build())
}

/// Every id that a receipt is about: its own and those of its list.
pub(crate) fn receipt_ids(node: &Node) -> Vec<String> {
    let mut ids: Vec<String> = text_attr(node, "id").into_iter().collect();
    if let Some(list) = node.get_optional_child("list") {
        ids.extend(
            list.get_children_by_tag("item")
                .filter_map(|item| text_attr(item, "id")),
        );
    }
    ids
}

#[cfg(test)]
mod tests {
    use wacore_binary::Jid;

    use super::*;

    #[test]
    fn an_acknowledgement_repeats_what_identifies_the_stanza() {
        let receipt = NodeBuilder::new("receipt")
            .attr("id", "A")
            .attr("from", Jid::lid_device("1", 2))
            .attr("type", "read")
            .children([NodeBuilder::new("list")
                .children([NodeBuilder::new("item").attr("id", "B").build()])
                .build()])
            .build();
        let ack = ack_for(&receipt).unwrap();
        assert_eq!(text_attr(&ack, "class").as_deref(), Some("receipt"));
        assert_eq!(text_attr(&ack, "type").as_deref(), Some("read"));
        assert_eq!(jid_attr(&ack, "to"), Some(Jid::lid_device("1", 2)));
        assert_eq!(receipt_ids(&receipt), ["A", "B"]);
        assert!(ack_for(&NodeBuilder::new("receipt").build()).is_none());
    }
}
