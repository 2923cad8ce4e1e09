//! What a logged-in device sends.

use std::time::Duration;

use wacore_binary::Node;

use crate::faults::InboundFate;
use crate::journal::JournalError;

use super::api::Server;
use super::link::Outgoing;
use super::session::Session;
use super::stanza::{
    marshal, number_attr, stream_conflict, stream_error, stream_not_well_formed, text_attr,
};

impl Server {
    /// Handles one stanza of a device; what it causes has been written down when this returns.
    pub(crate) fn handle(&self, session: &Session, node: Node) {
        match self
            .inner
            .faults
            .inbound(&session.account.number, &node.tag)
        {
            InboundFate::Pass => self.route(session, &node),
            InboundFate::Drop => {}
            InboundFate::Duplicate => {
                self.route(session, &node);
                self.route(session, &node);
            }
            InboundFate::Delay(delay_ms) => {
                let (server, session) = (self.clone(), session.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    server.route(&session, &node);
                });
            }
            InboundFate::Nack(code) => self.refuse(session, &node, code),
            InboundFate::Close => session.link.cut(),
            InboundFate::StreamError(code) => {
                session
                    .link
                    .push(Outgoing::Last(marshal(&stream_error(code))));
            }
            InboundFate::Replaced => {
                let conflict = stream_conflict("replaced");
                session.link.push(Outgoing::Last(marshal(&conflict)));
            }
        }
    }

    fn route(&self, session: &Session, node: &Node) {
        if let Err(error) = self.dispatch(session, node) {
            tracing::error!(%error, stanza.tag = %node.tag, "a stanza could not be written down");
            // Unacknowledged, it comes again on the next connection.
            session.link.cut();
        }
    }

    fn dispatch(&self, session: &Session, node: &Node) -> Result<(), JournalError> {
        let needs_id = matches!(&*node.tag, "iq" | "message" | "receipt" | "ack" | "call");
        if needs_id && text_attr(node, "id").is_none_or(|id| id.is_empty()) {
            // Neither it nor what comes of it could be acknowledged.
            tracing::debug!(stanza.tag = %node.tag, "cut a connection for a stanza without an id");
            session
                .link
                .push(Outgoing::Last(marshal(&stream_not_well_formed())));
            return Ok(());
        }
        match &*node.tag {
            "iq" => self.handle_iq(session, node),
            "message" => self.handle_message(session, node),
            "receipt" => self.handle_receipt(session, node),
            "ack" => self.handle_ack(session, node),
            "presence" => self.handle_presence(session, node),
            "chatstate" => {
                self.handle_chatstate(session, node);
                Ok(())
            }
            "call" => self.handle_call(session, node),
            "ib" => {
                Self::handle_ib(session, node);
                Ok(())
            }
            _ => {
                tracing::info!(stanza.tag = %node.tag, "refused a stanza of unknown tag");
                // Without an id there is nothing that an answer could be about.
                if text_attr(node, "id").is_some() {
                    self.refuse(session, node, 501);
                }
                Ok(())
            }
        }
    }

    /// A client asks for the next batch of its backlog.
    fn handle_ib(session: &Session, node: &Node) {
        let count = node
            .get_optional_child("offline_batch")
            .and_then(|batch| number_attr(batch, "count"))
            .and_then(|count| usize::try_from(count).ok());
        let Some(count) = count else {
            return;
        };
        let mut state = session.account.lock();
        if let Some(live) = state
            .devices
            .get_mut(&session.device_id)
            .and_then(|device| device.live.as_mut())
            .filter(|live| live.link.id == session.link.id)
        {
            live.asked_for = live.asked_for.saturating_add(count);
            live.link.push(Outgoing::Wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use wacore_binary::{NodeContent, NodeValue};

    use super::*;
    use crate::fuzzing::{Sender, stanzas};

    const TAGS: &[&str] = &[
        "iq",
        "message",
        "receipt",
        "ack",
        "presence",
        "chatstate",
        "call",
        "ib",
        "x",
        "a@b",
        "usync",
        "list",
        "user",
        "query",
        "devices",
        "contact",
        "lid",
        "key",
        "count",
        "digest",
        "rotate",
        "skey",
        "identity",
        "registration",
        "id",
        "value",
        "signature",
        "enc",
        "participants",
        "to",
        "device-identity",
        "item",
        "privacy",
        "category",
        "tokens",
        "token",
        "sync",
        "collection",
        "patch",
        "picture",
        "status",
        "blocklist",
        "disappearing_mode",
        "remove-companion-device",
        "link_code_companion_reg",
        "link_code_pairing_ref",
        "link_code_pairing_wrapped_companion_ephemeral_pub",
        "companion_server_auth_key_pub",
        "offer",
        "create",
        "participant",
        "add",
        "remove",
        "promote",
        "leave",
        "group",
        "subject",
        "description",
        "body",
        "ephemeral",
        "announcement",
        "member_add_mode",
        "membership_approval_mode",
        "membership_requests_action",
        "approve",
        "invite",
        "accept",
        "links",
        "link",
        "unlink",
        "parent",
        "linked_parent",
        "delete_parent",
        "join_linked_group",
        "participating",
    ];

    const KEYS: &[&str] = &[
        "id",
        "to",
        "from",
        "type",
        "xmlns",
        "class",
        "jid",
        "name",
        "value",
        "participant",
        "recipient",
        "category",
        "version",
        "action",
        "stage",
        "duration",
        "t",
        "count",
        "v",
        "code",
        "subject",
        "expiration",
        "link_type",
        "unlink_type",
        "phone_number",
        "addressing_mode",
    ];

    const VALUES: &[&str] = &[
        "",
        "1",
        "get",
        "set",
        "result",
        "error",
        "pkmsg",
        "msg",
        "text",
        "read",
        "read-self",
        "retry",
        "subscribe",
        "unavailable",
        "available",
        "encrypt",
        "usync",
        "privacy",
        "md",
        "blocklist",
        "status",
        "w:profile:picture",
        "w:sync:app:state",
        "disappearing_mode",
        "w:p",
        "passive",
        "w:m",
        "spam",
        "w:g2",
        "w:mex",
        "regular",
        "critical_block",
        "block",
        "message",
        "receipt",
        "notification",
        "call",
        "peer",
        "companion_hello",
        "companion_finish",
        "primary_hello",
        "15550000001@s.whatsapp.net",
        "joe@work",
        "15550000002@s.whatsapp.net",
        "15550000002:999@s.whatsapp.net",
        "1:2@hosted",
        "1@g.us",
        "@g.us",
        "sub_group",
        "true",
        "18446744073709551615",
    ];

    fn values() -> impl Strategy<Value = NodeValue> {
        let jids = (
            select(&["15550000001", "15550000002", "1", ""][..]),
            any::<u16>(),
        );
        prop_oneof![
            4 => select(VALUES).prop_map(NodeValue::from),
            1 => jids.prop_map(|(user, device)| NodeValue::from(wacore_binary::Jid::pn_device(user, device))),
            1 => "\\PC{0,60}".prop_map(NodeValue::from),
        ]
    }

    fn nodes() -> impl Strategy<Value = Node> {
        let bytes = prop_oneof![
            Just(vec![5; 32]),
            Just(vec![0, 0, 1]),
            proptest::collection::vec(any::<u8>(), 0..100),
        ];
        let attrs = || proptest::collection::vec((select(KEYS), values()), 0..6);
        let build = |tag: &'static str, attrs: Vec<(&'static str, NodeValue)>, content| {
            let mut node = Node {
                tag: tag.into(),
                content,
                ..Node::default()
            };
            for (key, value) in attrs {
                node.attrs.insert(key, value);
            }
            node
        };
        let leaf = (select(TAGS), attrs(), proptest::option::of(bytes))
            .prop_map(move |(tag, attrs, bytes)| build(tag, attrs, bytes.map(NodeContent::Bytes)));
        leaf.prop_recursive(4, 24, 5, move |inner| {
            let children = proptest::collection::vec(inner, 0..5);
            (select(TAGS), attrs(), children).prop_map(move |(tag, attrs, children)| {
                build(tag, attrs, Some(NodeContent::Nodes(children)))
            })
        })
    }

    proptest! {
        #[test]
        fn whatever_devices_send_the_server_goes_on(
            sent in proptest::collection::vec(
                (select(&[Sender::First, Sender::Second, Sender::Unpaired][..]), select(&TAGS[..7]), nodes()),
                1..6,
            ),
        ) {
            let written: Vec<_> = sent
                .into_iter()
                .map(|(from, tag, mut node)| {
                    node.tag = tag.into();
                    (from, marshal(&node))
                })
                .collect();
            let sent: Vec<_> = written.iter().map(|(from, stanza)| (*from, &stanza[..])).collect();
            stanzas(&sent);
        }
    }
}
