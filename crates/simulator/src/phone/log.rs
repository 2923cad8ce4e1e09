//! What a phone has sent and received, newest last, bounded.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::journal::{Batch, Journal};
use crate::phone::error::PhoneError;
use crate::phone::media::{MediaState, StoredMedia};

const MESSAGES: &str = "phone-message";

/// What changes in a message after it was stored, apart from what does not.
const STATUSES: &str = "phone-message-status";

/// Messages that a phone keeps unless it is told otherwise.
pub(crate) const DEFAULT_CAPACITY: usize = 10_000;

/// For every message that is kept, so many older ones are still recognized when they
/// arrive again.
const REMEMBERED_PER_KEPT: usize = 4;

/// How far a message has come. Own messages only ever move forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// Own: handed to the connection, not yet acknowledged by the server.
    Pending,
    /// Own: refused by the server or never encrypted.
    Failed,
    /// Own: acknowledged by the server.
    Sent,
    /// Own: delivered to a device of the recipient.
    Delivered,
    /// Somebody else's: decrypted and stored.
    Received,
    /// Read, by the recipient or by this phone.
    Read,
    /// Own: listened to by the recipient.
    Played,
}

/// What a text shows of the page that it links to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkPreview {
    /// The link as it stands in the text.
    pub matched_text: String,
    /// The page's title.
    pub title: String,
    /// What the page says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many bytes its small picture has; 0 where there is none.
    pub thumbnail_bytes: usize,
}

/// One message in a phone's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMessage {
    /// The message id.
    pub id: String,
    /// The conversation, as the other side's number JID.
    pub chat_jid: String,
    /// The author's number JID.
    pub sender_jid: String,
    /// Whether this account sent it, from the phone or from a companion.
    pub from_me: bool,
    /// `text`, `image`, `reaction`, `edit`, `revoke`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The text, caption, emoji or name.
    pub body: String,
    /// When the server took it, in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// When this phone stored it, in milliseconds since the Unix epoch.
    pub received_at: i64,
    /// How far it has come.
    pub status: MessageStatus,
    /// How often the same message arrived again.
    pub duplicates: u32,
    /// The message that this one reacts to, edits, revokes or votes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_id: Option<String>,
    /// What the text shows of the page that it links to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<LinkPreview>,
    /// JIDs that the text mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<StoredMedia>,
    /// What else a message of a special kind says, and after how many seconds it disappears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// A message and its protocol form, which answers and retries need.
#[derive(Debug, Clone)]
pub(crate) struct LogEntry {
    pub(crate) message: StoredMessage,
    pub(crate) encoded: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct StoredEntry {
    message: StoredMessage,
    encoded: String,
}

/// What changes in a message after it was stored.
#[derive(Serialize, Deserialize)]
struct StoredStatus(MessageStatus, i64, u32);

/// What has to be written of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// Only what changes after it was stored.
    Status,
    /// Everything.
    Whole,
}

type Fingerprint = [u8; 16];

/// The messages of one phone.
#[derive(Debug)]
pub(crate) struct MessageLog {
    capacity: usize,
    first_seq: u64,
    entries: VecDeque<LogEntry>,
    by_id: HashMap<String, u64>,
    by_fingerprint: HashMap<Fingerprint, u64>,
    /// Sequence numbers and fingerprints of messages that are no longer kept.
    retired: VecDeque<(u64, Fingerprint)>,
    retired_fingerprints: HashSet<Fingerprint>,
    changed: BTreeMap<u64, Change>,
}

/// Which messages to list.
#[derive(Debug, Clone, Default)]
pub struct MessageQuery {
    /// Only the conversation with this number (digits) or JID.
    pub peer: Option<String>,
    /// Only what came after the message with this id.
    pub after_id: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl MessageLog {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            first_seq: 0,
            entries: VecDeque::new(),
            by_id: HashMap::new(),
            by_fingerprint: HashMap::new(),
            retired: VecDeque::new(),
            retired_fingerprints: HashSet::new(),
            changed: BTreeMap::new(),
        }
    }

    /// Reads the log of `number`.
    pub(crate) fn restore(
        capacity: usize,
        journal: &Journal,
        number: &str,
    ) -> Result<Self, PhoneError> {
        let mut log = Self::new(capacity);
        let prefix = format!("{number}/");
        let statuses: HashMap<Vec<u8>, StoredStatus> = journal
            .scan_prefix(STATUSES, &prefix)?
            .into_iter()
            .filter_map(|(key, value)| Some((key, serde_json::from_slice(&value).ok()?)))
            .collect();
        for (key, value) in journal.scan_prefix(MESSAGES, &prefix)? {
            let Some(seq) = key
                .get(prefix.len()..)
                .and_then(|seq| std::str::from_utf8(seq).ok())
                .and_then(|seq| seq.parse::<u64>().ok())
            else {
                continue;
            };
            if let Ok(fingerprint) = Fingerprint::try_from(&*value) {
                log.retired.push_back((seq, fingerprint));
                log.retired_fingerprints.insert(fingerprint);
                log.first_seq = seq + 1;
                continue;
            }
            let mut stored: StoredEntry = serde_json::from_slice(&value)?;
            if let Some(StoredStatus(status, timestamp, duplicates)) = statuses.get(&key) {
                stored.message.status = *status;
                stored.message.timestamp = *timestamp;
                stored.message.duplicates = *duplicates;
            }
            if log.entries.is_empty() {
                log.first_seq = seq;
            }
            log.index(seq, &stored.message);
            log.entries.push_back(LogEntry {
                message: stored.message,
                encoded: STANDARD
                    .decode(stored.encoded)
                    .map_err(|_| PhoneError::internal("a stored message is not base64"))?,
            });
        }
        Ok(log)
    }

    /// Adds everything that changed since the last call to `batch`.
    pub(crate) fn write_changes(
        &mut self,
        batch: &mut Batch<'_>,
        number: &str,
    ) -> Result<(), PhoneError> {
        for (seq, change) in std::mem::take(&mut self.changed) {
            let key = format!("{number}/{seq:020}");
            if let Some(entry) = self.entry(seq) {
                let message = &entry.message;
                if change == Change::Whole {
                    let stored = StoredEntry {
                        message: message.clone(),
                        encoded: STANDARD.encode(&entry.encoded),
                    };
                    batch.put(MESSAGES, key, serde_json::to_vec(&stored)?);
                } else {
                    let status =
                        StoredStatus(message.status, message.timestamp, message.duplicates);
                    batch.put(STATUSES, key, serde_json::to_vec(&status)?);
                }
                continue;
            }
            batch.delete(STATUSES, &key);
            if let Ok(at) = self.retired.binary_search_by_key(&seq, |(seq, _)| *seq) {
                batch.put(MESSAGES, key, self.retired[at].1.to_vec());
            } else {
                batch.delete(MESSAGES, key);
            }
        }
        Ok(())
    }

    /// Deletes every trace of `number`.
    pub(crate) fn erase(journal: &Journal, number: &str) -> Result<(), PhoneError> {
        let mut batch = journal.batch();
        for namespace in [MESSAGES, STATUSES] {
            for (key, _) in journal.scan_prefix(namespace, format!("{number}/"))? {
                batch.delete(namespace, key);
            }
        }
        Ok(batch.commit()?)
    }

    /// Stores a message, or counts one more arrival of it; `true` when it is new.
    pub(crate) fn store(&mut self, entry: LogEntry) -> bool {
        let fingerprint = fingerprint(&entry.message);
        if self.retired_fingerprints.contains(&fingerprint) {
            return false;
        }
        if let Some(seq) = self.by_fingerprint.get(&fingerprint).copied() {
            self.change(seq, |message| message.duplicates += 1);
            return false;
        }
        let seq = self.first_seq + self.entries.len() as u64;
        self.index(seq, &entry.message);
        self.entries.push_back(entry);
        self.changed.insert(seq, Change::Whole);
        self.retire_oldest();
        true
    }

    /// Counts one more arrival of a message that cannot be decrypted twice; `false` when
    /// no such message is known.
    pub(crate) fn count_duplicate(&mut self, id: &str, sender_jid: &str) -> bool {
        let Some(seq) = self.by_id.get(id).copied() else {
            return false;
        };
        if self
            .entry(seq)
            .is_none_or(|entry| entry.message.sender_jid != sender_jid)
        {
            return false;
        }
        self.change(seq, |message| message.duplicates += 1);
        true
    }

    /// The newest message with this id.
    pub(crate) fn get(&self, id: &str) -> Option<&LogEntry> {
        self.entry(*self.by_id.get(id)?)
    }

    /// Moves a message forward; a status never goes back.
    pub(crate) fn advance(&mut self, id: &str, status: MessageStatus) {
        let Some(seq) = self.by_id.get(id).copied() else {
            return;
        };
        if self
            .entry(seq)
            .is_some_and(|entry| entry.message.status < status)
        {
            self.change(seq, |message| message.status = status);
        }
    }

    /// Notes that the server took an own message, and when.
    pub(crate) fn acknowledge(&mut self, id: &str, timestamp: i64) {
        if let Some(seq) = self.by_id.get(id).copied() {
            self.change(seq, |message| message.timestamp = timestamp);
        }
        self.advance(id, MessageStatus::Sent);
    }

    /// Notes how far the phone has come with the file of a message.
    pub(crate) fn note_file(&mut self, id: &str, state: MediaState) {
        let Some(seq) = self.by_id.get(id).copied() else {
            return;
        };
        let is_new = self
            .entry(seq)
            .and_then(|entry| entry.message.media.as_ref())
            .is_some_and(|media| media.state != state);
        if is_new {
            self.change(seq, |message| {
                if let Some(media) = &mut message.media {
                    media.state = state;
                }
            });
            self.changed.insert(seq, Change::Whole);
        }
    }

    /// The messages that `query` asks for, oldest first.
    pub(crate) fn list(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, PhoneError> {
        let skip = match &query.after_id {
            None => 0,
            Some(id) => {
                let seq = self
                    .by_id
                    .get(id)
                    .ok_or_else(|| PhoneError::invalid("afterId", "no message has this id"))?;
                usize::try_from(seq - self.first_seq + 1).unwrap_or(usize::MAX)
            }
        };
        let peer = query.peer.as_deref().map(peer_jid);
        Ok(self
            .entries
            .iter()
            .skip(skip)
            .map(|entry| &entry.message)
            .filter(|message| peer.as_ref().is_none_or(|peer| message.chat_jid == *peer))
            .take(query.limit.unwrap_or(usize::MAX))
            .cloned()
            .collect())
    }

    /// The oldest message that satisfies `is_wanted`.
    pub(crate) fn find(
        &self,
        mut is_wanted: impl FnMut(&StoredMessage) -> bool,
    ) -> Option<&StoredMessage> {
        let mut messages = self.entries.iter().map(|entry| &entry.message);
        messages.find(|message| is_wanted(message))
    }

    /// The newest messages, newest first, with their protocol form.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &LogEntry> {
        self.entries.iter().rev()
    }

    fn entry(&self, seq: u64) -> Option<&LogEntry> {
        let at = usize::try_from(seq.checked_sub(self.first_seq)?).ok()?;
        self.entries.get(at)
    }

    fn change(&mut self, seq: u64, change: impl FnOnce(&mut StoredMessage)) {
        let Some(at) = seq.checked_sub(self.first_seq) else {
            return;
        };
        if let Some(entry) = usize::try_from(at)
            .ok()
            .and_then(|at| self.entries.get_mut(at))
        {
            change(&mut entry.message);
            self.changed.entry(seq).or_insert(Change::Status);
        }
    }

    fn index(&mut self, seq: u64, message: &StoredMessage) {
        self.by_id.insert(message.id.clone(), seq);
        self.by_fingerprint.insert(fingerprint(message), seq);
    }

    fn retire_oldest(&mut self) {
        while self.entries.len() > self.capacity {
            let Some(entry) = self.entries.pop_front() else {
                return;
            };
            let seq = self.first_seq;
            self.first_seq += 1;
            if self.by_id.get(&entry.message.id) == Some(&seq) {
                self.by_id.remove(&entry.message.id);
            }
            let fingerprint = fingerprint(&entry.message);
            self.by_fingerprint.remove(&fingerprint);
            self.retired.push_back((seq, fingerprint));
            self.retired_fingerprints.insert(fingerprint);
            self.changed.insert(seq, Change::Whole);
            if self.retired.len() > self.capacity * REMEMBERED_PER_KEPT
                && let Some((seq, fingerprint)) = self.retired.pop_front()
            {
                self.retired_fingerprints.remove(&fingerprint);
                self.changed.insert(seq, Change::Whole);
            }
        }
    }
}

fn fingerprint(message: &StoredMessage) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in [&message.chat_jid, &message.sender_jid, &message.id] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut short = Fingerprint::default();
    short.copy_from_slice(&digest[..16]);
    short
}

fn peer_jid(peer: &str) -> String {
    if peer.contains('@') {
        peer.to_owned()
    } else {
        format!("{}@s.whatsapp.net", peer.trim_start_matches('+'))
    }
}

#[cfg(test)]
mod tests;
