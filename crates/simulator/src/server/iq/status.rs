//! The account's about text, and who sees its stories (`status`).

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;

/// WhatsApp's limit, in characters.
const MAX_ABOUT_LEN: usize = 139;

impl Server {
    pub(super) fn iq_status(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let account = &request.session.account;
        if request.is_get && request.child("privacy").is_some() {
            return Ok(Self::status_privacy(request));
        }
        if request.is_get {
            let state = account.lock();
            let status = NodeBuilder::new("status")
                .attr("t", state.record.about_set_at_s)
                .bytes(state.record.about.clone().into_bytes())
                .build();
            return Ok(request.result([status]));
        }
        let about = request
            .child("status")
            .map(|status| status.content_as_string().unwrap_or_default());
        let Some(about) = about.filter(|about| about.chars().count() <= MAX_ABOUT_LEN) else {
            return Ok(request.error(406, "not-acceptable"));
        };
        {
            let mut state = account.lock();
            state.record.about = about.to_string();
            state.record.about_set_at_s = self.inner.now_s();
            self.save_account(&state)?;
        }
        let change = NodeBuilder::new("set")
            .bytes(about.as_bytes().to_vec())
            .build();
        self.notify_own_devices(request, "status", [change.clone()])?;
        self.notify_correspondents(account, "status", &change)?;
        Ok(request.result([]))
    }

    /// All lists, of which one is in use.
    fn status_privacy(request: &Request<'_>) -> Node {
        let used = request.session.account.lock().record.status_privacy.clone();
        let lists = ["contacts", "blacklist", "whitelist"].map(|kind| {
            let list = NodeBuilder::new("list").attr("type", kind);
            if kind != used.list {
                return list.build();
            }
            let users = used
                .users
                .iter()
                .filter_map(|user| user.parse::<Jid>().ok());
            let users = users.map(|jid| NodeBuilder::new("user").attr("jid", jid).build());
            list.attr("default", "true").children(users).build()
        });
        let privacy = NodeBuilder::new("privacy").children(lists).build();
        request.result([privacy])
    }
}
