//! Fetching files as they come, so that they are there when WhatsApp no longer has them.

use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use wagate_model::OrganizationId;
use wagate_store::{Lane, MediaRecord, StoreError};

use crate::files::Files;
use crate::places::share;

/// What is under way, and whose turn is next.
#[derive(Default)]
struct Capturing {
    tasks: JoinSet<()>,
    owners: HashMap<Id, OrganizationId>,
    /// The last one that had its turn.
    last: Option<OrganizationId>,
}

impl Capturing {
    fn note_end(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.owners.remove(&id);
    }

    fn note_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note_end(ended);
        }
    }

    /// Waits until one is done.
    async fn one_done(&mut self) {
        if let Some(ended) = self.tasks.join_next_with_id().await {
            self.note_end(ended);
        }
    }

    fn count(&self, organization: OrganizationId) -> usize {
        let own = self.owners.values().filter(|owner| **owner == organization);
        own.count()
    }

    /// How many files of each organization are taken next: in turn, beginning behind the last
    /// one that had its turn, and none more than its share of all places.
    fn deal(&self, waiting: &[OrganizationId], places: usize) -> Vec<(OrganizationId, usize)> {
        let behind = waiting.partition_point(|id| self.last.is_some_and(|last| *id <= last));
        let (before, behind) = waiting.split_at(behind);
        let mut left = places.saturating_sub(self.tasks.len());
        let mut dealt: Vec<_> = behind.iter().chain(before).map(|id| (*id, 0)).collect();
        loop {
            let room = left;
            for (organization, count) in &mut dealt {
                if left > 0 && self.count(*organization) + *count < share(places) {
                    *count += 1;
                    left -= 1;
                }
            }
            if left == room {
                break;
            }
        }
        dealt.retain(|(_, count)| *count > 0);
        dealt
    }
}

impl Files {
    /// Fetches files that are to be kept, until stopped; what is under way then is given back.
    pub async fn capture(&self, stop: CancellationToken) {
        let mut under_way = Capturing::default();
        loop {
            under_way.note_ended();
            let claimed = match self.claim(&mut under_way).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "files to fetch cannot be looked for");
                    Vec::new()
                }
            };
            for record in claimed {
                let organization = record.organization_id;
                let (files, stop) = (self.clone(), stop.clone());
                let task = async move { files.fetch_until(record, stop).await };
                let id = under_way.tasks.spawn(task).id();
                under_way.owners.insert(id, organization);
            }
            let wait = self.wait(&mut under_way);
            if stop.run_until_cancelled(wait).await.is_none() {
                break;
            }
        }
        while under_way.tasks.join_next().await.is_some() {}
    }

    /// Waits until there may be more to do: as soon as a file is done, and after a while where
    /// there is room for others that have come.
    async fn wait(&self, under_way: &mut Capturing) {
        let is_full = under_way.tasks.len() >= self.0.config.concurrency;
        if under_way.tasks.is_empty() {
            tokio::time::sleep(self.0.config.poll_interval).await;
        } else if is_full {
            under_way.one_done().await;
        } else {
            let done = under_way.one_done();
            let _ = tokio::time::timeout(self.0.config.poll_interval, done).await;
        }
    }

    /// Takes files that are due, as many as there is room for.
    async fn claim(&self, under_way: &mut Capturing) -> Result<Vec<MediaRecord>, StoreError> {
        let places = self.0.config.concurrency;
        if under_way.tasks.len() >= places || !self.takes_files() {
            return Ok(Vec::new());
        }
        let now_ms = self.0.clock.now_ms();
        let mut tx = self.0.store.read().await?;
        let waiting = tx.admin().organizations_with_due_media(now_ms).await?;
        drop(tx);
        let dealt = under_way.deal(&waiting, places);
        let Some((last, _)) = dealt.last() else {
            return Ok(Vec::new());
        };
        under_way.last = Some(*last);
        let claimed = self.claim_dealt(dealt, now_ms).await?;
        let mut wanted = Vec::new();
        for record in claimed {
            if !self.is_too_large(&record) {
                wanted.push(record);
            } else if let Err(error) = self.leave(&record).await {
                tracing::warn!(media.id = %record.file.id, %error, "a large file is looked at again");
            }
        }
        Ok(wanted)
    }

    async fn claim_dealt(
        &self,
        dealt: Vec<(OrganizationId, usize)>,
        now_ms: i64,
    ) -> Result<Vec<MediaRecord>, StoreError> {
        let (owner, lease_ms) = (self.0.owner.clone(), self.lease_ms());
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                Box::pin(async move {
                    let mut claimed = Vec::new();
                    for (organization, count) in &dealt {
                        let limit = i64::try_from(*count).unwrap_or(i64::MAX);
                        let mut admin = tx.admin();
                        let files =
                            admin.claim_media(*organization, &owner, now_ms, lease_ms, limit);
                        claimed.extend(files.await?);
                    }
                    Ok(claimed)
                })
            })
            .await
    }

    /// Whether a file is said to be larger than what is fetched without being asked for.
    fn is_too_large(&self, record: &MediaRecord) -> bool {
        let limit = self.0.config.capture_limit_bytes;
        let size = record.file.size.and_then(|size| u64::try_from(size).ok());
        size.is_some_and(|size| size > limit)
    }

    async fn fetch_until(&self, record: MediaRecord, stop: CancellationToken) {
        let id = record.file.id;
        let limit = Some(self.0.config.capture_limit_bytes);
        let fetching = self.fetch_claimed(record.clone(), limit);
        let done = if let Some(done) = stop.run_until_cancelled(fetching).await {
            done
        } else {
            let now_ms = self.0.clock.now_ms();
            self.postpone(&record, false, now_ms).await
        };
        if let Err(error) = done {
            tracing::warn!(media.id = %id, %error, "a file was not fetched");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(number: u128) -> OrganizationId {
        OrganizationId::from_parts(1, number)
    }

    #[tokio::test]
    async fn organizations_have_their_turns_and_none_more_than_half() {
        let [a, b, c] = [1, 2, 3].map(organization);
        let mut capturing = Capturing::default();
        assert!(capturing.deal(&[], 4).is_empty());
        assert_eq!(capturing.deal(&[a], 4), [(a, 2)]);
        assert_eq!(capturing.deal(&[a, b], 4), [(a, 2), (b, 2)]);
        assert_eq!(capturing.deal(&[a, b, c], 4), [(a, 2), (b, 1), (c, 1)]);
        capturing.last = Some(a);
        assert_eq!(capturing.deal(&[a, b, c], 2), [(b, 1), (c, 1)]);
        for _ in 0..2 {
            let task = capturing.tasks.spawn(std::future::pending());
            capturing.owners.insert(task.id(), b);
        }
        assert_eq!(capturing.deal(&[a, b, c], 4), [(c, 1), (a, 1)]);
        capturing.tasks.abort_all();
        capturing.one_done().await;
        assert_eq!(capturing.deal(&[b], 4), [(b, 1)]);
    }
}
