//! The keys that login tokens are signed with.

use sqlx::FromRow;
use wagate_model::{TokenKeyId, hide_contents};

use super::Admin;
use crate::error::Result;
use crate::text::Text;
use crate::tx::on;

/// The table's part of the associated data of sealed private keys.
pub(crate) const SEALED_AS: &str = "token_key";

/// A key pair for login tokens (Ed25519).
pub struct TokenKey {
    /// The id, which tokens name as `kid`.
    pub id: TokenKeyId,
    /// The private key, as PKCS#8 in DER.
    pub private_key: Vec<u8>,
    /// The public key: 32 bytes.
    pub public_key: Vec<u8>,
    /// Since when it signs, in milliseconds since 1970.
    pub created_at: i64,
    /// Since when another one signs, in milliseconds since 1970.
    pub retired_at: Option<i64>,
}

hide_contents!(TokenKey { id, retired_at });

#[derive(FromRow)]
struct TokenKeyRow {
    id: Text<TokenKeyId>,
    private_key: Vec<u8>,
    public_key: Vec<u8>,
    created_at: i64,
    retired_at: Option<i64>,
}

impl Admin<'_> {
    /// The keys, oldest first; retired ones too.
    pub async fn token_keys(&mut self) -> Result<Vec<TokenKey>> {
        let rows: Vec<TokenKeyRow> = on!(self.tx, |conn| {
            sqlx::query_as(
            "SELECT id, private_key, public_key, created_at, retired_at FROM token_key ORDER BY id"
        )
        .fetch_all(conn)
        .await
        })?;
        rows.into_iter()
            .map(|row| {
                let row_key = row.id.0.to_string();
                Ok(TokenKey {
                    id: row.id.0,
                    private_key: self
                        .tx
                        .unseal(SEALED_AS, row_key.as_bytes(), &row.private_key)?,
                    public_key: row.public_key,
                    created_at: row.created_at,
                    retired_at: row.retired_at,
                })
            })
            .collect()
    }

    /// Adds a key and retires all others.
    pub async fn rotate_token_keys(&mut self, key: &TokenKey) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE token_key SET retired_at = $1 WHERE retired_at IS NULL"
        )
        .bind(key.created_at)
        .execute(conn)
        .await
        .map(drop))?;
        let sealed = self
            .tx
            .seal(SEALED_AS, key.id.to_string().as_bytes(), &key.private_key);
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO token_key (id, private_key, public_key, created_at, retired_at) \
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(Text(key.id))
        .bind(sealed)
        .bind(key.public_key.as_slice())
        .bind(key.created_at)
        .bind(key.retired_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Deletes keys that were retired before a time; gives how many.
    pub async fn purge_token_keys(&mut self, before_ms: i64) -> Result<u64> {
        Ok(on!(self.tx, |conn| sqlx::query(
            "DELETE FROM token_key WHERE retired_at < $1"
        )
        .bind(before_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
    }
}
