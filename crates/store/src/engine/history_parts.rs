//! Parts of a phone's history that are not stored to their ends.
//!
//! A part is kept, as it was announced, before the announcement is acknowledged to WhatsApp,
//! which does not send it again. It goes with the last of its pages.

use wacore::store::error::Result as EngineResult;
use wagate_model::hide_contents;

use super::backend::EngineBackend;
use super::key;
use super::kind::RecordKind;
use super::records::{Record, RecordRows};
use crate::error::{Result, StoreError};
use crate::leases::Owned;
use crate::text::Text;
use crate::tx::{Tx, on};

/// A part of the history as it was announced.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryPart {
    /// The id of the message that announced it.
    pub id: String,
    /// When it was kept, in milliseconds since 1970.
    pub kept_at_ms: i64,
    /// The announcement.
    pub notice: Vec<u8>,
}

hide_contents!(HistoryPart);

impl HistoryPart {
    /// When it was kept, its id, and the announcement.
    fn to_bytes(&self) -> Vec<u8> {
        let time = self.kept_at_ms.to_be_bytes();
        let part = key::composite(&[self.id.as_bytes()], &self.notice);
        [&time[..], &part].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (time, part) = bytes.split_first_chunk()?;
        let (id_len, part) = part.split_first_chunk()?;
        let (id, notice) = part.split_at_checked(usize::from(u16::from_be_bytes(*id_len)))?;
        Some(Self {
            id: String::from_utf8(id.to_vec()).ok()?,
            kept_at_ms: i64::from_be_bytes(*time),
            notice: notice.to_vec(),
        })
    }
}

/// A digest stands for the id, as for those of all messages.
fn key_of(id: &str) -> Vec<u8> {
    key::message(&[id])
}

/// Parts that the caller's own transaction keeps.
#[derive(Debug, Clone)]
pub struct KeptHistoryParts(RecordRows);

impl KeptHistoryParts {
    /// Keeps them, in a transaction that has checked the lease; what is there already, because
    /// it was delivered again, stays as it is.
    pub async fn apply(&self, tx: &mut Tx) -> Result<()> {
        tx.insert_missing_records(&self.0).await
    }
}

impl EngineBackend {
    /// Prepares the keeping of parts, by id and announcement, in a transaction of the caller.
    #[must_use]
    pub fn keep_history_parts<'p>(
        &self,
        parts: impl IntoIterator<Item = (&'p str, &'p [u8])>,
    ) -> KeptHistoryParts {
        let kept_at_ms = self.now_ms();
        let records = parts.into_iter().map(|(id, notice)| {
            let part = HistoryPart {
                id: id.to_owned(),
                kept_at_ms,
                notice: notice.to_vec(),
            };
            let record = Record::new(key_of(id), part.to_bytes());
            (RecordKind::HistoryPart, record)
        });
        KeptHistoryParts(self.seal_rows(records))
    }

    /// The parts that are not stored to their ends, the oldest first.
    pub async fn history_parts(&self) -> EngineResult<Vec<HistoryPart>> {
        let records = self.list(RecordKind::HistoryPart).await?;
        let mut parts = records
            .iter()
            .map(|(_, value)| {
                HistoryPart::from_bytes(value)
                    .ok_or_else(|| StoreError::Corrupt("a part of a history".to_owned()))
            })
            .collect::<Result<Vec<_>>>()?;
        parts.sort_by_key(|part| part.kept_at_ms);
        Ok(parts)
    }
}

impl Owned<'_> {
    /// Notes that a page of a part is stored in this transaction, and whether that is new; with
    /// its last page a part is kept no longer.
    pub async fn note_history_page(
        &mut self,
        part: &str,
        index: i64,
        is_last: bool,
    ) -> Result<bool> {
        let session = self.session;
        let kind = RecordKind::HistoryPart.number();
        let text = if is_last {
            "DELETE FROM engine_record \
             WHERE session_id = $1 AND kind = $2 AND key = $3 AND stamp <= $4"
        } else {
            "UPDATE engine_record SET stamp = $4 + 1 \
             WHERE session_id = $1 AND kind = $2 AND key = $3 AND stamp <= $4"
        };
        Ok(on!(self.tx, |conn| sqlx::query(text)
            .bind(Text(session))
            .bind(kind)
            .bind(key_of(part))
            .bind(index)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1))?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_part_is_read_as_it_was_written(
            id in "\\PC{0,40}",
            kept_at_ms: i64,
            notice in proptest::collection::vec(any::<u8>(), 0..60),
            junk in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let part = HistoryPart { id, kept_at_ms, notice };
            prop_assert!(HistoryPart::from_bytes(&part.to_bytes()).as_ref() == Some(&part));
            // Whatever it is, it is read or refused.
            let _ = HistoryPart::from_bytes(&junk);
        }
    }
}
