//! Privacy settings, trusted-contact tokens (`privacy`) and the default timer of new chats
//! (`disappearing_mode`).

use rand::RngExt;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::deliver::Parcel;
use crate::server::jids::Addressing;
use crate::server::stanza::{jid_attr, number_attr, text_attr};
use crate::server::state::AccountCell;

/// The categories of a new account.
const DEFAULTS: [(&str, &str); 10] = [
    ("readreceipts", "all"),
    ("profile", "all"),
    ("status", "all"),
    ("online", "all"),
    ("last", "all"),
    ("groupadd", "all"),
    ("calladd", "all"),
    ("messages", "all"),
    ("defense", "off"),
    ("stickers", "contacts"),
];

impl Server {
    pub(super) fn iq_privacy(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        if let Some(tokens) = request.child("tokens") {
            return self.issue_tokens(request, tokens);
        }
        let Some(privacy) = request.child("privacy") else {
            return Ok(request.bad_request());
        };
        if !request.is_get {
            let changes: Vec<(String, String)> = privacy
                .get_children_by_tag("category")
                .filter_map(|category| {
                    Some((text_attr(category, "name")?, text_attr(category, "value")?))
                })
                .collect();
            if changes.is_empty() {
                return Ok(request.bad_request());
            }
            let mut state = request.session.account.lock();
            state.record.privacy.extend(changes);
            self.save_account(&state)?;
        }
        let state = request.session.account.lock();
        let mut settings: std::collections::BTreeMap<&str, &str> = DEFAULTS.into_iter().collect();
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
            {
                let mut state = contact.lock();
                let from = session.account.number.to_string();
                state.record.tokens.insert(from, hex::encode(secret));
                self.save_account(&state)?;
            }
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
            self.notify_own_devices(request, "account_sync", mode.clone())?;
            self.notify_correspondents(account, "disappearing_mode", &mode)?;
        }
        Ok(request.result([mode]))
    }

    /// Tells the account's other devices about a change, as a notification of the given type.
    pub(super) fn notify_own_devices(
        &self,
        request: &Request<'_>,
        kind: &'static str,
        change: Node,
    ) -> Result<(), JournalError> {
        let session = request.session;
        let notification = NodeBuilder::new("notification")
            .attr("from", session.account.jid(Addressing::Pn))
            .attr("type", kind)
            .attr("id", self.inner.stanza_id())
            .attr("t", self.inner.now_s())
            .children([change])
            .build();
        let device_ids: Vec<u16> = session.account.lock().devices.keys().copied().collect();
        let parcels = device_ids
            .into_iter()
            .filter(|device_id| *device_id != session.device_id)
            .map(|device_id| Parcel {
                device_id,
                node: notification.clone(),
            })
            .collect();
        self.deliver(&session.account, parcels, |_| {})
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
