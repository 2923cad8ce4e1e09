//! What can go wrong in the store.

use crate::seal::SealError;

/// A failure of the store; the texts hold neither SQL nor values.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or the connection was lost.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The transaction that held the job could not be committed; it may or may not be stored.
    #[error("the transaction was not committed: {0}")]
    NotCommitted(String),
    /// The database ended the job to resolve a conflict with another one.
    #[error("the database asks for the transaction to be repeated")]
    Conflicted(#[source] sqlx::Error),
    /// The session belongs to another gateway or epoch by now.
    #[error("the lease of the session was taken over")]
    Fenced,
    /// A row with the same unique key exists.
    #[error("a row with the same key exists")]
    Duplicate(#[source] sqlx::Error),
    /// The organization does not exist, or it has ended.
    #[error("there is no such organization")]
    NoOrganization,
    /// A row that this one refers to does not exist.
    #[error("a row that is referred to does not exist")]
    Orphan(#[source] sqlx::Error),
    /// A sealed value cannot be opened, or a value cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A stored value does not have the expected form.
    #[error("a stored value is not valid: {0}")]
    Corrupt(String),
    /// The database was migrated by a newer version of the program.
    #[error(
        "the database has schema version {found}, and this program knows up to {known}: \
         start a newer version of the program"
    )]
    SchemaTooNew {
        /// The newest version in the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The database lacks migrations, and running them was not asked for.
    #[error("the database has schema version {found}, and {known} is needed: run `wagate migrate`")]
    SchemaTooOld {
        /// The newest version in the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Migrating the database failed.
    #[error("migrating the database failed")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The configuration of the store is wrong.
    #[error("{0}")]
    Config(String),
    /// A job panicked; what it wrote was rolled back.
    #[error("a database job panicked")]
    JobPanicked,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// Any other failure of the database.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same job may succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::NotCommitted(_) | Self::Conflicted(_)
        )
    }
}

const SQLSTATE_LEN: usize = 5;

// SQLSTATE classes: PostgreSQL manual, appendix A. SQLite result codes: sqlite.org/rescode.html.
fn asks_for_repetition(code: &str) -> bool {
    matches!(
        code,
        "40001" | "40P01" | "55P03" | "5" | "6" | "261" | "262" | "517" | "773"
    )
}

/// Whether nothing is wrong with the job: the database is away, its disk is full or fails.
fn says_unavailable(code: &str) -> bool {
    if code.len() == SQLSTATE_LEN {
        return ["08", "53", "57P", "58"]
            .iter()
            .any(|class| code.starts_with(class))
            || code == "25P03";
    }
    // Extended codes have the kind in the low byte: no memory, input or output,
    // full, cannot open.
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 7 | 10 | 13 | 14))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::ColumnDecode { index, .. } => Self::Corrupt(format!("column {index}")),
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                if asks_for_repetition(&code) {
                    Self::Conflicted(error)
                } else if says_unavailable(&code) {
                    Self::Unavailable(format!("code {code}"))
                } else {
                    match database.kind() {
                        ErrorKind::UniqueViolation => Self::Duplicate(error),
                        ErrorKind::ForeignKeyViolation => Self::Orphan(error),
                        _ => Self::Database(error),
                    }
                }
            }
            _ => Self::Database(error),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        // The message names the position and kind of the fault only.
        Self::Corrupt(format!(
            "json, line {} column {}",
            error.line(),
            error.column()
        ))
    }
}

/// The result of a store function.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_failing_disk_is_an_outage_and_not_the_jobs_fault() {
        for code in ["13", "10", "778", "14", "53100", "58030", "08006", "57P01"] {
            assert!(says_unavailable(code), "{code}");
        }
        for code in ["1", "19", "787", "2067", "23505", "42P01", "22021"] {
            assert!(!says_unavailable(code), "{code}");
        }
    }
}
