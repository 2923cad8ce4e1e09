//! Polls that close at a time, with the last vote of each voter.
//!
//! A poll's row is there until the poll is closed: whoever deletes it has closed it, and
//! nobody else does.

use sqlx::FromRow;
use wagate_model::{OrganizationId, PollData, SessionId};

use crate::admin::Admin;
use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// The last vote of one voter.
#[derive(Clone, PartialEq, Eq)]
pub struct PollVote {
    /// The voter's address, by LID where known.
    pub voter: String,
    /// The name that the voter shows, where known.
    pub name: Option<String>,
    /// The texts of the options chosen; none where the vote was taken back.
    pub options: Vec<String>,
    /// When, in milliseconds since 1970.
    pub voted_at_ms: i64,
}

/// A poll whose time has come.
#[derive(Clone, PartialEq, Eq)]
pub struct DuePoll {
    /// Whose it is.
    pub organization: OrganizationId,
    /// In which session it was seen.
    pub session: SessionId,
    /// The chat's row.
    pub chat_id: i64,
    /// The chat's address.
    pub chat_jid: String,
    /// WhatsApp's id of the poll.
    pub wa_message_id: String,
    /// Question and options.
    pub poll: PollData,
    /// When it closes, in milliseconds since 1970.
    pub ends_at_ms: i64,
}

/// Polls whose time has come.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DuePolls {
    /// Those that can be closed.
    pub polls: Vec<DuePoll>,
    /// Those whose rows cannot be read.
    pub unreadable: Vec<UnreadablePoll>,
}

/// A poll whose row cannot be read.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadablePoll {
    /// Whose it is.
    pub organization: OrganizationId,
    /// In which session it was seen.
    pub session: SessionId,
    /// The chat's row.
    pub chat_id: i64,
    /// WhatsApp's id of the poll.
    pub wa_message_id: String,
}

impl From<&DuePoll> for UnreadablePoll {
    fn from(poll: &DuePoll) -> Self {
        Self {
            organization: poll.organization,
            session: poll.session,
            chat_id: poll.chat_id,
            wa_message_id: poll.wa_message_id.clone(),
        }
    }
}

/// What a poll came to.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClosedPoll {
    /// Its votes, in the order in which they came.
    pub votes: Vec<PollVote>,
    /// How many votes could not be read, and are not counted.
    pub unreadable: usize,
}

#[derive(FromRow)]
struct DueRow {
    organization_id: Text<OrganizationId>,
    session_id: Text<SessionId>,
    chat_id: i64,
    jid: String,
    wa_message_id: String,
    poll: String,
    ends_at: i64,
}

#[derive(FromRow)]
struct VoteRow {
    voter: String,
    name: Option<String>,
    options: String,
    voted_at: i64,
}

impl Owned<'_> {
    /// Notes a poll that closes at a time; one that is there stays as it is.
    pub async fn note_timed_poll(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        poll: &PollData,
        ends_at_ms: i64,
    ) -> Result<()> {
        let poll = serde_json::to_string(poll)?;
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO timed_poll (chat_id, wa_message_id, poll, ends_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (chat_id, wa_message_id) DO NOTHING"
        )
        .bind(chat_id)
        .bind(storable(wa_message_id))
        .bind(storable(&poll))
        .bind(ends_at_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Notes a vote in a poll that is still open; an older one than the voter's last says
    /// nothing.
    pub async fn note_poll_vote(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        vote: &PollVote,
    ) -> Result<()> {
        let options = serde_json::to_string(&vote.options)?;
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO timed_poll_vote (chat_id, wa_message_id, voter, name, options, voted_at) \
             SELECT p.chat_id, p.wa_message_id, $3, $4, $5, $6 FROM timed_poll p \
             WHERE p.chat_id = $1 AND p.wa_message_id = $2 \
             ON CONFLICT (chat_id, wa_message_id, voter) DO UPDATE SET \
             name = excluded.name, options = excluded.options, voted_at = excluded.voted_at \
             WHERE excluded.voted_at >= timed_poll_vote.voted_at"
        )
        .bind(chat_id)
        .bind(storable(wa_message_id))
        .bind(storable(&vote.voter))
        .bind(vote.name.as_deref().map(storable))
        .bind(storable(&options))
        .bind(vote.voted_at_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}

impl Admin<'_> {
    /// Polls whose time has come, the longest overdue first.
    pub async fn due_polls(&mut self, now_ms: i64, limit: i64) -> Result<DuePolls> {
        let rows: Vec<DueRow> = on!(self.tx, |conn| {
            sqlx::query_as(
            "SELECT s.organization_id, c.session_id, p.chat_id, c.jid, p.wa_message_id, p.poll, \
             p.ends_at FROM timed_poll p JOIN chat c ON c.id = p.chat_id \
             JOIN session s ON s.id = c.session_id \
             WHERE p.ends_at <= $1 AND NOT p.is_unreadable AND s.deleted_at IS NULL ORDER BY p.ends_at LIMIT $2"
        )
        .bind(now_ms)
        .bind(limit)
        .fetch_all(conn)
        .await
        })?;
        let mut due = DuePolls::default();
        for row in rows {
            match serde_json::from_str(&row.poll) {
                Ok(poll) => due.polls.push(DuePoll {
                    organization: row.organization_id.0,
                    session: row.session_id.0,
                    chat_id: row.chat_id,
                    chat_jid: row.jid,
                    wa_message_id: row.wa_message_id,
                    poll,
                    ends_at_ms: row.ends_at,
                }),
                Err(_) => due.unreadable.push(UnreadablePoll {
                    organization: row.organization_id.0,
                    session: row.session_id.0,
                    chat_id: row.chat_id,
                    wa_message_id: row.wa_message_id,
                }),
            }
        }
        Ok(due)
    }
}

impl Tx {
    /// Lets a poll be that cannot be closed: nobody looks at it again, and it goes with its chat.
    pub async fn set_poll_aside(&mut self, poll: &UnreadablePoll) -> Result<()> {
        on!(self, |conn| sqlx::query(
            "UPDATE timed_poll SET is_unreadable = TRUE WHERE chat_id = $1 AND wa_message_id = $2"
        )
        .bind(poll.chat_id)
        .bind(storable(&poll.wa_message_id))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Closes a poll and gives what it came to; nothing where somebody else has closed it.
    pub async fn close_poll(&mut self, poll: &DuePoll) -> Result<Option<ClosedPoll>> {
        let rows: Vec<VoteRow> = on!(self, |conn| sqlx::query_as(
            "SELECT voter, name, options, voted_at FROM timed_poll_vote \
             WHERE chat_id = $1 AND wa_message_id = $2 ORDER BY voted_at, voter"
        )
        .bind(poll.chat_id)
        .bind(storable(&poll.wa_message_id))
        .fetch_all(conn)
        .await)?;
        let is_closed = on!(self, |conn| sqlx::query(
            "DELETE FROM timed_poll WHERE chat_id = $1 AND wa_message_id = $2"
        )
        .bind(poll.chat_id)
        .bind(storable(&poll.wa_message_id))
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1))?;
        if !is_closed {
            return Ok(None);
        }
        let mut closed = ClosedPoll::default();
        for row in rows {
            match serde_json::from_str(&row.options) {
                Ok(options) => closed.votes.push(PollVote {
                    voter: row.voter,
                    name: row.name,
                    options,
                    voted_at_ms: row.voted_at,
                }),
                Err(_) => closed.unreadable += 1,
            }
        }
        Ok(Some(closed))
    }
}
