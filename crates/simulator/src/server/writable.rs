//! Stanzas for which the binary encoding has no form, in the nearest form that it has.
//!
//! Clients decide what stands in the stanzas that they are answered with, and that are passed on
//! to others. Of what can be read, the encoder of wacore-binary refuses some, and writes some so
//! that no reader takes it.

use std::borrow::Cow;

use wacore_binary::{CompactString, Jid, Node, NodeContent, NodeValue, Server as JidServer};

/// A list's length has two bytes.
const MAX_CHILDREN: usize = u16::MAX as usize;

/// Longer texts are never taken for JIDs (wacore-binary `classify_string_hint`).
const MAX_JID_TEXT_LEN: usize = 48;

/// The stanza as it can be written; itself, but for a few that no usual client sends.
pub(super) fn writable(node: &Node) -> Cow<'_, Node> {
    if is_writable(node) {
        return Cow::Borrowed(node);
    }
    let mut node = node.clone();
    make_writable(&mut node);
    Cow::Owned(node)
}

fn is_writable(node: &Node) -> bool {
    let has_writable_attrs = node.attrs.iter().all(|(key, value)| {
        is_text(key)
            && match value {
                NodeValue::String(text) => is_text(text),
                NodeValue::Jid(jid) => is_jid(jid),
            }
    });
    let has_writable_content = || match &node.content {
        Some(NodeContent::String(text)) => is_text(text),
        Some(NodeContent::Nodes(nodes)) => {
            nodes.len() <= MAX_CHILDREN && nodes.iter().all(is_writable)
        }
        Some(NodeContent::Bytes(_)) | None => true,
    };
    is_text(&node.tag) && has_writable_attrs && has_writable_content()
}

fn make_writable(node: &mut Node) {
    if !is_text(&node.tag) {
        node.tag = without_at_sign(&node.tag).into();
    }
    for (key, value) in &mut node.attrs.0 {
        if !is_text(key) {
            *key = without_at_sign(key).into();
        }
        let text = match value {
            NodeValue::String(text) if !is_text(text) => text.clone(),
            NodeValue::Jid(jid) if !is_jid(jid) => jid.to_string().into(),
            _ => continue,
        };
        *value = if is_text(&text) {
            text.into()
        } else {
            without_at_sign(&text).into()
        };
    }
    match &mut node.content {
        Some(NodeContent::String(text)) if !is_text(text) => {
            *text = CompactString::from(without_at_sign(text));
        }
        Some(NodeContent::Nodes(nodes)) => {
            nodes.truncate(MAX_CHILDREN);
            nodes.iter_mut().for_each(make_writable);
        }
        _ => {}
    }
}

/// Whether a text comes back: one with `@` is written as a JID, which readers take of servers
/// that they know.
fn is_text(text: &str) -> bool {
    text.len() > MAX_JID_TEXT_LEN
        || text
            .split_once('@')
            .is_none_or(|(_, server)| JidServer::try_from(server).is_ok())
}

/// The same text to the eye, with a sign that is written as it is.
fn without_at_sign(text: &str) -> String {
    text.replace('@', "\u{ff20}")
}

/// Whether a JID comes back: devices have one byte, and the form with an integrator is only
/// ever sent to servers.
fn is_jid(jid: &Jid) -> bool {
    let has_device_byte = matches!(
        jid.server,
        JidServer::Pn | JidServer::Lid | JidServer::Hosted | JidServer::HostedLid
    );
    let is_sent_to_servers = jid.server == JidServer::Interop && jid.integrator != 0;
    is_text(&jid.user) && !is_sent_to_servers && (!has_device_byte || jid.device <= 255)
}

#[cfg(test)]
mod tests {
    use wacore_binary::builder::NodeBuilder;

    use super::*;
    use crate::server::stanza::{content_bytes, marshal, text_attr, unmarshal};

    #[test]
    fn what_the_encoder_refuses_is_written_in_another_form() {
        let integrated = Jid {
            integrator: 7,
            ..Jid::new("1", JidServer::Interop)
        };
        let node = NodeBuilder::new("message")
            .attr("to", Jid::pn_device("1", 999))
            .attr("from", integrated)
            .attr("participant", Jid::pn("a@b"))
            .attr("notify", "joe@work")
            .attr("recipient", "2:3@lid")
            .children(vec![NodeBuilder::new("x").build(); 70_000])
            .build();
        let back = unmarshal(&marshal(&node)).unwrap();
        let attr = |key| text_attr(&back, key).unwrap();
        assert_eq!(attr("to"), "1:999@s.whatsapp.net");
        assert_eq!(attr("from"), "1@interop");
        assert_eq!(attr("participant"), "a\u{ff20}b\u{ff20}s.whatsapp.net");
        assert_eq!(attr("notify"), "joe\u{ff20}work");
        assert_eq!(attr("recipient"), "2:3@lid");
        assert_eq!(back.children().unwrap().len(), MAX_CHILDREN);
    }

    #[test]
    fn usual_stanzas_stay_as_they_are() {
        let node = NodeBuilder::new("message")
            .attr("to", Jid::lid_device("1", 99))
            .children([NodeBuilder::new("enc").bytes(b"joe@work".to_vec()).build()])
            .build();
        assert!(matches!(writable(&node), Cow::Borrowed(_)));
        let back = unmarshal(&marshal(&node)).unwrap();
        let enc = back.get_optional_child("enc").unwrap();
        assert_eq!(content_bytes(enc).unwrap(), b"joe@work");
    }
}
