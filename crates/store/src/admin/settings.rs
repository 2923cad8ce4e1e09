//! Small facts of the installation, as JSON by name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Admin;
use crate::error::Result;
use crate::tx::on;

impl Admin<'_> {
    /// The value of a setting.
    pub async fn setting<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let value: Option<String> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT value FROM setting WHERE name = $1"
        )
        .bind(name)
        .fetch_optional(conn)
        .await)?;
        Ok(value.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Sets or replaces a setting.
    pub async fn put_setting<T: Serialize + Sync>(
        &mut self,
        name: &str,
        value: &T,
        now_ms: i64,
    ) -> Result<()> {
        let value = serde_json::to_string(value)?;
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO setting (name, value, updated_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE \
             SET value = excluded.value, updated_at = excluded.updated_at"
        )
        .bind(name)
        .bind(value)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
