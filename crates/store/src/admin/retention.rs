//! Sweeping out what is no longer kept; each call is bounded, so that nobody waits for long.

use std::collections::{BTreeMap, BTreeSet};

use wagate_model::{DeliveryId, EventId, OrganizationId, SessionId, WebhookId};

use super::Admin;
use crate::error::Result;
use crate::text::Text;
use crate::tx::on;

/// Some rows of a table that belong to `$1`, `$2` at the most, deleted by their ids.
macro_rules! some_of {
    ($table:literal, $owner:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE id IN (SELECT id FROM ",
            $table,
            " WHERE ",
            $owner,
            " = $1 LIMIT $2)"
        )
    };
}

/// The oldest rows of a table whose time is before `$1`, `$2` at the most, deleted by their keys.
macro_rules! oldest_of {
    ($table:literal, $key:literal, $time:literal $(, and $condition:literal)?) => {
        concat!(
            "DELETE FROM ", $table, " WHERE ", $key, " IN (SELECT ", $key, " FROM ", $table,
            " WHERE ", $time, " < $1", $(" AND ", $condition,)? " ORDER BY ", $time, " LIMIT $2)"
        )
    };
}

/// What a deleted session leaves behind, the largest first; the rest goes with its row.
///
/// Rows of files go by themselves once their files are removed; see [`Admin::unwanted_media`].
const SESSION_TABLES: [&str; 18] = [
    some_of!("message", "session_id"),
    some_of!("group_member", "session_id"),
    some_of!("chat_group", "session_id"),
    some_of!("chat", "session_id"),
    some_of!("identity", "session_id"),
    some_of!("outbox", "session_id"),
    some_of!("scheduled_message", "session_id"),
    "DELETE FROM webhook_delivery WHERE id IN (SELECT d.id FROM webhook_delivery d \
     JOIN webhook w ON w.id = d.webhook_id WHERE w.session_id = $1 LIMIT $2)",
    "DELETE FROM engine_record WHERE (session_id, kind, key) IN \
     (SELECT session_id, kind, key FROM engine_record WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM engine_message_secret WHERE (session_id, key) IN \
     (SELECT session_id, key FROM engine_message_secret WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM engine_sent_message WHERE (session_id, key) IN \
     (SELECT session_id, key FROM engine_sent_message WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM engine_lid_mapping WHERE (session_id, lid) IN \
     (SELECT session_id, lid FROM engine_lid_mapping WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM engine_sender_key_device WHERE (session_id, group_jid, device_jid) IN \
     (SELECT session_id, group_jid, device_jid FROM engine_sender_key_device \
     WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM engine_contact_token WHERE (session_id, key) IN \
     (SELECT session_id, key FROM engine_contact_token WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM label_message WHERE (session_id, wa_message_id, chat_jid, wa_label_id) IN \
     (SELECT session_id, wa_message_id, chat_jid, wa_label_id FROM label_message \
     WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM label_chat WHERE (session_id, chat_jid, wa_label_id) IN \
     (SELECT session_id, chat_jid, wa_label_id FROM label_chat WHERE session_id = $1 LIMIT $2)",
    "DELETE FROM label WHERE (session_id, wa_label_id) IN \
     (SELECT session_id, wa_label_id FROM label WHERE session_id = $1 LIMIT $2)",
    some_of!("attachment", "session_id"),
];

/// The most pieces of waiting files that are deleted together: 8 MiB.
const PIECES: i64 = 32;

/// What an ended organization leaves behind besides its sessions, the largest first; the rest
/// goes with its row.
const ORGANIZATION_TABLES: [&str; 6] = [
    "DELETE FROM webhook_delivery WHERE id IN (SELECT d.id FROM webhook_delivery d \
     JOIN webhook w ON w.id = d.webhook_id WHERE w.organization_id = $1 LIMIT $2)",
    "DELETE FROM event WHERE organization_id = $1 AND id IN \
     (SELECT id FROM event WHERE organization_id = $1 LIMIT $2)",
    "DELETE FROM idempotency_key WHERE organization_id = $1 AND key IN \
     (SELECT key FROM idempotency_key WHERE organization_id = $1 LIMIT $2)",
    some_of!("audit_entry", "organization_id"),
    some_of!("api_key", "organization_id"),
    some_of!("webhook", "organization_id"),
];

impl Admin<'_> {
    async fn sweep(&mut self, text: &'static str, before_ms: i64, limit: i64) -> Result<u64> {
        Ok(on!(self.tx, |conn| sqlx::query(text)
            .bind(before_ms)
            .bind(limit)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?)
    }

    /// Deletes events older than a time that no webhook waits for; gives how many.
    pub async fn purge_events(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        let purged: Vec<(Text<OrganizationId>, Text<EventId>)> = on!(self.tx, |conn| {
            sqlx::query_as(
                "DELETE FROM event WHERE (organization_id, id) IN ( \
                 SELECT e.organization_id, e.id FROM event e WHERE e.created_at < $1 \
                 AND NOT EXISTS (SELECT 1 FROM webhook_delivery d \
                 WHERE d.organization_id = e.organization_id AND d.event_id = e.id \
                 AND d.status = 'pending') ORDER BY e.created_at LIMIT $2) \
                 RETURNING organization_id, id",
            )
            .bind(before_ms)
            .bind(limit)
            .fetch_all(conn)
            .await
        })?;
        let mut last = BTreeMap::new();
        for (organization, event) in &purged {
            let newest = last.entry(organization.0).or_insert(event.0);
            *newest = event.0.max(*newest);
        }
        for (organization, event) in last {
            on!(self.tx, |conn| sqlx::query(
                "UPDATE event_stream SET purged_through = $2 \
                 WHERE organization_id = $1 AND purged_through < $2"
            )
            .bind(Text(organization))
            .bind(Text(event))
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(u64::try_from(purged.len()).unwrap_or(u64::MAX))
    }

    /// Gives up deliveries from before a time whose webhooks are off; gives how many.
    ///
    /// Otherwise they, and with them their events, would be kept for ever.
    pub async fn bury_deliveries(
        &mut self,
        before_ms: i64,
        now_ms: i64,
        limit: i64,
    ) -> Result<u64> {
        // Ids begin with the time, so that the index of a webhook's list finds the old ones.
        let before = DeliveryId::from_parts(u64::try_from(before_ms).unwrap_or(0), 0);
        let buried: Vec<(Text<WebhookId>, Option<String>)> = on!(self.tx, |conn| sqlx::query_as(
            "UPDATE webhook_delivery SET status = 'dead', is_blocked = FALSE, \
             lease_owner = NULL, lease_until = NULL, last_error = $3, updated_at = $2 \
             WHERE id IN (SELECT d.id FROM webhook w \
             JOIN webhook_delivery d ON d.webhook_id = w.id \
             WHERE NOT w.active AND d.id < $1 AND d.status = 'pending' LIMIT $4) \
             RETURNING webhook_id, chat_key"
        )
        .bind(Text(before))
        .bind(now_ms)
        .bind("given up: its webhook was switched off")
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        let count = u64::try_from(buried.len()).unwrap_or(u64::MAX);
        let chats: BTreeSet<_> = buried
            .into_iter()
            .filter_map(|(webhook, chat)| Some((webhook.0, chat?)))
            .collect();
        for (webhook, chat) in chats {
            self.unblock_chat(webhook, &chat).await?;
        }
        Ok(count)
    }

    /// Deletes deliveries, with their attempts, that ended before a time; gives how many.
    pub async fn purge_deliveries(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            oldest_of!("webhook_delivery", "id", "updated_at", and "status <> 'pending'"),
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes idempotency keys of requests older than a time that are finished; gives how many.
    pub async fn purge_idempotency_keys(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            "DELETE FROM idempotency_key WHERE (organization_id, key) IN ( \
             SELECT k.organization_id, k.key FROM idempotency_key k WHERE k.created_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM outbox o \
             WHERE o.id = k.outbox_id AND o.finished_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM scheduled_message s \
             WHERE s.id = k.outbox_id AND s.failed_at IS NULL) \
             ORDER BY k.created_at LIMIT $2)",
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes outbox entries finished before a time that no idempotency key names; gives how many.
    pub async fn purge_outbox(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            "DELETE FROM outbox WHERE id IN (SELECT o.id FROM outbox o \
             WHERE o.finished_at IS NOT NULL AND o.finished_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM idempotency_key k WHERE k.outbox_id = o.id) \
             ORDER BY o.finished_at LIMIT $2)",
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes scheduled messages that were given up before a time; gives how many.
    pub async fn purge_scheduled(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            oldest_of!("scheduled_message", "id", "failed_at", and "failed_at IS NOT NULL"),
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes files that were written before a time and that no message waits with: first their
    /// pieces, some at a time; gives how many of either.
    pub async fn purge_attachments(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        let pieces = self
            .sweep(
                "DELETE FROM attachment_piece WHERE (attachment_id, position) IN \
                 (SELECT p.attachment_id, p.position FROM attachment a \
                 JOIN attachment_piece p ON p.attachment_id = a.id \
                 WHERE a.created_at < $1 AND NOT EXISTS (SELECT 1 FROM outbox o \
                 WHERE o.id = a.outbox_id AND o.finished_at IS NULL) \
                 AND NOT EXISTS (SELECT 1 FROM scheduled_message s \
                 WHERE s.id = a.outbox_id AND s.failed_at IS NULL) LIMIT $2)",
                before_ms,
                limit.min(PIECES),
            )
            .await?;
        if i64::try_from(pieces).is_ok_and(|count| count >= limit.min(PIECES)) {
            return Ok(pieces);
        }
        self.sweep(
            "DELETE FROM attachment WHERE id IN (SELECT a.id FROM attachment a \
             WHERE a.created_at < $1 AND NOT EXISTS (SELECT 1 FROM outbox o \
             WHERE o.id = a.outbox_id AND o.finished_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM scheduled_message s \
             WHERE s.id = a.outbox_id AND s.failed_at IS NULL) \
             ORDER BY a.created_at LIMIT $2)",
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes tickets that ran out before a time; gives how many.
    pub async fn purge_tickets(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            oldest_of!("realtime_ticket", "hash", "expires_at"),
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes what deleted sessions left, at most `limit` rows of each table; gives how many.
    ///
    /// Call it until it gives 0.
    pub async fn purge_deleted_sessions(&mut self, now_ms: i64, limit: i64) -> Result<u64> {
        let session: Option<Text<SessionId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT id FROM session WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 1"
        )
        .fetch_optional(conn)
        .await)?;
        let Some(session) = session else {
            return Ok(0);
        };
        let pieces = self.purge_pieces(session, limit.min(PIECES)).await?;
        if i64::try_from(pieces).is_ok_and(|count| count >= limit.min(PIECES)) {
            return Ok(pieces);
        }
        let files = self.tx.remove_media_of_session(session, now_ms, limit);
        let files = files.await?;
        let mut total = pieces + files;
        if i64::try_from(files).is_ok_and(|count| count >= limit) {
            return Ok(total);
        }
        for text in SESSION_TABLES {
            let count = on!(self.tx, |conn| sqlx::query(text)
                .bind(session)
                .bind(limit)
                .execute(conn)
                .await
                .map(|done| done.rows_affected()))?;
            total += count;
            if i64::try_from(count).is_ok_and(|count| count >= limit) {
                return Ok(total);
            }
        }
        let organization: Option<Text<OrganizationId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "DELETE FROM session WHERE id = $1 RETURNING organization_id"
        )
        .bind(session)
        .fetch_optional(conn)
        .await)?;
        if let Some(Text(organization)) = organization {
            // Its webhooks went with it.
            self.tx.note_changed_webhooks(organization);
            total += 1;
        }
        Ok(total)
    }

    /// Deletes pieces of files that a session had still to send; gives how many.
    async fn purge_pieces(&mut self, session: Text<SessionId>, limit: i64) -> Result<u64> {
        Ok(on!(self.tx, |conn| sqlx::query(
            "DELETE FROM attachment_piece WHERE (attachment_id, position) IN \
             (SELECT p.attachment_id, p.position FROM attachment a \
             JOIN attachment_piece p ON p.attachment_id = a.id \
             WHERE a.session_id = $1 LIMIT $2)"
        )
        .bind(session)
        .bind(limit)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
    }

    /// Deletes what ended organizations left, at most `limit` rows of each table; gives how many.
    ///
    /// Call it until it gives 0, after [`Self::purge_deleted_sessions`]: an organization whose
    /// sessions are still there waits for them.
    pub async fn purge_ended_organizations(&mut self, limit: i64) -> Result<u64> {
        let organization: Option<Text<OrganizationId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT o.id FROM organization o WHERE o.deleted_at IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM session s WHERE s.organization_id = o.id) AND NOT EXISTS \
             (SELECT 1 FROM media m WHERE m.organization_id = o.id) ORDER BY o.id LIMIT 1"
        )
        .fetch_optional(conn)
        .await)?;
        let Some(organization) = organization else {
            return Ok(0);
        };
        let mut total = 0;
        for text in ORGANIZATION_TABLES {
            let count = on!(self.tx, |conn| sqlx::query(text)
                .bind(organization)
                .bind(limit)
                .execute(conn)
                .await
                .map(|done| done.rows_affected()))?;
            total += count;
            if i64::try_from(count).is_ok_and(|count| count >= limit) {
                return Ok(total);
            }
        }
        let count = on!(self.tx, |conn| sqlx::query(
            "DELETE FROM organization WHERE id = $1"
        )
        .bind(organization)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(total + count)
    }
}

/// What people leave behind.
impl Admin<'_> {
    /// Deletes lines of the audit log from before a time; gives how many.
    pub async fn purge_audit(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            oldest_of!("audit_entry", "id", "created_at"),
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes logins that ended before a time; gives how many.
    pub async fn purge_logins(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(oldest_of!("login", "id", "expires_at"), before_ms, limit)
            .await
    }

    /// Deletes one-time links that ran out before a time; gives how many.
    pub async fn purge_links(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            oldest_of!("user_link", "hash", "expires_at"),
            before_ms,
            limit,
        )
        .await
    }

    /// Deletes invitations that ran out before a time; gives how many.
    pub async fn purge_invitations(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            oldest_of!("invitation", "id", "expires_at"),
            before_ms,
            limit,
        )
        .await
    }

    /// Forgets failures to sign in of which the last was before a time, and that hold nobody
    /// back at that time; gives how many.
    pub async fn purge_login_failures(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        self.sweep(
            oldest_of!("login_failure", "key", "last_failed_at", and "blocked_until < $1"),
            before_ms,
            limit,
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::sql;

    /// Tables with one row for a session, or a few; they go with its own.
    const SMALL: [&str; 3] = ["rate_window", "session_lease", "webhook"];

    #[tokio::test]
    async fn every_table_of_sessions_is_emptied_in_steps() {
        let store = crate::testing::store().await;
        let mut tx = store.read().await.unwrap();
        let text = sql!(
            tx,
            sqlite: "SELECT DISTINCT t.name FROM sqlite_schema t \
                     JOIN pragma_foreign_key_list(t.name) f \
                     WHERE t.type = 'table' AND f.\"table\" = 'session' ORDER BY t.name",
            postgres: "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint \
                       WHERE contype = 'f' AND confrelid = 'session'::regclass ORDER BY 1",
        );
        let tables: Vec<String> = on!(tx, |conn| sqlx::query_scalar(text)
            .fetch_all(conn)
            .await
            .map_err(crate::error::StoreError::Database))
        .unwrap();
        assert!(tables.iter().any(|table| table == "engine_record"));
        for table in tables {
            let step = format!("DELETE FROM {table} WHERE");
            let is_emptied = SESSION_TABLES.iter().any(|text| text.starts_with(&step));
            assert_ne!(is_emptied, SMALL.contains(&&*table), "{table}");
        }
    }
}
