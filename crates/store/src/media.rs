//! Files of messages.
//!
//! A row is written with its message and outlives it until its file is removed: whoever deletes
//! a message marks its files, and the sweeper takes first the file and then the row.

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{
    BucketId, MediaFile, MediaId, MediaProblem, MediaStatus, OrganizationId, SessionId,
    hide_contents,
};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// The table's part of the associated data of sealed sources.
pub(crate) const SOURCE_SEALED_AS: &str = "media.source";

/// A file that a message refers to.
#[derive(Clone)]
pub struct NewMedia {
    /// Its id.
    pub id: MediaId,
    /// The message's row.
    pub message_id: i64,
    /// Its place among the files of the message.
    pub position: i64,
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
    /// What kind of file.
    pub kind: String,
    /// The MIME type.
    pub mimetype: Option<String>,
    /// The file's name.
    pub filename: Option<String>,
    /// The size in bytes.
    pub size: Option<i64>,
    /// The SHA-256 in hex.
    pub sha256: Option<String>,
    /// The width of a picture or video.
    pub width: Option<i64>,
    /// The height of a picture or video.
    pub height: Option<i64>,
    /// The length of sound or video.
    pub seconds: Option<i64>,
    /// Whether it is a voice note.
    pub is_voice: bool,
    /// Where it is at WhatsApp, with its keys; it is sealed. Absent where it cannot be fetched.
    pub source: Option<Vec<u8>>,
    /// Whether it is fetched without being asked for, where the session wants that.
    pub may_be_captured: bool,
}

/// A file as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaRecord {
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// What clients see of it, without a URL.
    pub file: MediaFile,
    /// The bucket that it is kept in, or is about to be; absent for the installation's disk.
    pub bucket_id: Option<BucketId>,
    /// Whether there is, or may be, a file of it where it is kept.
    pub has_file: bool,
    /// How often fetching it has failed.
    pub attempts: i64,
    /// Where it is at WhatsApp; nothing where that was sealed under a key that is gone, too.
    pub source: Option<Vec<u8>>,
}

hide_contents!(MediaRecord { file });

macro_rules! media_columns {
    () => {
        "m.id, m.organization_id, m.session_id, m.position, m.wa_message_id, m.kind, m.mimetype, \
         m.filename, m.size, m.sha256, m.width, m.height, m.seconds, m.is_voice, m.source, \
         m.status, m.problem, m.bucket_id, m.has_file, m.stored_at, m.expires_at, m.attempts"
    };
}

pub(crate) use media_columns;

/// Has files removed, at the time that is the second parameter: from then on their removal is
/// tried, for as long as the sweeper has patience.
macro_rules! mark_removed {
    ($which:literal) => {
        concat!(
            "UPDATE media SET is_removed = TRUE, updated_at = $2 WHERE NOT is_removed AND ",
            $which
        )
    };
}

#[derive(FromRow)]
pub(crate) struct MediaRow {
    id: Text<MediaId>,
    organization_id: Text<OrganizationId>,
    session_id: Text<SessionId>,
    position: i64,
    wa_message_id: String,
    kind: String,
    mimetype: Option<String>,
    filename: Option<String>,
    size: Option<i64>,
    sha256: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    seconds: Option<i64>,
    is_voice: bool,
    source: Option<Vec<u8>>,
    status: Text<MediaStatus>,
    problem: Option<Text<MediaProblem>>,
    bucket_id: Option<Text<BucketId>>,
    has_file: bool,
    stored_at: Option<i64>,
    expires_at: Option<i64>,
    attempts: i64,
}

impl MediaRow {
    pub(crate) fn into_record(self, tx: &Tx) -> MediaRecord {
        let id = self.id.0;
        let source = self.source.as_deref().and_then(|sealed| {
            let row = id.to_string();
            tx.unseal(SOURCE_SEALED_AS, row.as_bytes(), sealed).ok()
        });
        let is_ready = self.status.0 == MediaStatus::Ready;
        let bucket_id = self.bucket_id.map(|bucket| bucket.0);
        MediaRecord {
            organization_id: self.organization_id.0,
            bucket_id,
            has_file: self.has_file,
            attempts: self.attempts,
            source,
            file: MediaFile {
                bucket_id: bucket_id.filter(|_| is_ready),
                expires_at: None,
                filename: self.filename,
                height: self.height,
                id,
                index: self.position,
                is_voice: self.is_voice,
                kept_until: self.expires_at.filter(|_| is_ready),
                kind: self.kind,
                mimetype: self.mimetype,
                problem: self.problem.map(|problem| problem.0),
                seconds: self.seconds,
                session_id: self.session_id.0,
                sha256: self.sha256,
                size: self.size,
                status: self.status.0,
                stored_at: self.stored_at.filter(|_| is_ready),
                url: None,
                wa_message_id: self.wa_message_id,
                width: self.width,
            },
        }
    }
}

impl Owned<'_> {
    /// Adds a file of a message that was just stored.
    pub async fn insert_media(&mut self, new: &NewMedia, now_ms: i64) -> Result<()> {
        let id = new.id.to_string();
        let source = new.source.as_deref();
        let sealed = source.map(|plain| self.tx.seal(SOURCE_SEALED_AS, id.as_bytes(), plain));
        let (organization, session) = (self.organization, self.session);
        let problem = source.is_none().then_some(MediaProblem::Incomplete);
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO media (id, organization_id, session_id, message_id, position, \
             wa_message_id, kind, mimetype, filename, size, sha256, width, height, seconds, \
             is_voice, source, problem, status, has_file, attempts, next_attempt_at, is_removed, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
             $13, $14, $15, $16, $17, \
             (SELECT CASE WHEN $18 = 'failed' THEN 'failed' \
             WHEN s.captures_media AND $18 = 'pending' THEN 'pending' ELSE 'available' END \
             FROM session s WHERE s.id = $3), $19, 0, $20, $19, $20, $20)"
        )
        .bind(&id)
        .bind(Text(organization))
        .bind(Text(session))
        .bind(new.message_id)
        .bind(new.position)
        .bind(storable(&new.wa_message_id))
        .bind(storable(&new.kind))
        .bind(new.mimetype.as_deref().map(storable))
        .bind(new.filename.as_deref().map(storable))
        .bind(new.size)
        .bind(new.sha256.as_deref())
        .bind(new.width)
        .bind(new.height)
        .bind(new.seconds)
        .bind(new.is_voice)
        .bind(sealed)
        .bind(problem.map(Text))
        .bind(match (source, new.may_be_captured) {
            (None, _) => MediaStatus::Failed.as_str(),
            (Some(_), true) => MediaStatus::Pending.as_str(),
            (Some(_), false) => MediaStatus::Available.as_str(),
        })
        .bind(false)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}

impl Tx {
    /// A file of an organization whose message is still there.
    pub async fn media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
    ) -> Result<Option<MediaRecord>> {
        let row: Option<MediaRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            media_columns!(),
            " FROM media m JOIN session s ON s.id = m.session_id \
             WHERE m.id = $2 AND m.organization_id = $1 AND s.organization_id = $1 \
             AND s.deleted_at IS NULL AND NOT m.is_removed"
        ))
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(|row| row.into_record(self)))
    }

    /// Has the files of messages removed, which are deleted in this transaction.
    pub(crate) async fn remove_media_of(&mut self, messages: &[i64], now_ms: i64) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        on!(self, |conn| {
            let mut query = QueryBuilder::new("UPDATE media SET is_removed = TRUE, updated_at = ");
            query.push_bind(now_ms);
            query.push(" WHERE NOT is_removed AND message_id IN (");
            let mut list = query.separated(", ");
            for message in messages {
                list.push_bind(*message);
            }
            query.push(")");
            query.build().execute(conn).await.map(drop)
        })?;
        Ok(())
    }

    /// Has the files of a chat's messages removed.
    pub(crate) async fn remove_media_of_chat(&mut self, chat: i64, now_ms: i64) -> Result<()> {
        on!(self, |conn| sqlx::query(mark_removed!(
            "message_id IN (SELECT id FROM message WHERE chat_id = $1)"
        ))
        .bind(chat)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Has some of a session's files removed; gives how many.
    pub(crate) async fn remove_media_of_session(
        &mut self,
        session: Text<SessionId>,
        now_ms: i64,
        limit: i64,
    ) -> Result<u64> {
        Ok(on!(self, |conn| sqlx::query(mark_removed!(
            "id IN (SELECT id FROM media WHERE session_id = $1 AND NOT is_removed LIMIT $3)"
        ))
        .bind(session)
        .bind(now_ms)
        .bind(limit)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
    }
}
