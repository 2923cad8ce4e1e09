//! Fetching files as they come, so that they are there when WhatsApp no longer has them.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wagate_store::{Lane, MediaRecord, StoreError};

use crate::files::Files;

impl Files {
    /// Fetches files that are to be kept, until stopped; what is under way then is given back.
    pub async fn capture(&self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            while tasks.try_join_next().is_some() {}
            let room = self.0.config.concurrency.saturating_sub(tasks.len());
            let claimed = match self.claim(room).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "files to fetch cannot be looked for");
                    Vec::new()
                }
            };
            let is_idle = claimed.is_empty();
            for record in claimed {
                let (files, stop) = (self.clone(), stop.clone());
                tasks.spawn(async move { files.fetch_until(record, stop).await });
            }
            let wait = async {
                if is_idle && tasks.len() < self.0.config.concurrency {
                    tokio::time::sleep(self.0.config.poll_interval).await;
                } else {
                    // There may be more: as soon as one is done.
                    let _ = tasks.join_next().await;
                }
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                break;
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Takes files that are due, as many as there is room for.
    async fn claim(&self, room: usize) -> Result<Vec<MediaRecord>, StoreError> {
        if room == 0 || !self.takes_files() {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        let lease_ms = self.lease_ms();
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                Box::pin(async move {
                    tx.admin()
                        .claim_media(&owner, now_ms, lease_ms, limit)
                        .await
                })
            })
            .await
    }

    async fn fetch_until(&self, record: MediaRecord, stop: CancellationToken) {
        let id = record.file.id;
        let fetching = self.fetch_claimed(record.clone());
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
