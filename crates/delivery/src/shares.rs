//! What the work of many organizations shares: bounded as a whole, with a share for each, and
//! waited for only so long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use wagate_model::OrganizationId;

/// Places, or amounts of something, that organizations take and give back; cheap to clone.
///
/// Who waits, waits in the order of asking, first for the own organization's share and then
/// for what all have. So an organization that wants more than its share waits for itself, and
/// holds up nobody else.
#[derive(Debug, Clone)]
pub struct Shares(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Arc<Semaphore>,
    total: usize,
    each: usize,
    /// The shares of organizations that hold something or wait.
    own: Mutex<HashMap<OrganizationId, Weak<Semaphore>>>,
}

/// What was wanted did not come free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much is under way")]
pub struct Crowded;

impl Shares {
    /// What all may hold together, and each organization.
    #[must_use]
    pub fn new(total: usize, each: usize) -> Self {
        let most = usize::try_from(u32::MAX).map_or(Semaphore::MAX_PERMITS, |most| {
            most.min(Semaphore::MAX_PERMITS)
        });
        let total = total.clamp(1, most);
        Self(Arc::new(Shared {
            all: Arc::new(Semaphore::new(total)),
            total,
            each: each.clamp(1, total),
            own: Mutex::default(),
        }))
    }

    /// Takes an amount, and waits for it where it must. What is more than the organization's
    /// share takes the whole share, and what is more than all there is goes alone.
    pub async fn take(
        &self,
        organization: OrganizationId,
        amount: usize,
        patience: Duration,
    ) -> Result<Share, Crowded> {
        let own = self.own(organization);
        let mut share = Share {
            shares: self.clone(),
            own_place: None,
            all_place: None,
            own,
        };
        share.grow(amount, patience).await?;
        Ok(share)
    }

    fn own(&self, organization: OrganizationId) -> Arc<Semaphore> {
        let mut all = self.0.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get(&organization).and_then(Weak::upgrade) {
            return own;
        }
        all.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.0.each));
        all.insert(organization, Arc::downgrade(&own));
        own
    }
}

/// A part of what is shared; it is given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    own: Arc<Semaphore>,
    own_place: Option<OwnedSemaphorePermit>,
    all_place: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Grows the share to an amount, and waits for it where it must.
    ///
    /// What is held stays held meanwhile: who lets shares grow bounds how many do so, or
    /// some will wait for each other until their patience ends.
    pub async fn grow(&mut self, amount: usize, patience: Duration) -> Result<(), Crowded> {
        let until = Instant::now() + patience;
        let Shared {
            all, total, each, ..
        } = &*self.shares.0;
        hold(&mut self.own_place, &self.own, amount.min(*each), until).await?;
        hold(&mut self.all_place, all, amount.min(*total), until).await
    }
}

/// Has a place hold an amount at least.
async fn hold(
    place: &mut Option<OwnedSemaphorePermit>,
    of: &Arc<Semaphore>,
    amount: usize,
    until: Instant,
) -> Result<(), Crowded> {
    let held = place.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let more = amount.saturating_sub(held);
    if more == 0 {
        return Ok(());
    }
    let more = u32::try_from(more).map_err(|_| Crowded)?;
    let taken = timeout_at(until, Arc::clone(of).acquire_many_owned(more)).await;
    // Nobody closes them.
    let taken = taken
        .map_err(|_| Crowded)?
        .map_err(|_: AcquireError| Crowded)?;
    match place {
        Some(place) => place.merge(taken),
        None => *place = Some(taken),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_mins(10);

    fn organization(n: u128) -> OrganizationId {
        OrganizationId::from_parts(1, n)
    }

    #[tokio::test]
    async fn no_organization_takes_all_of_it() {
        let shares = Shares::new(4, 2);
        let [one, two, three] = [1, 2, 3].map(organization);
        let mut first = shares.take(one, 1, NOW).await.unwrap();
        first.grow(2, NOW).await.unwrap();
        first.grow(1, NOW).await.unwrap();
        assert!(shares.take(one, 1, NOW).await.is_err());
        let second = shares.take(two, 2, NOW).await.unwrap();
        assert!(shares.take(three, 1, NOW).await.is_err());
        drop(first);
        let third = shares.take(three, 2, NOW).await.unwrap();
        assert_eq!(shares.0.own.lock().unwrap().len(), 2);
        drop((second, third));
        assert_eq!(shares.0.all.available_permits(), 4);
    }

    #[tokio::test]
    async fn who_waits_for_the_own_share_holds_up_nobody_else() {
        let shares = Shares::new(2, 1);
        let [one, two] = [1, 2].map(organization);
        let first = shares.take(one, 1, NOW).await.unwrap();
        let greedy: Vec<_> = (0..10)
            .map(|_| {
                let shares = shares.clone();
                tokio::spawn(async move { shares.take(one, 1, LONG).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(shares.take(two, 1, NOW).await.unwrap());
        drop(first);
        for waiting in greedy {
            waiting.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_more_than_all_of_it_goes_alone() {
        let shares = Shares::new(4, 2);
        let huge = shares.take(organization(1), 1_000, NOW).await.unwrap();
        assert!(shares.take(organization(2), 1, NOW).await.is_err());
        drop(huge);
        assert!(shares.take(organization(2), 1, NOW).await.is_ok());
    }
}
