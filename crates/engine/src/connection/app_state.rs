//! Application state that other devices have changed: nothing of it is missed.
//!
//! The library fetches a collection when it is notified of a change, but leaves a notification
//! out that comes while it fetches that collection: of two quick changes the second would stay
//! unknown until the next one, or the next connection. So notifications are followed here too,
//! until what is stored has reached the version that WhatsApp told of.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whatsapp_rust::Client;
use whatsapp_rust::sync_task::MajorSyncTask;
use whatsapp_rust::wacore::appstate::patch_decode::WAPatchName;
use whatsapp_rust::wacore_binary::OwnedNodeRef;

/// The versions that WhatsApp has told of and that are not reached yet, by collection.
///
/// There are five collections, so that it is bounded; each has one task at most.
#[derive(Clone, Default)]
pub(super) struct AppStateVersions {
    wanted: Arc<Mutex<HashMap<WAPatchName, u64>>>,
}

impl AppStateVersions {
    fn wanted(&self) -> MutexGuard<'_, HashMap<WAPatchName, u64>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a version; whether nobody follows that collection yet.
    fn want(&self, name: WAPatchName, version: u64) -> bool {
        let mut wanted = self.wanted();
        let is_new = !wanted.contains_key(&name);
        let newest = wanted.entry(name).or_default();
        *newest = version.max(*newest);
        is_new
    }

    /// Whether a collection is to be fetched once more; where not, its task is over.
    ///
    /// One that does not come nearer is left to the library, which tries again by itself.
    fn is_behind(&self, name: WAPatchName, before: u64, now: u64) -> bool {
        let mut wanted = self.wanted();
        let is_behind = now > before && wanted.get(&name).is_some_and(|wanted| now < *wanted);
        if !is_behind {
            wanted.remove(&name);
        }
        is_behind
    }

    /// Follows what a stanza tells, where it tells of new versions.
    pub(super) fn follow(
        &self,
        client: &Arc<Client>,
        stanza: &OwnedNodeRef,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        for (name, version) in told_versions(stanza) {
            if !self.want(name, version) {
                continue;
            }
            let (versions, client, cancel) = (self.clone(), Arc::clone(client), cancel.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = versions.catch_up(&client, name) => {}
                }
            });
        }
    }

    async fn catch_up(&self, client: &Arc<Client>, name: WAPatchName) {
        let mut before = version_of(client, name).await;
        loop {
            fetch(client, name).await;
            let now = version_of(client, name).await;
            if !self.is_behind(name, before, now) {
                return;
            }
            before = now;
        }
    }
}

/// The library's futures are too deeply nested for whoever waits for them; see
/// [`super::chats`].
#[inline(never)]
pub(super) fn fetch(
    client: &Arc<Client>,
    name: WAPatchName,
) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
    // It waits for whoever fetches the collection at present.
    Box::pin(client.process_sync_task(MajorSyncTask::AppStateSync {
        name,
        full_sync: false,
    }))
}

/// The stored version of a collection; 0 where it cannot be read, which ends its task.
async fn version_of(client: &Arc<Client>, name: WAPatchName) -> u64 {
    let backend = client.persistence_manager().backend();
    let state = backend.get_version(name.as_str()).await;
    state.map_or(0, |state| state.version)
}

/// The collections of a `server_sync` notification with their newest versions.
fn told_versions(stanza: &OwnedNodeRef) -> Vec<(WAPatchName, u64)> {
    let node = stanza.get();
    let is_told = node.tag == "notification"
        && node.attrs().optional_string("type").as_deref() == Some("server_sync");
    if !is_told {
        return Vec::new();
    }
    let children = node.children().unwrap_or_default().iter();
    let collections = children.filter(|child| child.tag == "collection");
    let versions = collections.filter_map(|collection| {
        let mut attributes = collection.attrs();
        let name = attributes.optional_string("name")?.parse().ok()?;
        let version = attributes.optional_u64("version")?;
        (name != WAPatchName::Unknown).then_some((name, version))
    });
    versions.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: WAPatchName = WAPatchName::RegularLow;

    #[test]
    fn what_is_told_meanwhile_is_fetched_too() {
        let versions = AppStateVersions::default();
        assert!(versions.want(NAME, 3));
        assert!(!versions.want(NAME, 5), "one task for each collection");
        assert!(!versions.want(NAME, 4), "notifications may overtake");
        assert!(versions.is_behind(NAME, 2, 3));
        assert!(versions.is_behind(NAME, 3, 4));
        assert!(!versions.is_behind(NAME, 4, 5));
        assert!(versions.want(NAME, 6), "the task is over");
    }

    #[test]
    fn what_comes_no_nearer_is_left_to_the_library() {
        let versions = AppStateVersions::default();
        assert!(versions.want(NAME, 9));
        assert!(!versions.is_behind(NAME, 4, 4));
        assert!(versions.want(NAME, 9));
    }
}
