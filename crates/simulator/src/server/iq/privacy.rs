//! Privacy settings, trusted-contact tokens (`privacy`) and the default timer of new chats
//! (`disappearing_mode`).

use rand::RngExt;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::deliver::parcels;
use crate::server::jids::Addressing;
use crate::server::stanza::{jid_attr, number_attr, text_attr};
use crate::server::state::AccountCell;

/// A category: its name, its value in a new account, and the values that it may have
/// (wacore `iq::privacy`).
type Category = (&'static str, &'static str, &'static [&'static str]);

const CATEGORIES: [Category; 10] = [
    ("readreceipts", "all", &["all", "none"]),
    ("profile", "all", &AUDIENCES),
    ("status", "all", &AUDIENCES),
    ("online", "all", &["all", "match_last_seen"]),
    ("last", "all", &AUDIENCES),
    ("groupadd", "all", &AUDIENCES),
    ("calladd", "all", &["all", "known"]),
    ("messages", "all", &["all", "contacts"]),
    ("defense", "off", &["off", "on_standard"]),
    ("stickers", "contacts", &AUDIENCES),
];

const AUDIENCES: [&str; 4] = ["all", "contacts", "none", "contact_blacklist"];

/// A change that a client asks for; `None` when there is no such category or value.
fn change(category: &Node) -> Option<(String, String)> {
    let name = text_attr(category, "name")?;
    let value = text_attr(category, "value")?;
    let (_, _, values) = CATEGORIES.iter().find(|(known, ..)| **known == *name)?;
    values.contains(&&*value).then_some((name, value))
}

impl Server {
    pub(super) fn iq_privacy(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        if let Some(tokens) = request.child("tokens") {
            return self.issue_tokens(request, tokens);
        }
        let Some(privacy) = request.child("privacy") else {
            return Ok(request.bad_request());
        };
        if !request.is_get {
            let changes: Option<Vec<(String, String)>> = privacy
                .get_children_by_tag("category")
                .map(change)
                .collect();
            let Some(changes) = changes.filter(|changes| !changes.is_empty()) else {
                return Ok(request.bad_request());
            };
            let mut state = request.session.account.lock();
            state.record.privacy.extend(changes);
            self.save_account(&state)?;
        }
        let state = request.session.account.lock();
        let defaults = CATEGORIES.into_iter().map(|(name, value, _)| (name, value));
        let mut settings: std::collections::BTreeMap<&str, &str> = defaults.collect();
        let changed = &state.record.privacy;
        settings.extend(changed.iter().map(|(name, value)| (&**name, &**value)));
        let categories = settings.into_iter().map(|(name, value)| {
            NodeBuilder::new("category")
                .attr("name", name)
                .attr("value", value)
                .build()
        });
        let settings = NodeBuilder::new("privacy").children(categories).build();
        Ok(request.result([settings]))
    }

    /// A token is made for each contact; the contact gets it as a notification
    /// (wacore `iq::tctoken`).
    fn issue_tokens(&self, request: &Request<'_>, tokens: &Node) -> Result<Node, JournalError> {
        let session = request.session;
        let mut issued = Vec::new();
        for token in tokens.get_children_by_tag("token") {
            let Some(jid) = jid_attr(token, "jid") else {
                continue;
            };
            let Some(contact) = self.inner.directory.by_jid(&jid) else {
                continue;
            };
            let at_s = number_attr(token, "t").unwrap_or_else(|| self.inner.now_s().unsigned_abs());
            let secret: [u8; 16] = self.inner.with_rng(RngExt::random);
            let given = NodeBuilder::new("token")
                .attr("t", at_s)
                .attr("type", "trusted_contact")
                .bytes(secret.to_vec());
            let addressing = Addressing::of(&jid).unwrap_or(Addressing::Pn);
            let notification = NodeBuilder::new("notification")
                .attr("from", session.account.jid(addressing))
                .attr("type", "privacy_token")
                .attr("id", self.inner.stanza_id())
                .attr("t", self.inner.now_s())
                .attr("sender_lid", session.account.jid(Addressing::Lid))
                .children([NodeBuilder::new("tokens").children([given.build()]).build()])
                .build();
            self.deliver_to_all(&contact, &notification)?;
            issued.push(
                NodeBuilder::new("token")
                    .attr("jid", jid)
                    .attr("t", at_s)
                    .attr("type", "trusted_contact")
                    .build(),
            );
        }
        Ok(request.result([NodeBuilder::new("tokens").children(issued).build()]))
    }

    pub(super) fn iq_disappearing_mode(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let account = &request.session.account;
        if !request.is_get {
            let duration_s = request
                .child("disappearing_mode")
                .and_then(|mode| number_attr(mode, "duration"))
                .and_then(|duration| u32::try_from(duration).ok());
            let Some(duration_s) = duration_s else {
                return Ok(request.bad_request());
            };
            let mut state = account.lock();
            state.record.disappearing_mode_s = duration_s;
            state.record.disappearing_mode_set_at_s = self.inner.now_s();
            self.save_account(&state)?;
        }
        let mode = {
            let state = account.lock();
            NodeBuilder::new("disappearing_mode")
                .attr("duration", state.record.disappearing_mode_s)
                .attr("t", state.record.disappearing_mode_set_at_s)
                .build()
        };
        if !request.is_get {
            // One's own devices learn it as a change of their account, others as one of a contact
            // (whatsapp-rust `handlers::notification::groups`).
            self.notify_own_devices(request, "account_sync", [mode.clone()])?;
            self.notify_correspondents(account, "disappearing_mode", &mode)?;
        }
        Ok(request.result([mode]))
    }

    /// Tells the account's other devices about changes, as a notification of the given type.
    pub(super) fn notify_own_devices(
        &self,
        request: &Request<'_>,
        kind: &'static str,
        changes: impl IntoIterator<Item = Node>,
    ) -> Result<(), JournalError> {
        let session = request.session;
        let notification = NodeBuilder::new("notification")
            .attr("from", session.account.jid(Addressing::Pn))
            .attr("type", kind)
            .attr("id", self.inner.stanza_id())
            .attr("t", self.inner.now_s())
            .children(changes)
            .build();
        self.deliver(&session.account, parcels(&notification, session.siblings()))
    }

    /// Tells those whom the account has written with about a change, as a notification of the
    /// given type.
    pub(super) fn notify_correspondents(
        &self,
        account: &AccountCell,
        kind: &'static str,
        change: &Node,
    ) -> Result<(), JournalError> {
        for number in self.inner.accounting.correspondents(&account.number) {
            if let Some(contact) = self.inner.directory.by_number(&number) {
                let notification = NodeBuilder::new("notification")
                    .attr("from", account.jid(Addressing::Pn))
                    .attr("type", kind)
                    .attr("id", self.inner.stanza_id())
                    .attr("t", self.inner.now_s())
                    .children([change.clone()])
                    .build();
                self.deliver_to_all(&contact, &notification)?;
            }
        }
        Ok(())
    }
}
