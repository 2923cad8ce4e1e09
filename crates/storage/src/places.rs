//! How much is done at the same time, and for whom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wagate_model::OrganizationId;

/// How many of some places one organization has at most: half of them.
pub(crate) fn share(places: usize) -> usize {
    (places / 2).max(1)
}

/// Places for work at the same time. One organization has its share of them at most, so that
/// however much it asks for, the others find places.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    share: usize,
    shares: Mutex<HashMap<OrganizationId, Arc<Semaphore>>>,
}

/// A place that is taken; free again when this goes.
#[derive(Debug)]
pub(crate) struct Taken {
    _of_all: OwnedSemaphorePermit,
    _of_share: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(count.max(1))),
            share: share(count),
            shares: Mutex::default(),
        }
    }

    /// Waits for a place; those of an organization have their turns in the order in which they
    /// came.
    pub(crate) async fn take(&self, organization: OrganizationId) -> Taken {
        // First its own share: of one organization, no more than that wait among the others.
        let of_share = place_of(self.share_of(organization)).await;
        Taken {
            _of_all: place_of(Arc::clone(&self.all)).await,
            _of_share: of_share,
        }
    }

    fn share_of(&self, organization: OrganizationId) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        // Of those who have no place and wait for none, nothing is remembered.
        shares.retain(|_, places| Arc::strong_count(places) > 1);
        let own = shares
            .entry(organization)
            .or_insert_with(|| Arc::new(Semaphore::new(self.share)));
        Arc::clone(own)
    }
}

/// Waits for one of these places; nobody closes the semaphore.
async fn place_of(places: Arc<Semaphore>) -> OwnedSemaphorePermit {
    places.acquire_owned().await.expect("an open semaphore")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn organization(number: u128) -> OrganizationId {
        OrganizationId::from_parts(1, number)
    }

    #[test]
    fn who_asks_for_much_leaves_places_to_the_others() {
        let places = Places::new(4);
        let (greedy, other) = (organization(1), organization(2));
        let take = |of| places.take(of).now_or_never();
        let (first, second) = (take(greedy).unwrap(), take(greedy).unwrap());
        assert!(take(greedy).is_none());
        let others = (take(other).unwrap(), take(other).unwrap());
        assert!(take(organization(3)).is_none(), "all are taken");
        drop(first);
        let third = take(organization(3)).unwrap();
        drop((second, others, third));
        assert!(take(greedy).is_some());
        assert_eq!(places.shares.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_share_is_half_and_never_nothing() {
        let shares: Vec<_> = [0, 1, 2, 3, 4, 9].into_iter().map(share).collect();
        assert_eq!(shares, [1, 1, 1, 1, 2, 4]);
    }
}
