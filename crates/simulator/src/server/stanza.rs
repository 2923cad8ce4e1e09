//! Building and reading the stanzas that many parts of the server use.

use bytes::Bytes;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, Server as JidServer};

use super::writable::writable;

/// The server's own address, `s.whatsapp.net`.
pub(crate) fn server_jid() -> Jid {
    Jid::new("", JidServer::Pn)
}

/// Marshals a stanza for a frame.
pub(crate) fn marshal(node: &Node) -> Bytes {
    wacore_binary::marshal_auto(&writable(node))
        .expect("what is writable is written")
        .into()
}

/// Reads a marshalled stanza back.
pub(crate) fn unmarshal(stanza: &[u8]) -> Option<Node> {
    let plain = wacore_binary::util::unpack(stanza).ok()?;
    let node = wacore_binary::marshal::unmarshal_ref(&plain).ok()?;
    Some(node.to_owned())
}

/// An attribute as text.
pub(crate) fn text_attr(node: &Node, key: &str) -> Option<String> {
    node.attrs.get(key).map(|value| value.as_str().into_owned())
}

/// An attribute as a JID.
pub(crate) fn jid_attr(node: &Node, key: &str) -> Option<Jid> {
    node.attrs.get(key)?.to_jid()
}

/// An attribute as a number.
pub(crate) fn number_attr(node: &Node, key: &str) -> Option<u64> {
    node.attrs.get(key)?.as_str().parse().ok()
}

/// The bytes of a node, also when they came as a token or packed text.
pub(crate) fn content_bytes(node: &Node) -> Option<Vec<u8>> {
    match node.content.as_ref()? {
        NodeContent::Bytes(bytes) => Some(bytes.clone()),
        NodeContent::String(text) => Some(text.as_bytes().to_vec()),
        NodeContent::Nodes(_) => None,
    }
}

/// The bytes of a child.
pub(crate) fn child_bytes(node: &Node, tag: &str) -> Option<Vec<u8>> {
    content_bytes(node.get_optional_child(tag)?)
}

/// A big-endian number of at most four bytes, as ids of prekeys are written.
pub(crate) fn uint_be(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 4 {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0, |value, byte| (value << 8) | u32::from(*byte)),
    )
}

/// A key of 32 bytes; the type byte 5 that some clients put in front is dropped.
pub(crate) fn key32(bytes: &[u8]) -> Option<[u8; 32]> {
    match bytes {
        [5, key @ ..] if key.len() == 32 => key.try_into().ok(),
        key => key.try_into().ok(),
    }
}

/// A successful answer to an iq.
pub(crate) fn iq_result(request: &Node, children: impl IntoIterator<Item = Node>) -> Node {
    let mut children = children.into_iter().peekable();
    let mut builder = iq_answer(request, "result");
    if children.peek().is_some() {
        builder = builder.children(children);
    }
    builder.build()
}

/// A failed answer to an iq.
pub(crate) fn iq_error(request: &Node, code: u16, text: &'static str) -> Node {
    iq_answer(request, "error")
        .children([NodeBuilder::new("error")
            .attr("code", code)
            .attr("text", text)
            .build()])
        .build()
}

fn iq_answer(request: &Node, kind: &'static str) -> NodeBuilder {
    let from = jid_attr(request, "to").unwrap_or_else(server_jid);
    let builder = NodeBuilder::new("iq").attr("from", from).attr("type", kind);
    match request.attrs.get("id") {
        Some(id) => builder.attr("id", id.clone()),
        None => builder,
    }
}

/// `<stream:error>` with a code.
/// The acknowledgement of a stanza, for its sender; the caller adds what else it says.
pub(crate) fn ack_of(node: &Node) -> NodeBuilder {
    let mut ack = NodeBuilder::new("ack").attr("class", node.tag.to_string());
    for (from, to) in [("id", "id"), ("to", "from"), ("participant", "participant")] {
        if let Some(value) = node.attrs.get(from) {
            ack = ack.attr(to, value.clone());
        }
    }
    ack
}

pub(crate) fn stream_error(code: u16) -> Node {
    NodeBuilder::new("stream:error").attr("code", code).build()
}

/// `<stream:error>` for a client that sent what no server can handle.
pub(crate) fn stream_not_well_formed() -> Node {
    NodeBuilder::new("stream:error")
        .children([NodeBuilder::new("xml-not-well-formed").build()])
        .build()
}

/// `<stream:error><conflict type=…/></stream:error>`; a removed device also gets the code 401.
pub(crate) fn stream_conflict(kind: &'static str) -> Node {
    let mut error = NodeBuilder::new("stream:error");
    if kind == "device_removed" {
        error = error.attr("code", 401_u16);
    }
    error
        .children([NodeBuilder::new("conflict").attr("type", kind).build()])
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marshalled_stanza_comes_back() {
        let node = iq_error(
            &NodeBuilder::new("iq").attr("id", "7").build(),
            404,
            "item-not-found",
        );
        let back = unmarshal(&marshal(&node)).unwrap();
        assert_eq!(text_attr(&back, "id").as_deref(), Some("7"));
        assert_eq!(text_attr(&back, "from").as_deref(), Some("s.whatsapp.net"));
        let error = back.get_optional_child("error").unwrap();
        assert_eq!(number_attr(error, "code"), Some(404));
        assert!(unmarshal(&[0, 255, 255]).is_none());
        assert!(unmarshal(&[]).is_none());
    }

    #[test]
    fn keys_lose_their_type_byte() {
        let mut typed = vec![5];
        typed.extend_from_slice(&[9; 32]);
        assert_eq!(key32(&typed), Some([9; 32]));
        assert_eq!(key32(&[9; 32]), Some([9; 32]));
        assert_eq!(key32(&[9; 31]), None);
        assert_eq!(uint_be(&[1, 0]), Some(256));
        assert_eq!(uint_be(&[0; 5]), None);
    }
}
