//! Rotation of the master key: sealing stored values again, in batches.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Admin, TOKEN_KEY_SEALED_AS, TOTP_SEALED_AS};
use crate::buckets::{ACCESS_KEY_SEALED_AS, BUCKET_SECRET_SEALED_AS};
use crate::error::Result;
use crate::media::SOURCE_SEALED_AS;
use crate::tx::on;
use crate::webhook_secrets::EARLIER_SECRETS_SEALED_AS;
use crate::webhooks::SECRET_SEALED_AS;
use crate::{outbox, scheduled};

/// A column of sealed values in a table whose key is one text column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table.
    pub table: &'static str,
    /// The key; its text is the row's part of the associated data.
    pub key: &'static str,
    /// The column.
    pub column: &'static str,
    /// The table's part of the associated data.
    pub sealed_as: &'static str,
}

impl SealedColumn {
    /// The sealed columns outside of the engine's own tables.
    pub const ALL: &'static [Self] = &[
        Self {
            table: "webhook",
            key: "id",
            column: "secret",
            sealed_as: SECRET_SEALED_AS,
        },
        Self {
            table: "webhook",
            key: "id",
            column: "previous_secret",
            sealed_as: EARLIER_SECRETS_SEALED_AS,
        },
        Self {
            table: "outbox",
            key: "id",
            column: "request",
            sealed_as: outbox::SEALED_AS,
        },
        Self {
            table: "scheduled_message",
            key: "id",
            column: "request",
            sealed_as: scheduled::SEALED_AS,
        },
        Self {
            table: "user_account",
            key: "id",
            column: "totp_secret",
            sealed_as: TOTP_SEALED_AS,
        },
        Self {
            table: "token_key",
            key: "id",
            column: "private_key",
            sealed_as: TOKEN_KEY_SEALED_AS,
        },
        Self {
            table: "media",
            key: "id",
            column: "source",
            sealed_as: SOURCE_SEALED_AS,
        },
        Self {
            table: "storage_bucket",
            key: "id",
            column: "access_key",
            sealed_as: ACCESS_KEY_SEALED_AS,
        },
        Self {
            table: "storage_bucket",
            key: "id",
            column: "secret_key",
            sealed_as: BUCKET_SECRET_SEALED_AS,
        },
    ];
}

/// How far a run over a sealed column is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResealProgress {
    /// Where to go on; absent at the end.
    pub next: Option<String>,
    /// How many values of this batch were sealed again.
    pub resealed: u64,
}

impl Admin<'_> {
    /// Seals values of older keys with the current one, in one batch after a row's key.
    ///
    /// A value that was changed meanwhile is left alone: who changed it used the current key.
    pub async fn reseal(
        &mut self,
        column: SealedColumn,
        after: Option<&str>,
        limit: i64,
    ) -> Result<ResealProgress> {
        let SealedColumn {
            table,
            key,
            column: name,
            sealed_as,
        } = column;
        // Only names from this program's constants reach the text.
        let select = format!(
            "SELECT {key}, {name} FROM {table} WHERE {key} > $1 AND {name} IS NOT NULL \
             ORDER BY {key} LIMIT $2"
        );
        let update = format!("UPDATE {table} SET {name} = $2 WHERE {key} = $1 AND {name} = $3");
        let rows: Vec<(String, Vec<u8>)> = on!(self.tx, |conn| {
            sqlx::query(AssertSqlSafe(select))
                .bind(after.unwrap_or(""))
                .bind(limit)
                .fetch_all(conn)
                .await
                .map(|rows| rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        })?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|count| count < limit);
        let next = rows.last().filter(|_| !is_last).map(|(key, _)| key.clone());
        let mut resealed = 0;
        for (row, sealed) in rows {
            if !self.tx.keys().is_outdated(&sealed)? {
                continue;
            }
            let plain = self.tx.unseal(sealed_as, row.as_bytes(), &sealed)?;
            let fresh = self.tx.seal(sealed_as, row.as_bytes(), &plain);
            resealed += on!(self.tx, |conn| sqlx::query(AssertSqlSafe(update.clone()))
                .bind(&row)
                .bind(fresh)
                .bind(sealed)
                .execute(conn)
                .await
                .map(|done| done.rows_affected()))?;
        }
        Ok(ResealProgress { next, resealed })
    }
}
