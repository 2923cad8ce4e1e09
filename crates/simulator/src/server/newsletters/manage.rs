//! Making newsletters, following them, and how the account's devices hear of it.

use std::sync::Arc;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;

use crate::server::api::Server;
use crate::server::deliver::parcels;
use crate::server::stanza::server_jid;
use crate::server::state::AccountCell;
use crate::server::transaction::Transaction;

use super::error::NewsletterError;
use super::record::{Follower, NewsletterRecord, Picture, Role};
use super::show::{Newsletter, NewsletterPost};

const MAX_NAME_CHARS: usize = 100;
const MAX_DESCRIPTION_CHARS: usize = 2_048;

/// Which news of a newsletter an account does not want to be bothered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Mute {
    Follower,
    Admin,
}

/// What of a newsletter changes; absent parts stay.
#[derive(Debug, Default)]
pub(in crate::server) struct Updates<'u> {
    pub(in crate::server) name: Option<&'u str>,
    pub(in crate::server) description: Option<&'u str>,
    /// A JPEG; empty to remove it.
    pub(in crate::server) picture: Option<Vec<u8>>,
}

impl Server {
    /// Makes a newsletter whose owner is the account; its devices are told.
    pub fn create_newsletter(
        &self,
        number: &str,
        name: &str,
        description: &str,
    ) -> Result<Newsletter, NewsletterError> {
        check(Some(name), Some(description))?;
        let account = self.newsletter_account(number)?;
        let at_s = self.inner.now_s();
        let (user, invite) = self
            .inner
            .with_rng(|rng| (random_user(rng), random_invite(rng)));
        let record = NewsletterRecord {
            name: name.to_owned(),
            description: description.to_owned(),
            ..NewsletterRecord::new(user, invite, number, at_s)
        };
        let made = Newsletter::of(&record);
        let mut transaction = self.begin();
        self.inner.newsletters.add(&mut transaction.batch, record)?;
        self.tell_join(&mut transaction, &account, &made.jid)?;
        transaction.commit()?;
        Ok(made)
    }

    /// A newsletter, where there is one.
    pub fn newsletter(&self, jid: &Jid) -> Result<Newsletter, NewsletterError> {
        self.inner
            .newsletters
            .with(&jid.user, |entry| Ok(Newsletter::of(&entry.record)))
    }

    /// What is posted in a newsletter, oldest first.
    pub fn newsletter_posts(&self, jid: &Jid) -> Result<Vec<NewsletterPost>, NewsletterError> {
        self.inner.newsletters.with(&jid.user, |entry| {
            Ok(entry.posts.values().map(NewsletterPost::of).collect())
        })
    }

    /// Lets an account follow a newsletter; nothing changes where it does.
    pub fn follow_newsletter(&self, number: &str, jid: &Jid) -> Result<(), NewsletterError> {
        let account = self.newsletter_account(number)?;
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let is_new = self.inner.newsletters.with(&jid.user, |entry| {
            let followers = &mut entry.record.followers;
            if followers.contains_key(number) {
                return Ok(false);
            }
            followers.insert(number.to_owned(), Follower::new(Role::Subscriber));
            entry.write(batch);
            Ok(true)
        })?;
        if is_new {
            self.tell_join(&mut transaction, &account, jid)?;
        }
        Ok(transaction.commit()?)
    }

    /// Lets an account no longer follow a newsletter; an owner cannot leave.
    pub fn unfollow_newsletter(&self, number: &str, jid: &Jid) -> Result<(), NewsletterError> {
        let account = self.newsletter_account(number)?;
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let role = self.inner.newsletters.with(&jid.user, |entry| {
            let role = entry.record.role_of(number);
            if role == Some(Role::Owner) {
                return Err(NewsletterError::Forbidden);
            }
            if entry.record.followers.remove(number).is_some() {
                entry.write(batch);
            }
            Ok(role)
        })?;
        if let Some(role) = role {
            let left = json!({ "id": jid.to_string(), "role": role.as_str() });
            let news = (
                "NotificationNewsletterLeave",
                "xwa2_notify_newsletter_on_leave",
            );
            self.tell_mex(&mut transaction, &account, news, &left);
        }
        Ok(transaction.commit()?)
    }

    /// Silences news of a newsletter for an account that follows it, or lets them sound again.
    pub(in crate::server) fn mute_newsletter(
        &self,
        account: &Arc<AccountCell>,
        jid: &Jid,
        mute: Mute,
        is_on: bool,
    ) -> Result<(), NewsletterError> {
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let is_changed = self.inner.newsletters.with(&jid.user, |entry| {
            let follower = entry.record.followers.get_mut(&*account.number);
            let follower = follower.ok_or(NewsletterError::Forbidden)?;
            let kept = match mute {
                Mute::Follower => &mut follower.is_muted,
                Mute::Admin => &mut follower.is_admin_muted,
            };
            let is_changed = std::mem::replace(kept, is_on) != is_on;
            entry.write(batch);
            Ok(is_changed)
        })?;
        if is_changed && mute == Mute::Follower {
            let changed = json!({
                "id": jid.to_string(),
                "mute": if is_on { "ON" } else { "OFF" },
            });
            let news = (
                "NotificationNewsletterMuteChange",
                "xwa2_notify_newsletter_on_mute_change",
            );
            self.tell_mex(&mut transaction, account, news, &changed);
        }
        Ok(transaction.commit()?)
    }

    /// Changes a newsletter's name, description or picture; its followers are told.
    pub(in crate::server) fn update_newsletter(
        &self,
        account: &AccountCell,
        jid: &Jid,
        updates: Updates<'_>,
    ) -> Result<(), NewsletterError> {
        let Updates {
            name,
            description,
            picture,
        } = updates;
        check(name, description)?;
        let picture_id = self.inner.stanza_id();
        let at_s = self.inner.now_s();
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let followers = self.inner.newsletters.with(&jid.user, |entry| {
            let role = entry.record.role_of(&account.number);
            if !role.is_some_and(Role::is_admin) {
                return Err(NewsletterError::Forbidden);
            }
            let record = &mut entry.record;
            if let Some(name) = name {
                name.clone_into(&mut record.name);
                record.name_set_at_s = at_s;
            }
            if let Some(description) = description {
                description.clone_into(&mut record.description);
                record.description_set_at_s = at_s;
            }
            if let Some(jpeg) = picture {
                record.picture = (!jpeg.is_empty()).then_some(Picture {
                    id: picture_id,
                    jpeg,
                });
            }
            entry.write(batch);
            Ok(entry.record.followers.keys().cloned().collect::<Vec<_>>())
        })?;
        for number in followers {
            let Some(follower) = self.inner.directory.by_number(&number) else {
                continue;
            };
            let shown = self.newsletter_graph(&number, jid)?;
            let news = (
                "NotificationNewsletterUpdate",
                "xwa2_notify_newsletter_on_metadata_update",
            );
            self.tell_mex(&mut transaction, &follower, news, &shown);
        }
        Ok(transaction.commit()?)
    }

    /// Deletes a newsletter; whoever follows it is told. Takes its owner.
    pub(in crate::server) fn delete_newsletter(
        &self,
        account: &AccountCell,
        jid: &Jid,
    ) -> Result<(), NewsletterError> {
        let mut transaction = self.begin();
        let role = self
            .inner
            .newsletters
            .with(&jid.user, |entry| Ok(entry.record.role_of(&account.number)))?;
        if role != Some(Role::Owner) {
            return Err(NewsletterError::Forbidden);
        }
        let removed = self
            .inner
            .newsletters
            .remove(&mut transaction.batch, &jid.user)
            .ok_or(NewsletterError::Unknown)?;
        let changed = json!({ "id": jid.to_string(), "state": { "type": "DELETED" } });
        let news = (
            "NotificationNewsletterStateChange",
            "xwa2_notify_newsletter_on_state_change",
        );
        for number in removed.followers.keys() {
            if let Some(follower) = self.inner.directory.by_number(number) {
                self.tell_mex(&mut transaction, &follower, news, &changed);
            }
        }
        Ok(transaction.commit()?)
    }

    /// A newsletter in GraphQL answers, as an account sees it.
    pub(in crate::server) fn newsletter_graph(
        &self,
        viewer: &str,
        jid: &Jid,
    ) -> Result<Value, NewsletterError> {
        self.inner
            .newsletters
            .with(&jid.user, |entry| Ok(entry.graph(viewer)))
    }

    /// The newsletters that an account follows, in GraphQL answers.
    pub(in crate::server) fn followed_newsletters(&self, number: &str) -> Vec<Value> {
        self.inner
            .newsletters
            .followed_by(number, |entry| entry.graph(number))
    }

    /// The newsletter with this invitation.
    pub(in crate::server) fn newsletter_by_invite(
        &self,
        invite: &str,
    ) -> Result<Jid, NewsletterError> {
        self.inner
            .newsletters
            .by_invite(invite)
            .ok_or(NewsletterError::Unknown)
    }

    pub(super) fn newsletter_account(
        &self,
        number: &str,
    ) -> Result<Arc<AccountCell>, NewsletterError> {
        self.inner
            .directory
            .by_number(number)
            .ok_or(NewsletterError::UnknownAccount)
    }

    fn tell_join(
        &self,
        transaction: &mut Transaction<'_>,
        account: &Arc<AccountCell>,
        jid: &Jid,
    ) -> Result<(), NewsletterError> {
        let joined = self.newsletter_graph(&account.number, jid)?;
        let news = (
            "NotificationNewsletterJoin",
            "xwa2_notify_newsletter_on_join",
        );
        self.tell_mex(transaction, account, news, &joined);
        Ok(())
    }

    /// Tells all devices of an account about a change, the one included that made it: clients
    /// wait for their own requests before they handle such news.
    ///
    /// `news` is the operation's name and the field that the change is in.
    pub(in crate::server) fn tell_mex(
        &self,
        transaction: &mut Transaction<'_>,
        account: &Arc<AccountCell>,
        news: (&'static str, &'static str),
        change: &Value,
    ) {
        let payload = json!({ "data": { news.1: change } });
        let update = NodeBuilder::new("update")
            .attr("op_name", news.0)
            .bytes(payload.to_string().into_bytes())
            .build();
        let notification = NodeBuilder::new("notification")
            .attr("from", server_jid())
            .attr("type", "mex")
            .attr("id", self.inner.stanza_id())
            .attr("t", self.inner.now_s())
            .children([update])
            .build();
        transaction.deliver(account, parcels(&notification, account.device_ids()));
    }
}

fn check(name: Option<&str>, description: Option<&str>) -> Result<(), NewsletterError> {
    let is_name = |name: &str| !name.trim().is_empty() && name.chars().count() <= MAX_NAME_CHARS;
    let is_description = |text: &str| text.chars().count() <= MAX_DESCRIPTION_CHARS;
    if name.is_none_or(is_name) && description.is_none_or(is_description) {
        Ok(())
    } else {
        Err(NewsletterError::InvalidText)
    }
}

/// Addresses of newsletters look like those of groups.
fn random_user(rng: &mut StdRng) -> String {
    format!("120363{:012}", rng.random_range(0..1_000_000_000_000_u64))
}

fn random_invite(rng: &mut StdRng) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let tail: String = (0..18)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect();
    format!("0029Va{tail}")
}
