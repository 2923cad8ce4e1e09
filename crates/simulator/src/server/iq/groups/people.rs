//! Those whom a request names, and what became of each.

use std::collections::BTreeSet;
use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::server::api::Server;
use crate::server::groups::GroupRecord;
use crate::server::jids::Addressing;
use crate::server::stanza::jid_attr;
use crate::server::state::AccountCell;

/// The most members that a group has.
pub(super) const MAX_MEMBERS: usize = 1_024;

/// The privacy setting that says who may add somebody to groups.
const ADDING: &str = "groupadd";

/// Somebody named in a request.
pub(super) struct Named {
    pub(super) jid: Jid,
    /// Whose address it is, when it is anybody's.
    pub(super) account: Option<Arc<AccountCell>>,
}

impl Server {
    /// The `<participant>` children of a request; each user once.
    pub(super) fn named(&self, list: &Node) -> Vec<Named> {
        let mut seen = BTreeSet::new();
        let participants = list.get_children_by_tag("participant");
        participants
            .filter_map(|participant| {
                let jid = jid_attr(participant, "jid")?.to_non_ad();
                let account = self.inner.directory.by_jid(&jid).or_else(|| {
                    let number = jid_attr(participant, "phone_number")?;
                    self.inner.directory.by_jid(&number)
                });
                let key = account
                    .as_ref()
                    .map_or_else(|| jid.to_string(), |account| account.number.to_string());
                seen.insert(key).then_some(Named { jid, account })
            })
            .collect()
    }

    /// Why `author` may not put somebody into a group; `None` when they may.
    pub(super) fn objection(
        &self,
        group: &GroupRecord,
        author: &AccountCell,
        person: &AccountCell,
    ) -> Option<u16> {
        if group.members.contains_key(&*person.number) {
            return Some(409);
        }
        if group.members.len() >= MAX_MEMBERS {
            return Some(419);
        }
        let (has_blocked, privacy) = {
            let state = person.lock();
            let privacy = state.record.privacy.get(ADDING).cloned();
            (state.has_blocked(author), privacy.unwrap_or_default())
        };
        if has_blocked {
            return Some(401);
        }
        // The server knows no address books: those who have written to each other are contacts.
        let is_contact = || {
            let contacts = self.inner.accounting.correspondents(&person.number);
            contacts.contains(&*author.number)
        };
        let may = match &*privacy {
            "none" => false,
            "contacts" => is_contact(),
            _ => true,
        };
        if !may {
            return Some(403);
        }
        // Whoever has gone twice is left in peace for a day.
        let (times, at_s) = group.left.get(&*person.number).copied().unwrap_or_default();
        (times > 1 && self.inner.now_s() < at_s + 86_400).then_some(408)
    }
}

/// What became of somebody: `error` says why nothing did.
pub(super) fn outcome(named: &Named, error: Option<u16>) -> NodeBuilder {
    let mut node = NodeBuilder::new("participant");
    node = match &named.account {
        Some(account) => node
            .attr("jid", account.jid(Addressing::Lid))
            .attr("phone_number", account.jid(Addressing::Pn)),
        None => node.attr("jid", &named.jid),
    };
    match error {
        Some(code) => node.attr("error", code),
        None => node,
    }
}
