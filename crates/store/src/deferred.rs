//! Rows that jobs leave for the end of their group, to be written together.
//!
//! A statement costs a hand-over to the database's thread or server, whatever its size;
//! a group has some dozens of jobs, most of which add a row to the same few tables. Such
//! rows are left here and written by one statement a table before the commit. Nobody else
//! sees a difference: they are in the same transaction, and the job is answered after it.
//!
//! Within a transaction order still matters: whoever changes or looks for rows that may
//! wait here writes them first ([`Tx::write_deferred`], or the table's own function).

use std::sync::Arc;

use crate::engine::{RecordRows, SentRows};
use crate::error::Result;
use crate::messages::OwnMessage;
use crate::outbox::WaitingOutbox;
use crate::tx::Tx;

/// Rows of one table, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Pile<T> {
    rows: Vec<Arc<T>>,
    /// How many of them are written already, by a job that needed them to be.
    written: usize,
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            written: 0,
        }
    }
}

impl<T> Pile<T> {
    pub(crate) fn push(&mut self, row: T) {
        self.rows.push(Arc::new(row));
    }

    /// The rows that are still to be written; they count as written from here on.
    ///
    /// They stay in memory until the group ends: the job that is running may be undone,
    /// and what was written in its part with it.
    pub(crate) fn take_unwritten(&mut self) -> Vec<Arc<T>> {
        let unwritten = self.rows[self.written..].to_vec();
        self.written = self.rows.len();
        unwritten
    }

    /// Whether such a row is still to be written.
    pub(crate) fn has_unwritten(&self, is_meant: impl Fn(&T) -> bool) -> bool {
        self.rows[self.written..].iter().any(|row| is_meant(row))
    }

    fn mark(&self) -> (usize, usize) {
        (self.rows.len(), self.written)
    }

    fn undo(&mut self, (rows, written): (usize, usize)) {
        self.rows.truncate(rows);
        self.written = written;
    }
}

/// All that waits for the end of the group.
#[derive(Debug, Default)]
pub(crate) struct Deferred {
    pub(crate) records: Pile<RecordRows>,
    pub(crate) sent: Pile<SentRows>,
    pub(crate) outbox: Pile<WaitingOutbox>,
    pub(crate) messages: Pile<OwnMessage>,
    /// Rows of messages whose texts are to be found by their words.
    pub(crate) texts: Pile<i64>,
}

/// A point to come back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark([(usize, usize); 5]);

impl Deferred {
    pub(crate) fn mark(&self) -> Mark {
        Mark([
            self.records.mark(),
            self.sent.mark(),
            self.outbox.mark(),
            self.messages.mark(),
            self.texts.mark(),
        ])
    }

    /// Forgets what came after the mark; what was written after it is to be written again.
    pub(crate) fn undo(&mut self, Mark([records, sent, outbox, messages, texts]): Mark) {
        self.records.undo(records);
        self.sent.undo(sent);
        self.outbox.undo(outbox);
        self.messages.undo(messages);
        self.texts.undo(texts);
    }
}

impl Tx {
    /// Writes all rows that wait, those of earlier jobs of the group too.
    pub(crate) async fn write_deferred(&mut self) -> Result<()> {
        self.write_records().await?;
        self.write_sent_messages().await?;
        self.write_outbox().await?;
        self.write_own_messages().await?;
        self.write_texts().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_written_in_an_undone_part_are_written_again() {
        let mut pile = Pile::default();
        let take = |pile: &mut Pile<i32>| -> Vec<_> {
            pile.take_unwritten().iter().map(|row| **row).collect()
        };
        pile.push(1);
        let before = pile.mark();
        pile.push(2);
        assert!(pile.has_unwritten(|row| *row == 1));
        assert_eq!(take(&mut pile), [1, 2]);
        assert!(!pile.has_unwritten(|row| *row == 1));
        assert!(take(&mut pile).is_empty());
        pile.undo(before);
        pile.push(3);
        assert_eq!(take(&mut pile), [1, 3]);
    }
}
