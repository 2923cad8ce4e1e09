//! What many share: bounded as a whole, and so that no organization takes all of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wagate_model::OrganizationId;

/// An amount of something that requests take and give back; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: usize,
    per_organization: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_organization: HashMap<OrganizationId, usize>,
}

impl Allowance {
    /// What all may take together, and each organization.
    pub(crate) fn new(total: usize, per_organization: usize) -> Self {
        Self(Arc::new(Shared {
            total,
            per_organization,
            taken: Mutex::default(),
        }))
    }

    /// A share of an organization, which holds nothing yet.
    pub(crate) fn share(&self, organization: Option<OrganizationId>) -> Share {
        Share {
            allowance: self.clone(),
            organization,
            amount: 0,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of an allowance; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    allowance: Allowance,
    organization: Option<OrganizationId>,
    amount: usize,
}

impl Share {
    /// Whether the share could grow to an amount now.
    pub(crate) fn could_hold(&self, amount: usize) -> bool {
        self.fits(&self.allowance.taken(), amount)
    }

    fn fits(&self, taken: &Taken, amount: usize) -> bool {
        let more = amount.saturating_sub(self.amount);
        let own = self
            .organization
            .and_then(|organization| taken.by_organization.get(&organization))
            .copied()
            .unwrap_or(0);
        let limits = &self.allowance.0;
        // What is held already stays held, whatever others have.
        more == 0
            || (taken.total.saturating_add(more) <= limits.total
                && own.saturating_add(more) <= limits.per_organization)
    }

    /// Grows the share to an amount; false where there is not enough.
    pub(crate) fn hold(&mut self, amount: usize) -> bool {
        let allowance = self.allowance.clone();
        let mut taken = allowance.taken();
        if !self.fits(&taken, amount) {
            return false;
        }
        let more = amount.saturating_sub(self.amount);
        if more > 0 {
            taken.total += more;
            if let Some(organization) = self.organization {
                *taken.by_organization.entry(organization).or_default() += more;
            }
            self.amount = amount;
        }
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.amount == 0 {
            return;
        }
        let allowance = self.allowance.clone();
        let mut taken = allowance.taken();
        taken.total -= self.amount;
        if let Some(organization) = self.organization
            && let Some(own) = taken.by_organization.get_mut(&organization)
        {
            *own -= self.amount;
            if *own == 0 {
                taken.by_organization.remove(&organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_together_and_per_organization() {
        let allowance = Allowance::new(5, 3);
        let [one, two] = [1, 2].map(|n| Some(OrganizationId::from_parts(1, n)));
        let mut first = allowance.share(one);
        assert!(first.hold(2) && first.hold(3) && first.hold(1));
        let mut more = allowance.share(one);
        assert!(!more.could_hold(1) && !more.hold(1) && more.hold(0));
        let mut other = allowance.share(two);
        assert!(!other.hold(3) && other.hold(2));
        assert!(!allowance.share(None).could_hold(1));
        drop(first);
        assert!(more.hold(3) && other.hold(2));
        drop((more, other));
        assert!(allowance.taken().by_organization.is_empty());
        assert_eq!(allowance.taken().total, 0);
    }
}
