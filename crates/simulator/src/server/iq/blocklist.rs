//! Blocked users (`blocklist`).

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::jids::Addressing;
use crate::server::stanza::{jid_attr, text_attr};

impl Server {
    pub(super) fn iq_blocklist(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let account = &request.session.account;
        if !request.is_get {
            let Some(item) = request.child("item") else {
                return Ok(request.bad_request());
            };
            let Some(jid) = jid_attr(item, "jid").map(|jid| jid.to_non_ad()) else {
                return Ok(request.bad_request());
            };
            let Some(blocked) = self.inner.directory.by_jid(&jid) else {
                return Ok(request.not_found());
            };
            let is_block = match text_attr(item, "action").as_deref() {
                Some("block") => true,
                Some("unblock") => false,
                _ => return Ok(request.bad_request()),
            };
            // Users are blocked by LID, and then named by number as well (wacore `iq::blocklist`).
            let number = jid_attr(item, "pn_jid").map(|number| number.to_non_ad());
            let is_named = number.as_ref() == Some(&blocked.jid(Addressing::Pn));
            if Addressing::of(&jid) != Some(Addressing::Lid) || (is_block && !is_named) {
                return Ok(request.bad_request());
            }
            let lid = jid.to_string();
            {
                let mut state = account.lock();
                if is_block {
                    state.record.blocklist.insert(lid);
                } else {
                    state.record.blocklist.remove(&lid);
                }
                self.save_account(&state)?;
            }
            let action = if is_block { "block" } else { "unblock" };
            let change = NodeBuilder::new("blocklist")
                .attr("action", "modify")
                .children([NodeBuilder::new("item")
                    .attr("jid", jid)
                    .attr("action", action)
                    .build()])
                .build();
            self.notify_own_devices(request, "account_sync", [change])?;
        }
        let items: Vec<Node> = account
            .lock()
            .record
            .blocklist
            .iter()
            .map(|jid| {
                NodeBuilder::new("item")
                    .attr("jid", jid)
                    .attr("t", self.inner.now_s())
                    .build()
            })
            .collect();
        let list = NodeBuilder::new("list").children(items).build();
        Ok(request.result([list]))
    }
}
