//! Rotation of the master key: sealing a session's engine state again, in batches.

use wagate_model::SessionId;

use super::backend::sealed_row;
use super::{contact_tokens, message_secrets, records, sent_messages};
use crate::admin::Admin;
use crate::error::Result;
use crate::text::Text;
use crate::tx::on;

/// A table with sealed values.
struct Sealed {
    table: &'static str,
    /// Kind (0 where the table has none), key and value where the value's key id, which
    /// stands after its first byte, is not `$2`.
    find: &'static str,
    /// Writes `$5` over the value `$4` of kind `$2` and key `$3`.
    update: &'static str,
}

#[derive(sqlx::FromRow)]
struct SealedRecord {
    session_id: Text<SessionId>,
    kind: i16,
    key: Vec<u8>,
    value: Vec<u8>,
}

macro_rules! find {
    ($table:literal, $kind:literal, $value:literal) => {
        concat!(
            "SELECT ",
            $kind,
            ", key, ",
            $value,
            " FROM ",
            $table,
            " WHERE session_id = $1 AND substr(",
            $value,
            ", 2, 8) <> $2 LIMIT $3"
        )
    };
}

macro_rules! update {
    ($table:literal, $kind:literal, $value:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET ",
            $value,
            " = $5 WHERE session_id = $1 AND ",
            $kind,
            " = CAST($2 AS SMALLINT) AND key = $3 AND ",
            $value,
            " = $4"
        )
    };
}

const TABLES: [Sealed; 4] = [
    Sealed {
        table: records::TABLE,
        find: find!("engine_record", "kind", "value"),
        update: update!("engine_record", "kind", "value"),
    },
    Sealed {
        table: contact_tokens::TABLE,
        find: find!("engine_contact_token", "CAST(0 AS SMALLINT)", "token"),
        update: update!("engine_contact_token", "0", "token"),
    },
    Sealed {
        table: message_secrets::TABLE,
        find: find!("engine_message_secret", "CAST(0 AS SMALLINT)", "secret"),
        update: update!("engine_message_secret", "0", "secret"),
    },
    Sealed {
        table: sent_messages::TABLE,
        find: find!("engine_sent_message", "CAST(0 AS SMALLINT)", "payload"),
        update: update!("engine_sent_message", "0", "payload"),
    },
];

impl Admin<'_> {
    /// Seals up to `limit` values of each engine table of a session with the current key.
    ///
    /// Answers how many there were: none are left when it is 0. A value that was changed
    /// meanwhile is left alone: who changed it used the current key.
    pub async fn reseal_engine_state(&mut self, session: SessionId, limit: i64) -> Result<u64> {
        let current = self.tx.keys().current_id();
        let mut resealed = 0;
        for Sealed {
            table,
            find,
            update,
        } in TABLES
        {
            let rows: Vec<(i16, Vec<u8>, Vec<u8>)> = on!(self.tx, |conn| sqlx::query_as(find)
                .bind(Text(session))
                .bind(current.as_slice())
                .bind(limit)
                .fetch_all(conn)
                .await)?;
            for (kind, key, sealed) in rows {
                let row = if table == records::TABLE {
                    sealed_row(session, &[&kind.to_be_bytes(), &key])
                } else {
                    sealed_row(session, &[&key])
                };
                let plain = self.tx.unseal(table, &row, &sealed)?;
                let fresh = self.tx.seal(table, &row, &plain);
                resealed += on!(self.tx, |conn| sqlx::query(update)
                    .bind(Text(session))
                    .bind(kind)
                    .bind(key)
                    .bind(sealed)
                    .bind(fresh)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected()))?;
            }
        }
        Ok(resealed)
    }

    /// Opens one sealed value, as a proof of the master keys; `false` where there is none yet.
    pub async fn prove_master_keys(&mut self) -> Result<bool> {
        let found: Option<SealedRecord> = on!(self.tx, |conn| sqlx::query_as(
            "SELECT session_id, kind, key, value FROM engine_record LIMIT 1"
        )
        .fetch_optional(conn)
        .await)?;
        let Some(found) = found else {
            return Ok(false);
        };
        let row = sealed_row(found.session_id.0, &[&found.kind.to_be_bytes(), &found.key]);
        self.tx.unseal(records::TABLE, &row, &found.value)?;
        Ok(true)
    }
}
