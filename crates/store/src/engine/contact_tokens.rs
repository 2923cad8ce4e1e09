//! `engine_contact_token`: trusted contact tokens, each half written by another path.

use wacore::store::error::Result as EngineResult;
use wacore::store::traits::TcTokenEntry;

use super::backend::EngineBackend;
use crate::error::{Result, StoreError};
use crate::tx::on;

pub(crate) const TABLE: &str = "engine_contact_token";

const PUT: &str = "INSERT INTO engine_contact_token \
     (session_id, key, token, token_timestamp, sender_timestamp) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (session_id, key) DO UPDATE SET token = excluded.token, \
     token_timestamp = excluded.token_timestamp, sender_timestamp = excluded.sender_timestamp";

/// An older token never replaces a newer one, and the sending side stays as it is.
const RECEIVE: &str = "INSERT INTO engine_contact_token \
     (session_id, key, token, token_timestamp, sender_timestamp) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (session_id, key) DO UPDATE SET token = excluded.token, \
     token_timestamp = excluded.token_timestamp \
     WHERE engine_contact_token.token IS NULL \
     OR excluded.token_timestamp >= engine_contact_token.token_timestamp";

/// The time only moves forward, and a token stays as it is.
const TOUCH: &str = "INSERT INTO engine_contact_token \
     (session_id, key, token, token_timestamp, sender_timestamp) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (session_id, key) DO UPDATE SET sender_timestamp = excluded.sender_timestamp \
     WHERE engine_contact_token.sender_timestamp IS NULL \
     OR excluded.sender_timestamp > engine_contact_token.sender_timestamp";

/// Both halves are too old or missing.
macro_rules! expired {
    ($verb:literal, $end:literal) => {
        concat!(
            $verb,
            " FROM engine_contact_token WHERE session_id = $1 \
             AND (token IS NULL OR token_timestamp < $2) \
             AND (sender_timestamp IS NULL OR sender_timestamp < $3)",
            $end
        )
    };
}

impl EngineBackend {
    async fn write_token(
        &self,
        text: &'static str,
        jid: &str,
        token: &[u8],
        token_timestamp: i64,
        sender_timestamp: Option<i64>,
    ) -> EngineResult<()> {
        let key = jid.as_bytes().to_vec();
        let token = (!token.is_empty()).then(|| self.seal(TABLE, &[&key], token));
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                on!(tx, |conn| sqlx::query(text)
                    .bind(session)
                    .bind(key)
                    .bind(token)
                    .bind(token_timestamp)
                    .bind(sender_timestamp)
                    .execute(conn)
                    .await
                    .map(drop))?;
                Ok(())
            })
        })
        .await
    }

    pub(crate) async fn put_token(&self, jid: &str, entry: &TcTokenEntry) -> EngineResult<()> {
        let TcTokenEntry {
            token,
            token_timestamp,
            sender_timestamp,
        } = entry;
        self.write_token(PUT, jid, token, *token_timestamp, *sender_timestamp)
            .await
    }

    pub(crate) async fn receive_token(
        &self,
        jid: &str,
        token: &[u8],
        timestamp: i64,
    ) -> EngineResult<()> {
        self.write_token(RECEIVE, jid, token, timestamp, None).await
    }

    pub(crate) async fn touch_token(&self, jid: &str, timestamp: i64) -> EngineResult<()> {
        self.write_token(TOUCH, jid, &[], timestamp, Some(timestamp))
            .await
    }

    pub(crate) async fn token(&self, jid: &str) -> EngineResult<Option<TcTokenEntry>> {
        let mut tx = self.reader().await?;
        let found: Option<(Option<Vec<u8>>, i64, Option<i64>)> = on!(tx, |conn| sqlx::query_as(
            "SELECT token, token_timestamp, sender_timestamp FROM engine_contact_token \
             WHERE session_id = $1 AND key = $2"
        )
        .bind(self.session())
        .bind(jid.as_bytes())
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        let Some((sealed, token_timestamp, sender_timestamp)) = found else {
            return Ok(None);
        };
        let token = match sealed {
            Some(sealed) => self.unseal(TABLE, &[jid.as_bytes()], &sealed)?,
            None => Vec::new(),
        };
        Ok(Some(TcTokenEntry {
            token,
            token_timestamp,
            sender_timestamp,
        }))
    }

    pub(crate) async fn delete_token(&self, jid: &str) -> EngineResult<()> {
        let key = jid.as_bytes().to_vec();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                on!(tx, |conn| sqlx::query(
                    "DELETE FROM engine_contact_token WHERE session_id = $1 AND key = $2"
                )
                .bind(session)
                .bind(key)
                .execute(conn)
                .await
                .map(drop))?;
                Ok(())
            })
        })
        .await
    }

    pub(crate) async fn token_jids(&self) -> EngineResult<Vec<String>> {
        let mut tx = self.reader().await?;
        let keys: Vec<Vec<u8>> = on!(tx, |conn| sqlx::query_scalar(
            "SELECT key FROM engine_contact_token WHERE session_id = $1"
        )
        .bind(self.session())
        .fetch_all(conn)
        .await)
        .map_err(StoreError::from)?;
        keys.into_iter()
            .map(|key| {
                let jid = String::from_utf8(key);
                Ok(jid.map_err(|_| StoreError::Corrupt("JID of a token".to_owned()))?)
            })
            .collect()
    }

    pub(crate) async fn expire_tokens(
        &self,
        token_cutoff: i64,
        sender_cutoff: i64,
    ) -> EngineResult<u32> {
        if !self.has_expired_token(token_cutoff, sender_cutoff).await? {
            return Ok(0);
        }
        let session = self.session();
        let deleted = self
            .write(move |tx| {
                Box::pin(async move {
                    Ok(on!(tx, |conn| sqlx::query(expired!("DELETE", ""))
                        .bind(session)
                        .bind(token_cutoff)
                        .bind(sender_cutoff)
                        .execute(conn)
                        .await
                        .map(|done| done.rows_affected()))?)
                })
            })
            .await?;
        Ok(u32::try_from(deleted).unwrap_or(u32::MAX))
    }

    async fn has_expired_token(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<bool> {
        let mut tx = self.reader().await?;
        let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(expired!(
            "SELECT token_timestamp",
            " LIMIT 1"
        ))
        .bind(self.session())
        .bind(token_cutoff)
        .bind(sender_cutoff)
        .fetch_optional(conn)
        .await)?;
        Ok(found.is_some())
    }
}
