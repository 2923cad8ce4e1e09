//! Who is there, and who is typing.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::journal::JournalError;

use super::api::Server;
use super::jids::Addressing;
use super::session::Session;
use super::stanza::{jid_attr, text_attr};
use super::state::{AccountCell, AccountState, Watcher};

impl Server {
    pub(super) fn handle_presence(
        &self,
        session: &Session,
        node: &Node,
    ) -> Result<(), JournalError> {
        match text_attr(node, "type").as_deref() {
            Some("subscribe") => {
                self.subscribe(session, node);
                Ok(())
            }
            Some("unsubscribe") => {
                if let Some(target) = jid_attr(node, "to")
                    && let Some(target) = self.inner.directory.by_jid(&target)
                {
                    target.lock().watchers.remove(&session.link.id);
                }
                Ok(())
            }
            Some("unavailable") => self.set_available(session, node, false),
            None | Some("available") => self.set_available(session, node, true),
            Some(_) => Ok(()),
        }
    }

    fn set_available(
        &self,
        session: &Session,
        node: &Node,
        is_available: bool,
    ) -> Result<(), JournalError> {
        let change = {
            let mut state = session.account.lock();
            let was_available = state.is_available();
            if let Some(live) = state
                .devices
                .get_mut(&session.device_id)
                .and_then(|device| device.live.as_mut())
                .filter(|live| live.link.id == session.link.id)
            {
                live.is_available = is_available;
            }
            let name = text_attr(node, "name").filter(|name| !name.is_empty());
            let is_renamed = name
                .as_ref()
                .is_some_and(|name| *name != state.record.push_name);
            if let Some(name) = name {
                state.record.push_name = name;
            }
            let is_now = state.is_available();
            if was_available && !is_now {
                state.record.last_seen_at_s = self.inner.now_s();
            }
            if is_renamed || was_available != is_now {
                self.save_account(&state)?;
            }
            was_available != is_now
        };
        if change {
            self.tell_watchers(&session.account);
        }
        Ok(())
    }

    /// The connection of an available device has ended.
    pub(super) fn presence_ended(&self, session: &Session) {
        {
            let mut state = session.account.lock();
            if state.is_available() {
                return;
            }
            state.record.last_seen_at_s = self.inner.now_s();
            if let Err(error) = self.save_account(&state) {
                tracing::error!(%error, "the time of being last seen could not be written down");
            }
        }
        self.tell_watchers(&session.account);
    }

    fn subscribe(&self, session: &Session, node: &Node) {
        let Some(to) = jid_attr(node, "to") else {
            return;
        };
        let (Some(target), Some(addressing)) =
            (self.inner.directory.by_jid(&to), Addressing::of(&to))
        else {
            return;
        };
        let presence = {
            let mut state = target.lock();
            // Subscriptions end with their connections.
            state.watchers.retain(|_, watcher| !watcher.link.is_over());
            if state.has_blocked(&session.account) {
                // Whoever is blocked is not told so.
                nobody_there(target.jid(addressing))
                    .attr("last", "deny")
                    .build()
            } else {
                let watcher = Watcher {
                    number: session.account.number.clone(),
                    link: session.link.clone(),
                    addressing,
                };
                state.watchers.insert(session.link.id, watcher);
                presence_of(&state, target.jid(addressing))
            }
        };
        self.push_node(&session.account, &session.link, &presence);
    }

    fn tell_watchers(&self, account: &AccountCell) {
        let watchers: Vec<Watcher> = {
            let mut state = account.lock();
            state.watchers.retain(|_, watcher| !watcher.link.is_over());
            state.watchers.values().cloned().collect()
        };
        for watcher in watchers {
            let Some(contact) = self.inner.directory.by_number(&watcher.number) else {
                continue;
            };
            let presence = {
                let state = account.lock();
                if state.has_blocked(&contact) {
                    continue;
                }
                presence_of(&state, account.jid(watcher.addressing))
            };
            self.push_node(&contact, &watcher.link, &presence);
        }
    }

    /// Sends a stanza that is not kept to every connected device of an account.
    pub(super) fn push_to_all(&self, account: &AccountCell, node: &Node) {
        let links: Vec<_> = account
            .lock()
            .devices
            .values()
            .filter_map(|device| device.live.as_ref())
            .filter(|live| !live.is_passive)
            .map(|live| live.link.clone())
            .collect();
        for link in links {
            self.push_node(account, &link, node);
        }
    }

    pub(super) fn handle_chatstate(&self, session: &Session, node: &Node) {
        let to = jid_attr(node, "to");
        if let Some(group) = to.as_ref().filter(|to| to.is_group()) {
            self.relay_group_chatstate(session, group, node);
        } else if let Some(to) = to
            && let Some(target) = self.inner.directory.by_jid(&to)
            && target.number != session.account.number
            && !target.lock().has_blocked(&session.account)
        {
            let addressing = Addressing::of(&to).unwrap_or(Addressing::Pn);
            let chatstate = NodeBuilder::new("chatstate")
                .attr("from", session.account.jid(addressing))
                .apply_content(node.content.clone())
                .build();
            self.push_to_all(&target, &chatstate);
        }
    }
}

fn presence_of(state: &AccountState, from: Jid) -> Node {
    if state.is_available() {
        let presence = NodeBuilder::new("presence").attr("from", from);
        return presence.attr("type", "available").build();
    }
    let is_hidden = state
        .record
        .privacy
        .get("last")
        .is_some_and(|who| who == "none");
    let presence = nobody_there(from);
    if is_hidden || state.record.last_seen_at_s == 0 {
        presence.attr("last", "deny").build()
    } else {
        presence.attr("last", state.record.last_seen_at_s).build()
    }
}

fn nobody_there(from: Jid) -> NodeBuilder {
    NodeBuilder::new("presence")
        .attr("from", from)
        .attr("type", "unavailable")
}
