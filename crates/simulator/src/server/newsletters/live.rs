//! News of reactions and views, to the connections that asked for them.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::server::api::Server;
use crate::server::session::Session;

use super::book::{Entry, Watcher};
use super::error::NewsletterError;

/// For how long a connection hears of them, in seconds (whatsapp-rust `features::newsletter`).
pub(crate) const LIVE_DURATION_S: i64 = 300;
/// So many connections hear of one newsletter's news.
const MAX_WATCHERS: usize = 10_000;

impl Server {
    /// From now on a connection hears of a newsletter's reactions and views; gives the seconds.
    pub(in crate::server) fn watch_newsletter(
        &self,
        session: &Session,
        newsletter: &Jid,
    ) -> Result<i64, NewsletterError> {
        let now_s = self.inner.now_s();
        let watcher = Watcher {
            account: session.account.clone(),
            link: session.link.clone(),
            until_s: now_s + LIVE_DURATION_S,
        };
        self.inner.newsletters.with(&newsletter.user, |entry| {
            entry.watchers.retain(|_, watcher| watcher.until_s > now_s);
            if entry.watchers.len() >= MAX_WATCHERS {
                entry.watchers.pop_first();
            }
            entry.watchers.insert(session.link.id, watcher);
            Ok(LIVE_DURATION_S)
        })
    }

    /// Tells a post's reactions and views to those that listen; nothing of it is kept.
    pub(super) fn tell_live(&self, newsletter: &Jid, server_id: u64) {
        let now_s = self.inner.now_s();
        let news = self.inner.newsletters.with(&newsletter.user, |entry| {
            entry.watchers.retain(|_, watcher| watcher.until_s > now_s);
            let watchers: Vec<_> = entry.watchers.values().cloned().collect();
            Ok((self.live_updates(entry, server_id)?, watchers))
        });
        let Ok((news, watchers)) = news else {
            return;
        };
        for watcher in watchers {
            self.push_node(&watcher.account, &watcher.link, &news);
        }
    }

    fn live_updates(&self, entry: &Entry, server_id: u64) -> Result<Node, NewsletterError> {
        let (jid, at_s) = (entry.record.jid(), self.inner.now_s());
        let messages = NodeBuilder::new("messages")
            .attr("jid", &jid)
            .attr("t", at_s)
            .children([entry.post(server_id)?.live_node()])
            .build();
        let updates = NodeBuilder::new("live_updates")
            .children([messages])
            .build();
        Ok(NodeBuilder::new("notification")
            .attr("from", jid)
            .attr("type", "newsletter")
            .attr("id", self.inner.stanza_id())
            .attr("t", at_s)
            .children([updates])
            .build())
    }
}
