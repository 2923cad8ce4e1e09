//! Looking users up: devices, LIDs, contacts, status, pictures (`usync`; wacore `iq::usync`).

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::router::Request;
use crate::server::api::Server;
use crate::server::devices::devices_hash;
use crate::server::jids::Addressing;
use crate::server::stanza::jid_attr;
use crate::server::state::AccountCell;

/// A query names this many users at most.
const MAX_USERS: usize = 10_000;

/// The other form of a mobile number of Brazil, Mexico or Argentina: WhatsApp knows an account
/// under one of both, and finds it by either.
fn other_form(digits: &str) -> Option<String> {
    let (country, rest) = digits.split_at_checked(2)?;
    let moved = |with: &str, without: usize| match rest.strip_prefix(with) {
        Some(rest) if rest.len() == without => Some(format!("{country}{rest}")),
        _ if rest.len() == without => Some(format!("{country}{with}{rest}")),
        _ => None,
    };
    match country {
        // The ninth digit comes behind the two of the region.
        "55" => {
            let (region, rest) = rest.split_at_checked(2)?;
            match rest.strip_prefix('9') {
                Some(rest) if rest.len() == 8 => Some(format!("{country}{region}{rest}")),
                _ if rest.len() == 8 => Some(format!("{country}{region}9{rest}")),
                _ => None,
            }
        }
        "52" => moved("1", 10),
        "54" => moved("9", 10),
        _ => None,
    }
}

/// Who a `<user>` of the query means.
struct Target {
    /// The address that the answer repeats.
    jid: Option<Jid>,
    account: Option<Arc<AccountCell>>,
}

impl Server {
    pub(super) fn iq_usync(&self, request: &Request<'_>) -> Node {
        let Some(usync) = request.child("usync") else {
            return request.bad_request();
        };
        let (Some(query), Some(list)) = (
            usync.get_optional_child("query"),
            usync.get_optional_child("list"),
        ) else {
            return request.bad_request();
        };
        let protocols = query.children().unwrap_or_default();
        let users = list
            .get_children_by_tag("user")
            .take(MAX_USERS)
            .filter_map(|user| self.usync_user(request, protocols, user));
        let states = protocols
            .iter()
            .map(|protocol| NodeBuilder::new_dynamic(protocol.tag.to_string()).build());
        let mut answer = NodeBuilder::new("usync");
        for key in ["sid", "index", "last", "mode", "context"] {
            if let Some(value) = usync.attrs.get(key) {
                answer = answer.attr(key, value.clone());
            }
        }
        let answer = answer
            .children([
                NodeBuilder::new("result").children(states).build(),
                NodeBuilder::new("list").children(users).build(),
            ])
            .build();
        request.result([answer])
    }

    fn usync_user(&self, request: &Request<'_>, protocols: &[Node], user: &Node) -> Option<Node> {
        let target = self.target(user);
        let results = protocols
            .iter()
            .filter_map(|protocol| Self::usync_protocol(request, protocol, &target, user));
        let mut node = NodeBuilder::new("user");
        if let Some(jid) = &target.jid {
            node = node.attr("jid", jid.clone());
            if let Some(account) = &target.account
                && Addressing::of(jid) == Some(Addressing::Lid)
            {
                node = node.attr("pn_jid", account.jid(Addressing::Pn));
            }
        }
        let node = node.children(results).build();
        let is_worth_it = target.account.is_some() || node.get_optional_child("contact").is_some();
        is_worth_it.then_some(node)
    }

    /// Users are named by JID, by phone number in the contact protocol, or by the number behind a LID.
    fn target(&self, user: &Node) -> Target {
        let phone = user
            .get_optional_child("contact")
            .and_then(Node::content_as_string)
            .map(|phone| {
                let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
                Jid::pn(digits)
            });
        let jid = jid_attr(user, "jid")
            .or(phone)
            .or_else(|| jid_attr(user, "pn_jid"))
            .map(|jid| jid.to_non_ad());
        let found = |jid: &Jid| self.inner.directory.by_jid(jid);
        if let Some(account) = jid.as_ref().and_then(found) {
            let account = Some(account);
            return Target { jid, account };
        }
        // By the other form of its number; the answer bears the account's own.
        let other = jid
            .as_ref()
            .filter(|jid| Addressing::of(jid) == Some(Addressing::Pn))
            .and_then(|jid| other_form(&jid.user))
            .map(Jid::pn);
        match other.as_ref().and_then(found) {
            Some(account) => Target {
                jid: other,
                account: Some(account),
            },
            None => Target { jid, account: None },
        }
    }

    fn usync_protocol(
        request: &Request<'_>,
        protocol: &Node,
        target: &Target,
        user: &Node,
    ) -> Option<Node> {
        if protocol.tag == "contact" {
            let kind = if target.account.is_some() {
                "in"
            } else {
                "out"
            };
            let mut contact = NodeBuilder::new("contact").attr("type", kind);
            if let Some(asked) = user
                .get_optional_child("contact")
                .and_then(Node::content_as_string)
            {
                contact = contact.bytes(asked.as_bytes().to_vec());
            }
            return Some(contact.build());
        }
        let account = target.account.as_deref()?;
        match &*protocol.tag {
            "devices" => {
                let addressing = target.jid.as_ref().and_then(Addressing::of);
                Some(devices_node(account, addressing.unwrap_or(Addressing::Pn)))
            }
            "lid" => Some(
                NodeBuilder::new("lid")
                    .attr("val", account.jid(Addressing::Lid))
                    .build(),
            ),
            "status" => Some(status_node(account, is_hidden(request, account, "status"))),
            "picture" => picture_node(account, is_hidden(request, account, "profile")),
            "disappearing_mode" => {
                let state = account.lock();
                Some(
                    NodeBuilder::new("disappearing_mode")
                        .attr("duration", state.record.disappearing_mode_s)
                        .attr("t", state.record.disappearing_mode_set_at_s)
                        .build(),
                )
            }
            // Simulated accounts are personal: neither businesses nor bots, without usernames.
            _ => None,
        }
    }
}

fn is_hidden(request: &Request<'_>, account: &AccountCell, category: &str) -> bool {
    if request.session.account.number == account.number {
        return false;
    }
    let state = account.lock();
    state
        .record
        .privacy
        .get(category)
        .is_some_and(|who| who == "none")
}

fn devices_node(account: &AccountCell, addressing: Addressing) -> Node {
    let state = account.lock();
    let devices = state.devices.values().map(|device| {
        let node = NodeBuilder::new("device").attr("id", device.record.id);
        match device.record.key_index {
            0 => node.build(),
            key_index => node.attr("key-index", key_index).build(),
        }
    });
    let list = NodeBuilder::new("device-list")
        .attr("hash", devices_hash(account, &state, addressing))
        .children(devices)
        .build();
    let mut children = vec![list];
    if !state.record.key_index_list.is_empty() {
        children.push(
            NodeBuilder::new("key-index-list")
                .attr("ts", state.record.key_index_list_at_s)
                .bytes(state.record.key_index_list.clone())
                .build(),
        );
    }
    NodeBuilder::new("devices").children(children).build()
}

fn status_node(account: &AccountCell, is_hidden: bool) -> Node {
    if is_hidden {
        return NodeBuilder::new("status").attr("code", 401_u16).build();
    }
    let state = account.lock();
    NodeBuilder::new("status")
        .attr("t", state.record.about_set_at_s)
        .bytes(state.record.about.clone().into_bytes())
        .build()
}

fn picture_node(account: &AccountCell, is_hidden: bool) -> Option<Node> {
    let picture_id = account.lock().record.picture_id?;
    if is_hidden {
        return None;
    }
    Some(NodeBuilder::new("picture").attr("id", picture_id).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mobile_numbers_of_three_countries_have_two_forms() {
        for (one, other) in [
            ("5511987654321", "551187654321"),
            ("5215512345678", "525512345678"),
            ("5491123456789", "541123456789"),
        ] {
            assert_eq!(other_form(one).as_deref(), Some(other));
            assert_eq!(other_form(other).as_deref(), Some(one));
        }
        for number in ["15551234567", "55119876543210", "5", "5511", "52155"] {
            assert_eq!(other_form(number), None, "{number}");
        }
    }
}
