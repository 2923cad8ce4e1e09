//! All newsletters in memory, and how they are written down.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wacore_binary::Jid;

use crate::journal::{Batch, Journal, JournalError};
use crate::server::api::to_json;
use crate::server::link::Link;
use crate::server::record::namespace;
use crate::server::state::AccountCell;

use super::error::NewsletterError;
use super::record::{NewsletterRecord, PostRecord, post_key};

/// So many newsletters there are at most.
const MAX_NEWSLETTERS: usize = 10_000;
/// So many posts of a newsletter are kept; older ones go.
const MAX_POSTS: usize = 10_000;

/// A connection that wants to hear at once of reactions and views.
#[derive(Debug, Clone)]
pub(super) struct Watcher {
    pub(super) account: Arc<AccountCell>,
    pub(super) link: Arc<Link>,
    pub(super) until_s: i64,
}

/// A newsletter with its posts.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: NewsletterRecord,
    /// By number.
    pub(super) posts: BTreeMap<u64, PostRecord>,
    /// By connection.
    pub(super) watchers: BTreeMap<u64, Watcher>,
}

impl Entry {
    fn new(record: NewsletterRecord) -> Self {
        Self {
            record,
            posts: BTreeMap::new(),
            watchers: BTreeMap::new(),
        }
    }

    /// A post by the id that its author gave it.
    pub(super) fn post_by_id(&self, id: &str) -> Option<&PostRecord> {
        self.posts.values().rev().find(|post| post.id == id)
    }

    pub(super) fn post(&self, server_id: u64) -> Result<&PostRecord, NewsletterError> {
        self.posts
            .get(&server_id)
            .ok_or(NewsletterError::UnknownPost)
    }

    /// Writes a changed newsletter.
    pub(super) fn write(&self, batch: &mut Batch<'_>) {
        let record = &self.record;
        batch.put(namespace::NEWSLETTER, &record.user, to_json(record));
    }

    /// Keeps a new or changed post, and lets the oldest go where there are too many.
    pub(super) fn keep(&mut self, batch: &mut Batch<'_>, post: PostRecord) {
        let space = namespace::NEWSLETTER_POST;
        let user = &self.record.user;
        batch.put(space, post_key(user, post.server_id), to_json(&post));
        self.posts.insert(post.server_id, post);
        while self.posts.len() > MAX_POSTS
            && let Some((server_id, _)) = self.posts.pop_first()
        {
            batch.delete(space, post_key(user, server_id));
        }
    }
}

type Entries = HashMap<String, Entry>;

/// Every newsletter, by the user part of its address.
///
/// Changes are made during a transaction of the server, of which there is one at a time, and
/// written in its batch. No account is locked while this is.
#[derive(Debug, Default)]
pub(crate) struct Newsletters(Mutex<Entries>);

impl Newsletters {
    pub(crate) fn restore(journal: &Journal) -> Result<Self, JournalError> {
        let mut entries = Entries::new();
        for (_, value) in journal.scan(namespace::NEWSLETTER)? {
            if let Ok(record) = serde_json::from_slice::<NewsletterRecord>(&value) {
                entries.insert(record.user.clone(), Entry::new(record));
            }
        }
        for (key, value) in journal.scan(namespace::NEWSLETTER_POST)? {
            let end = key.iter().position(|byte| *byte == b':').unwrap_or(0);
            let user = std::str::from_utf8(&key[..end]).unwrap_or_default();
            let post = serde_json::from_slice::<PostRecord>(&value).ok();
            if let Some((entry, post)) = entries.get_mut(user).zip(post) {
                entry.posts.insert(post.server_id, post);
            }
        }
        Ok(Self(Mutex::new(entries)))
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a newsletter; false where there are too many, or the address is taken.
    pub(super) fn add(
        &self,
        batch: &mut Batch<'_>,
        record: NewsletterRecord,
    ) -> Result<(), NewsletterError> {
        let mut entries = self.lock();
        if entries.len() >= MAX_NEWSLETTERS || entries.contains_key(&record.user) {
            return Err(NewsletterError::TooMany);
        }
        let entry = Entry::new(record);
        entry.write(batch);
        entries.insert(entry.record.user.clone(), entry);
        Ok(())
    }

    /// Takes a newsletter away, with its posts.
    pub(super) fn remove(&self, batch: &mut Batch<'_>, user: &str) -> Option<NewsletterRecord> {
        let entry = self.lock().remove(user)?;
        batch.delete(namespace::NEWSLETTER, user);
        for server_id in entry.posts.keys() {
            batch.delete(namespace::NEWSLETTER_POST, post_key(user, *server_id));
        }
        Some(entry.record)
    }

    /// Looks at a newsletter, or changes it within a transaction.
    pub(super) fn with<T>(
        &self,
        user: &str,
        look: impl FnOnce(&mut Entry) -> Result<T, NewsletterError>,
    ) -> Result<T, NewsletterError> {
        let mut entries = self.lock();
        look(entries.get_mut(user).ok_or(NewsletterError::Unknown)?)
    }

    /// The address of the newsletter with this invitation.
    pub(super) fn by_invite(&self, invite: &str) -> Option<Jid> {
        let entries = self.lock();
        let mut records = entries.values().map(|entry| &entry.record);
        let found = records.find(|record| record.invite == invite)?;
        Some(found.jid())
    }

    /// What `show` makes of each newsletter that an account follows, by address.
    pub(super) fn followed_by<T>(&self, number: &str, show: impl Fn(&Entry) -> T) -> Vec<T> {
        let entries = self.lock();
        let mut followed: Vec<_> = entries
            .values()
            .filter(|entry| entry.record.followers.contains_key(number))
            .collect();
        followed.sort_by(|a, b| a.record.user.cmp(&b.record.user));
        followed.into_iter().map(show).collect()
    }

    /// Forgets an account that is deleted; what it has posted stays.
    pub(crate) fn forget_follower(&self, batch: &mut Batch<'_>, number: &str) {
        for entry in self.lock().values_mut() {
            if entry.record.followers.remove(number).is_some() {
                entry.write(batch);
            }
        }
    }
}
