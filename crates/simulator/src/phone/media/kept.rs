//! What phones keep of files, so that they can upload them again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::phone::error::PhoneError;

/// So much is kept at most, by all phones together; the oldest files go first.
const MAX_KEPT_LEN: usize = 256 * 1024 * 1024;

/// So many files are in memory to be encrypted, sent or checked at most.
const SLOTS: usize = 4;

/// What all phones of a simulator share for their files; cheap to clone.
#[derive(Clone)]
pub(crate) struct Media(Arc<Inner>);

struct Inner {
    kept: Mutex<Kept>,
    slots: Semaphore,
}

/// Whose file it is, and the media host's name for it.
type Key = (String, String);

#[derive(Default)]
struct Kept {
    files: HashMap<Key, Bytes>,
    order: VecDeque<Key>,
    len: usize,
}

impl Default for Media {
    fn default() -> Self {
        Self(Arc::new(Inner {
            kept: Mutex::default(),
            slots: Semaphore::new(SLOTS),
        }))
    }
}

impl Media {
    /// Waits for room for one more file in memory.
    pub(crate) async fn slot(&self) -> Result<SemaphorePermit<'_>, PhoneError> {
        let slot = self.0.slots.acquire().await;
        slot.map_err(|_| PhoneError::unreachable("the phone is being stopped"))
    }

    /// Keeps an encrypted file for a phone.
    pub(crate) fn keep(&self, number: &str, token: &str, sealed: Bytes) {
        let mut kept = self.lock();
        let key = (number.to_owned(), token.to_owned());
        if sealed.len() > MAX_KEPT_LEN || kept.files.contains_key(&key) {
            return;
        }
        kept.len += sealed.len();
        kept.files.insert(key.clone(), sealed);
        kept.order.push_back(key);
        while kept.len > MAX_KEPT_LEN {
            let Some(oldest) = kept.order.pop_front() else {
                break;
            };
            kept.remove(&oldest);
        }
    }

    /// A file as it was encrypted, while the phone has it.
    pub(crate) fn kept(&self, number: &str, token: &str) -> Option<Bytes> {
        let key = (number.to_owned(), token.to_owned());
        self.lock().files.get(&key).cloned()
    }

    /// Drops every file of a phone.
    pub(crate) fn forget(&self, number: &str) {
        let mut kept = self.lock();
        let (gone, stay) = std::mem::take(&mut kept.order)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(owner, _)| owner == number);
        kept.order = stay;
        for key in gone {
            kept.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) {
        if let Some(sealed) = self.files.remove(key) {
            self.len -= sealed.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_make_room() {
        let media = Media::default();
        let half = Bytes::from(vec![0; MAX_KEPT_LEN / 2]);
        for token in ["a", "b", "b"] {
            media.keep("1", token, half.clone());
        }
        assert!(media.kept("1", "a").is_some());
        media.keep("2", "c", Bytes::from_static(b"x"));
        assert!(media.kept("1", "a").is_none());
        assert!(media.kept("1", "b").is_some());
        assert!(media.kept("1", "c").is_none());
        media.forget("1");
        assert!(media.kept("1", "b").is_none());
        assert_eq!(media.lock().len, 1);
        media.keep("1", "d", Bytes::from(vec![0; MAX_KEPT_LEN + 1]));
        assert!(media.kept("1", "d").is_none());
    }
}
