//! A connection to either database, and the two macros that speak to it.
//!
//! Each query is one SQL text with `$n` parameters, run by `on!` on whichever
//! database is open; where the dialects truly differ, `sql!` names both texts.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection};
use wagate_model::OrganizationId;

use crate::deferred::{Deferred, Mark};
use crate::error::Result;
use crate::events::{PendingEvent, Subscriptions};
use crate::leases::Confirmed;
use crate::seal::MasterKeys;

/// Runs one body on the connection of whichever database is open.
///
/// The body is checked by the compiler once per database. It must not return
/// early with `?` where the two error types would differ in the caller.
macro_rules! on {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match $tx.conn() {
            $crate::tx::Conn::Sqlite($conn) => $body,
            $crate::tx::Conn::Postgres($conn) => $body,
        }
    };
}

/// Chooses between the texts of a query whose dialects differ.
macro_rules! sql {
    ($tx:expr, sqlite: $sqlite:expr, postgres: $postgres:expr $(,)?) => {
        match $tx.database() {
            $crate::tx::DatabaseKind::Sqlite => $sqlite,
            $crate::tx::DatabaseKind::Postgres => $postgres,
        }
    };
}

pub(crate) use {on, sql};

/// The milliseconds since 1970 by the database's clock, as an SQL expression.
macro_rules! db_now {
    (sqlite) => {
        "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"
    };
    (postgres) => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

pub(crate) use db_now;

/// Which database is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// SQLite, in the process.
    Sqlite,
    /// PostgreSQL, over the network.
    Postgres,
}

impl DatabaseKind {
    /// The name for logs and status pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The connection behind a [`Tx`], as `on!` sees it.
pub(crate) enum Conn<'t> {
    Sqlite(&'t mut SqliteConnection),
    Postgres(&'t mut PgConnection),
}

/// Whose connection it is: the writer's own, or one that a reader took from the pool.
pub(crate) enum Link {
    SqliteWriter(Box<SqliteConnection>),
    SqliteReader(PoolConnection<Sqlite>),
    PostgresWriter(Box<PgConnection>),
    PostgresReader(PoolConnection<Postgres>),
}

/// One unit of work on the database: a write transaction, or a read.
///
/// Every function on data hangs here. In a write job, what is written becomes
/// visible and durable when the writer commits the group that the job is in; in
/// a read, each statement sees what was committed when it began.
pub struct Tx {
    link: Link,
    keys: Arc<MasterKeys>,
    pub(crate) pending_events: Vec<PendingEvent>,
    pub(crate) deferred: Deferred,
    /// Fences that hold until this transaction ends.
    pub(crate) confirmed: Confirmed,
    /// Whose webhooks the group changed.
    pub(crate) changed_webhooks: BTreeSet<OrganizationId>,
    pub(crate) subscriptions: Subscriptions,
}

/// What a job has left in memory, to undo it together with what it wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobMark {
    events: usize,
    deferred: Mark,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("database", &self.database())
            .field("pending_events", &self.pending_events.len())
            .finish_non_exhaustive()
    }
}

impl Tx {
    pub(crate) fn new(link: Link, keys: Arc<MasterKeys>) -> Self {
        Self {
            link,
            keys,
            pending_events: Vec::new(),
            deferred: Deferred::default(),
            confirmed: Confirmed::default(),
            changed_webhooks: BTreeSet::new(),
            subscriptions: Subscriptions::default(),
        }
    }

    /// Forgets everything that belongs to a transaction that has ended.
    pub(crate) fn reset(&mut self) {
        self.pending_events.clear();
        self.changed_webhooks.clear();
        self.deferred = Deferred::default();
        self.confirmed.clear();
    }

    pub(crate) fn mark(&self) -> JobMark {
        JobMark {
            events: self.pending_events.len(),
            deferred: self.deferred.mark(),
        }
    }

    pub(crate) fn undo(&mut self, mark: JobMark) {
        self.pending_events.truncate(mark.events);
        self.deferred.undo(mark.deferred);
    }

    pub(crate) fn into_link(self) -> Link {
        self.link
    }

    pub(crate) fn conn(&mut self) -> Conn<'_> {
        match &mut self.link {
            Link::SqliteWriter(conn) => Conn::Sqlite(conn),
            Link::SqliteReader(conn) => Conn::Sqlite(conn),
            Link::PostgresWriter(conn) => Conn::Postgres(conn),
            Link::PostgresReader(conn) => Conn::Postgres(conn),
        }
    }

    /// Which database this is.
    #[must_use]
    pub const fn database(&self) -> DatabaseKind {
        match self.link {
            Link::SqliteWriter(_) | Link::SqliteReader(_) => DatabaseKind::Sqlite,
            Link::PostgresWriter(_) | Link::PostgresReader(_) => DatabaseKind::Postgres,
        }
    }

    /// The master keys, for values that are sealed or opened outside of a row function.
    #[must_use]
    pub const fn keys(&self) -> &Arc<MasterKeys> {
        &self.keys
    }

    /// Encrypts a value for one row of one table.
    #[must_use]
    pub fn seal(&self, table: &str, row: &[u8], plain: &[u8]) -> Vec<u8> {
        self.keys.seal(table, row, plain)
    }

    /// Decrypts a value of one row of one table.
    pub fn unseal(&self, table: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        Ok(self.keys.open(table, row, sealed)?)
    }

    /// Runs statements that take no parameters, one round trip for all of them.
    pub(crate) async fn run(&mut self, statements: &'static str) -> Result<()> {
        on!(self, |conn| sqlx::Executor::execute(
            conn,
            sqlx::raw_sql(statements)
        )
        .await
        .map(drop))?;
        Ok(())
    }

    /// The database's own time, in milliseconds since 1970.
    pub async fn database_now_ms(&mut self) -> Result<i64> {
        let text = sql!(
            self,
            sqlite: concat!("SELECT ", db_now!(sqlite)),
            postgres: concat!("SELECT ", db_now!(postgres)),
        );
        Ok(on!(self, |conn| sqlx::query_scalar(text)
            .fetch_one(conn)
            .await)?)
    }
}
