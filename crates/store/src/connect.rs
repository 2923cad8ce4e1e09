//! Opening connections: what each database needs to be durable and to fail fast.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use crate::error::{Result, StoreError};
use crate::migrations::{self, Migrations};
use crate::tx::{DatabaseKind, Link};

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const STATEMENT_CACHE: usize = 500;
/// Pages of the write-ahead log after which SQLite copies them into the file (16 MiB).
const WAL_CHECKPOINT_PAGES: &str = "4000";

/// Which database to open, and how.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:PATH` or `postgres://user:password@host/database`.
    pub url: String,
    /// The PostgreSQL schema that holds the tables, instead of the user's default.
    pub schema: Option<String>,
    /// How many connections serve reads at the same time.
    pub readers: u32,
    /// How many writers there are on PostgreSQL; SQLite has one.
    pub lanes: usize,
    /// Most jobs that share one commit.
    pub max_group: usize,
    /// How many jobs may wait for a writer before callers are held back.
    pub max_waiting: usize,
    /// What to do with a schema that is older than the program.
    pub migrations: Migrations,
}

impl StoreConfig {
    /// The defaults for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: None,
            readers: 8,
            lanes: 4,
            max_group: 256,
            max_waiting: 4096,
            migrations: Migrations::Run,
        }
    }
}

/// A database with everything needed to connect to it again.
#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

/// Connections for reads.
#[derive(Clone)]
pub(crate) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))?;
    Some(PathBuf::from(path))
}

fn prepare_sqlite_file(path: &Path) -> Result<()> {
    let fault = |what: &str, error: &std::io::Error| {
        StoreError::Config(format!(
            "the database file {}: {what}: {error}",
            path.display()
        ))
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| fault("its folder", &error))?;
    }
    // Made here and not by SQLite, so that only the owner can read it; SQLite gives
    // its log the mode of the database.
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| fault("cannot be written", &error))
}

impl Target {
    pub(crate) fn of(config: &StoreConfig) -> Result<Self> {
        if let Some(path) = sqlite_path(&config.url) {
            if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
                return Err(StoreError::Config(
                    "the database url needs a file: `sqlite:PATH`".to_owned(),
                ));
            }
            prepare_sqlite_file(&path)?;
            return Ok(Self::Sqlite(
                SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(BUSY_TIMEOUT)
                    .pragma("wal_autocheckpoint", WAL_CHECKPOINT_PAGES)
                    .statement_cache_capacity(STATEMENT_CACHE)
                    .disable_statement_logging(),
            ));
        }
        if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
            let mut options = PgConnectOptions::from_str(&config.url)
                .map_err(|_| StoreError::Config("the database url cannot be read".to_owned()))?
                .application_name("wagate")
                .statement_cache_capacity(STATEMENT_CACHE)
                .disable_statement_logging();
            if let Some(schema) = &config.schema {
                options = options.options([("search_path", schema.as_str())]);
            }
            return Ok(Self::Postgres(options));
        }
        Err(StoreError::Config(
            "the database url must begin with `sqlite:` or `postgres://`".to_owned(),
        ))
    }

    pub(crate) const fn kind(&self) -> DatabaseKind {
        match self {
            Self::Sqlite(_) => DatabaseKind::Sqlite,
            Self::Postgres(_) => DatabaseKind::Postgres,
        }
    }

    /// Makes the PostgreSQL schema to work in, where one is named and missing.
    pub(crate) async fn ensure_schema(&self, schema: Option<&str>) -> Result<()> {
        let (Self::Postgres(options), Some(schema)) = (self, schema) else {
            return Ok(());
        };
        let is_name = !schema.is_empty()
            && schema.len() <= 63
            && schema
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_name {
            return Err(StoreError::Config(
                "the schema must be named with at most 63 of a-z, 0-9 and _".to_owned(),
            ));
        }
        let mut conn = options.connect().await?;
        let statement = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
        match sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&mut conn)
            .await
        {
            Ok(_) => {}
            // Two processes that start together both find it missing.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
            Err(error) => return Err(error.into()),
        }
        sqlx::Connection::close(conn).await?;
        Ok(())
    }

    pub(crate) async fn migrate(&self, mode: Migrations) -> Result<()> {
        match self {
            Self::Sqlite(options) => {
                let mut conn = options.connect().await?;
                migrations::apply_sqlite(&mut conn, mode).await?;
                sqlx::Connection::close(conn).await?;
            }
            Self::Postgres(options) => {
                let mut conn = options.connect().await?;
                migrations::apply_postgres(&mut conn, mode).await?;
                sqlx::Connection::close(conn).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn writer(&self) -> Result<Link> {
        Ok(match self {
            Self::Sqlite(options) => Link::SqliteWriter(Box::new(options.connect().await?)),
            Self::Postgres(options) => {
                let options = options.clone().options([
                    // A writer never idles inside a transaction: when it does, its process
                    // hangs or is gone, and its locks must not hold up a takeover.
                    ("idle_in_transaction_session_timeout", "5s"),
                    ("lock_timeout", "10s"),
                ]);
                Link::PostgresWriter(Box::new(options.connect().await?))
            }
        })
    }

    pub(crate) async fn readers(&self, count: u32) -> Result<Readers> {
        Ok(match self {
            Self::Sqlite(options) => Readers::Sqlite(
                PoolOptions::new()
                    .max_connections(count)
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    .test_before_acquire(false)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .connect_with(options.clone().read_only(true).create_if_missing(false))
                    .await?,
            ),
            Self::Postgres(options) => Readers::Postgres(
                PoolOptions::new()
                    .max_connections(count)
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    .connect_with(
                        options
                            .clone()
                            .options([("default_transaction_read_only", "on")]),
                    )
                    .await?,
            ),
        })
    }
}

impl Readers {
    pub(crate) async fn acquire(&self) -> Result<Link> {
        Ok(match self {
            Self::Sqlite(pool) => Link::SqliteReader(pool.acquire().await?),
            Self::Postgres(pool) => Link::PostgresReader(pool.acquire().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
