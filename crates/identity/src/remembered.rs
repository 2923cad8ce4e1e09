//! What the store said, until it is forgotten or too old.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::future::Cache;

/// Longer than an entry is believed and any answer of the store can be under way.
const FORGOTTEN_FOR_MS: i64 = 300_000;
/// Marks are swept out when there are more than this many.
const FORGOTTEN_KEPT: usize = 1000;
const MEMORY_FOR: Duration = Duration::from_mins(2);

/// Whether a time lies less than a lifetime back; a clock that went back ends belief too.
pub(crate) fn is_within(now_ms: i64, since_ms: i64, lifetime_ms: i64) -> bool {
    (0..lifetime_ms).contains(&now_ms.saturating_sub(since_ms))
}

/// An answer of the store that is about somebody or something.
pub(crate) trait About: Send + Sync + 'static {
    /// What others say has changed.
    type Subject: Copy + Eq + Hash + Send + Sync + 'static;

    /// Whom or what the answer is about.
    fn subject(&self) -> Self::Subject;
}

/// An answer, with the time it is from.
pub(crate) struct Entry<V> {
    value: V,
    loaded_at_ms: i64,
    /// How many times something had been forgotten when the store was asked.
    generation: u64,
}

impl<V> Deref for Entry<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

/// Says that what was known of a subject before is void.
struct Forgotten {
    /// Entries of earlier generations are void.
    since_generation: u64,
    at_ms: i64,
}

/// A bounded memory of answers, which forgets a subject at once: also answers about it that
/// are still under way.
pub(crate) struct Remembered<K, V: About> {
    entries: Cache<K, Arc<Entry<V>>>,
    forgotten: RwLock<HashMap<V::Subject, Forgotten>>,
    generation: AtomicU64,
    believed_for_ms: i64,
}

impl<K, V> Remembered<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: About,
{
    /// A memory for so many answers, each believed for so long.
    pub(crate) fn new(capacity: u64, believed_for_ms: i64) -> Self {
        Self {
            entries: Cache::builder()
                .max_capacity(capacity)
                .time_to_live(MEMORY_FOR)
                .build(),
            forgotten: RwLock::default(),
            generation: AtomicU64::new(0),
            believed_for_ms,
        }
    }

    /// The answer that is believed at a time.
    pub(crate) async fn find(&self, key: &K, now_ms: i64) -> Option<Arc<Entry<V>>> {
        let entry = self.entries.get(key).await?;
        let is_fresh = is_within(now_ms, entry.loaded_at_ms, self.believed_for_ms);
        (is_fresh && !self.is_forgotten(&entry)).then_some(entry)
    }

    /// The answer that is believed at a time, or a new one of the store.
    pub(crate) async fn find_or_load<E, F>(
        &self,
        key: K,
        now_ms: i64,
        load: impl Fn() -> F,
    ) -> Result<Arc<Entry<V>>, E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<V, E>>,
    {
        if let Some(entry) = self.find(&key, now_ms).await {
            return Ok(entry);
        }
        self.entries.invalidate(&key).await;
        loop {
            let loading = async {
                let generation = self.generation.load(Ordering::SeqCst);
                let value = load().await?;
                Ok(Arc::new(Entry {
                    value,
                    loaded_at_ms: now_ms,
                    generation,
                }))
            };
            // Callers that ask for the same together wait for one answer.
            match self.entries.try_get_with(key.clone(), loading).await {
                // That answer may have been under way when its subject was forgotten.
                Ok(entry) if self.is_forgotten(&entry) => self.entries.invalidate(&key).await,
                Ok(entry) => return Ok(entry),
                Err(error) => return Err(E::clone(&error)),
            }
        }
    }

    /// Makes what is known of a subject void.
    pub(crate) fn forget(&self, subject: V::Subject, now_ms: i64) {
        let mut forgotten = self
            .forgotten
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let since_generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        if forgotten.len() >= FORGOTTEN_KEPT {
            forgotten.retain(|_, mark| is_within(now_ms, mark.at_ms, FORGOTTEN_FOR_MS));
        }
        forgotten.insert(
            subject,
            Forgotten {
                since_generation,
                at_ms: now_ms,
            },
        );
    }

    /// Makes everything void.
    pub(crate) fn forget_all(&self) {
        self.entries.invalidate_all();
    }

    fn is_forgotten(&self, entry: &Entry<V>) -> bool {
        let forgotten = self
            .forgotten
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        forgotten
            .get(&entry.value.subject())
            .is_some_and(|mark| mark.since_generation > entry.generation)
    }
}
