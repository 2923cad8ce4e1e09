//! Bringing the schema up to date, forward only.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use crate::error::{Result, StoreError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// What opening the store does with a schema that is older than the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrations {
    /// Runs what is missing.
    #[default]
    Run,
    /// Refuses to start.
    Require,
}

fn newest(migrator: &Migrator) -> i64 {
    migrator
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// The schema version that this program brings a database to.
#[must_use]
pub fn known_schema_version() -> i64 {
    newest(&SQLITE).max(newest(&POSTGRES))
}

async fn apply<C: Migrate>(migrator: &Migrator, conn: &mut C, mode: Migrations) -> Result<()> {
    let known = newest(migrator);
    conn.ensure_migrations_table(&migrator.table_name)
        .await
        .map_err(StoreError::Migrate)?;
    let applied = conn
        .list_applied_migrations(&migrator.table_name)
        .await
        .map_err(StoreError::Migrate)?;
    let found = applied
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    if found > known {
        return Err(StoreError::SchemaTooNew { found, known });
    }
    if mode == Migrations::Require && found < known {
        return Err(StoreError::SchemaTooOld { found, known });
    }
    migrator
        .run_direct(None, conn, false)
        .await
        .map_err(|error| match error {
            MigrateError::VersionMissing(found) => StoreError::SchemaTooNew { found, known },
            other => StoreError::Migrate(other),
        })
}

pub(crate) async fn apply_sqlite(
    conn: &mut sqlx::SqliteConnection,
    mode: Migrations,
) -> Result<()> {
    apply(&SQLITE, conn, mode).await
}

pub(crate) async fn apply_postgres(conn: &mut sqlx::PgConnection, mode: Migrations) -> Result<()> {
    apply(&POSTGRES, conn, mode).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_migrations() {
        let list = |migrator: &Migrator| -> Vec<_> {
            migrator
                .iter()
                .map(|m| (m.version, m.description.to_string()))
                .collect()
        };
        assert_eq!(list(&SQLITE), list(&POSTGRES));
        assert!(known_schema_version() >= 1);
    }
}
