//! Decrypted messages that wait to be committed, and how their commit clears them.

use std::sync::Arc;

use wacore::store::error::Result as EngineResult;
use wacore::store::traits::{PendingInboundKey, PendingInboundRow};

use super::backend::EngineBackend;
use super::key;
use super::kind::RecordKind;
use super::records::{Record, delete_keys};
use crate::error::Result;
use crate::tx::Tx;

pub(crate) fn message_key(key: &PendingInboundKey<'_>) -> Vec<u8> {
    key::message(&[key.chat, key.sender, key.id])
}

/// The pending rows of messages that the caller's own transaction commits.
///
/// The engine buffers each decrypted message durably, calls the durability hook, and
/// deletes the buffered row before it acknowledges. A hook that deletes the row in the
/// transaction in which it commits the message saves the third commit: call
/// [`apply`](Self::apply) in the transaction and [`committed`](Self::committed) after it.
#[derive(Clone)]
pub struct PendingInboundClear {
    backend: EngineBackend,
    keys: Arc<[Vec<u8>]>,
}

impl std::fmt::Debug for PendingInboundClear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingInboundClear")
            .field("messages", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl PendingInboundClear {
    /// Deletes the pending rows in a transaction that has checked the lease.
    pub async fn apply(&self, tx: &mut Tx) -> Result<()> {
        delete_keys(
            tx,
            self.backend.session_id(),
            RecordKind::PendingInbound,
            &self.keys,
        )
        .await
    }

    /// Says that the transaction was committed: the engine's own delete then costs nothing.
    pub fn committed(self) {
        self.backend.cleared().extend(self.keys.iter().cloned());
    }
}

impl EngineBackend {
    /// Prepares the deletion of pending rows in a transaction of the caller.
    ///
    /// The keys are those that the engine uses: chat and sender as the message's source
    /// shows them, and the stanza's id.
    #[must_use]
    pub fn clear_pending_inbound<'k>(
        &self,
        keys: impl IntoIterator<Item = PendingInboundKey<'k>>,
    ) -> PendingInboundClear {
        let keys = keys.into_iter().map(|key| message_key(&key)).collect();
        PendingInboundClear {
            backend: self.clone(),
            keys,
        }
    }

    pub(crate) async fn put_pending(&self, rows: &[PendingInboundRow<'_>]) -> EngineResult<()> {
        // The engine computes its cutoffs with this clock.
        let stamp = wacore::time::now_secs();
        let records: Vec<_> = rows
            .iter()
            .map(|row| Record {
                key: key::message(&[row.chat, row.sender, row.id]),
                stamp,
                value: row.message.to_vec(),
            })
            .collect();
        {
            let mut cleared = self.cleared();
            for record in &records {
                cleared.remove(&record.key);
            }
        }
        self.put(RecordKind::PendingInbound, records).await
    }

    pub(crate) async fn delete_pending(&self, keys: Vec<Vec<u8>>) -> EngineResult<()> {
        let keys = {
            let mut cleared = self.cleared();
            let left: Vec<_> = keys
                .into_iter()
                .filter(|key| !cleared.remove(key))
                .collect();
            if cleared.is_empty() {
                cleared.shrink_to_fit();
            }
            left
        };
        self.delete(RecordKind::PendingInbound, keys).await
    }
}
