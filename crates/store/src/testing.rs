//! A fresh, migrated store for tests, on SQLite or on the PostgreSQL of `TEST_DATABASE_URL`.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _};
use tokio::sync::watch;
use wagate_model::{ChatType, Clock, Direction, ManualClock, OrganizationId, SessionId};

use crate::chats::ChatFacts;
use crate::connect::StoreConfig;
use crate::error::{Result, StoreError};
use crate::events::{CommitListener, CommittedEvent};
use crate::leases::Fence;
use crate::messages::NewMessage;
use crate::seal::{MASTER_KEY_LEN, MasterKeys};
use crate::sessions::NewSession;
use crate::store::{Lane, Store};
use crate::tx::{DatabaseKind, Tx, on, sql};

/// When the clock of a test store starts: 2026-01-01T00:00:00Z.
pub const START_MS: i64 = 1_767_225_600_000;

/// Nothing that a test waits for takes longer than this, not even on a busy machine.
pub const WAIT: Duration = Duration::from_mins(1);

/// Keeps what was committed, for tests to look at and to wait for.
#[derive(Debug, Default)]
pub struct RecordedCommits {
    events: Mutex<Vec<Vec<CommittedEvent>>>,
    count: watch::Sender<u64>,
}

impl RecordedCommits {
    fn events(&self) -> MutexGuard<'_, Vec<Vec<CommittedEvent>>> {
        self.events
            .lock()
            .expect("no test panics while it holds the list")
    }

    /// Takes the commits with events that were heard of so far.
    pub fn take(&self) -> Vec<Vec<CommittedEvent>> {
        std::mem::take(&mut *self.events())
    }

    /// Waits until a look gives something: looks now, and after each commit.
    ///
    /// # Panics
    ///
    /// When nothing has come of it in [`WAIT`].
    pub async fn until<T, F>(&self, what: &str, mut look: impl FnMut() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        let mut commits = self.count.subscribe();
        let found = tokio::time::timeout(WAIT, async {
            loop {
                // What is committed during the look has it looked again.
                commits.mark_unchanged();
                if let Some(found) = look().await {
                    return found;
                }
                let heard = commits.changed().await;
                heard.expect("the sender is in here");
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }
}

impl CommitListener for RecordedCommits {
    fn committed(&self, events: Vec<CommittedEvent>) {
        if !events.is_empty() {
            self.events().push(events);
        }
        self.count.send_modify(|count| *count += 1);
    }
}

enum Place {
    Folder { _folder: tempfile::TempDir },
    Schema { url: String, name: String },
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self::Schema { url, name } = self else {
            return;
        };
        let (url, name) = (url.clone(), name.clone());
        // A runtime of its own: the test's may be the one that is ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.map(|runtime| {
                runtime.block_on(async {
                    let mut conn = sqlx::PgConnection::connect(&url).await?;
                    let text = format!("DROP SCHEMA IF EXISTS {name} CASCADE");
                    sqlx::query(AssertSqlSafe(text)).execute(&mut conn).await?;
                    conn.close().await
                })
            })
        });
        if !matches!(dropping.join(), Ok(Ok(Ok(())))) {
            tracing::warn!("the schema of a test was not dropped");
        }
    }
}

/// A store of its own for one test; it goes with its data when dropped.
pub struct TestStore {
    store: Store,
    /// The store's clock.
    pub clock: Arc<ManualClock>,
    /// What was committed.
    pub commits: Arc<RecordedCommits>,
    config: StoreConfig,
    // After the store, so that its connections are on their way out.
    _place: Place,
}

impl std::fmt::Debug for TestStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestStore")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// The master keys of test stores: the same in every store on one database.
#[must_use]
pub fn keys() -> MasterKeys {
    MasterKeys::new([7; MASTER_KEY_LEN].into(), Vec::new())
}

/// A fresh id part: random, so that tests on one database never meet.
fn random() -> u128 {
    rand::random::<u128>() >> 48
}

/// Opens a fresh, migrated store.
///
/// # Panics
///
/// When the database cannot be opened.
pub async fn store() -> TestStore {
    store_with(|_| {}).await
}

/// Opens a fresh, migrated store with a changed configuration.
///
/// # Panics
///
/// When the database cannot be opened.
pub async fn store_with(change: impl FnOnce(&mut StoreConfig)) -> TestStore {
    let (mut config, place) = match std::env::var("TEST_DATABASE_URL") {
        Ok(url) if !url.is_empty() => {
            let name = format!("wagate_test_{:016x}", rand::random::<u64>());
            let mut conn = sqlx::PgConnection::connect(&url)
                .await
                .expect("the test database answers");
            sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {name}")))
                .execute(&mut conn)
                .await
                .expect("the test database takes schemas");
            conn.close().await.expect("the test database answers");
            let mut config = StoreConfig::new(url.clone());
            config.schema = Some(name.clone());
            config.readers = 2;
            config.lanes = 2;
            (config, Place::Schema { url, name })
        }
        _ => {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let path = folder.path().join("wagate.db");
            let mut config = StoreConfig::new(format!("sqlite:{}", path.display()));
            config.readers = 2;
            (config, Place::Folder { _folder: folder })
        }
    };
    change(&mut config);
    let clock = Arc::new(ManualClock::at(START_MS));
    let commits = Arc::new(RecordedCommits::default());
    let store = Store::open(config.clone(), clock.clone(), keys(), commits.clone())
        .await
        .expect("a fresh store opens");
    TestStore {
        store,
        clock,
        commits,
        config,
        _place: place,
    }
}

/// Ends a transaction from outside, as an operator, a failover or a full disk does.
pub async fn lose_transaction(tx: &mut Tx) {
    let end = sql!(
        tx,
        sqlite: "ROLLBACK",
        postgres: "SELECT pg_terminate_backend(pg_backend_pid())",
    );
    // PostgreSQL ends the connection before it answers.
    let _ = tx.run(end).await;
}

/// A chat with a person, of whom no more is known than the address.
#[must_use]
pub fn person_chat(jid: impl Into<String>) -> ChatFacts {
    ChatFacts {
        jid: jid.into(),
        alias_jid: None,
        kind: ChatType::Dm,
        name: None,
    }
}

/// A text that came in and was read, without anything else that a message may have.
#[must_use]
pub fn text_message(chat_id: i64, wa_message_id: impl Into<String>) -> NewMessage {
    NewMessage {
        chat_id,
        wa_message_id: wa_message_id.into(),
        sender_key: String::new(),
        direction: Direction::In,
        is_from_me: false,
        kind: "text".to_owned(),
        body: None,
        sender_jid: None,
        sender_lid: None,
        timestamp_ms: 1,
        status: None,
        quoted_message_id: None,
        mentions: Vec::new(),
        media: None,
        content: None,
        details: None,
        expires_at_ms: None,
        is_unread: false,
    }
}

impl TestStore {
    /// The store itself, to hand to what is tested.
    #[must_use]
    pub fn handle(&self) -> Store {
        self.store.clone()
    }

    /// How to open the same database once more.
    #[must_use]
    pub const fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// Opens the same database once more, as another process would.
    pub async fn second(&self) -> Result<Store> {
        Store::open(
            self.config.clone(),
            self.clock.clone(),
            keys(),
            self.commits.clone(),
        )
        .await
    }

    /// Runs a statement on a connection of its own, past the store, as an operator could.
    ///
    /// # Panics
    ///
    /// When the database refuses it.
    pub async fn execute(&self, text: &'static str) {
        let done = match &self.config.schema {
            None => {
                let mut conn = sqlx::SqliteConnection::connect(&self.config.url)
                    .await
                    .expect("the test database answers");
                sqlx::query(text).execute(&mut conn).await.map(drop)
            }
            Some(schema) => {
                let mut conn = sqlx::PgConnection::connect(&self.config.url)
                    .await
                    .expect("the test database answers");
                let path = format!("SET search_path = {schema}");
                sqlx::query(AssertSqlSafe(path))
                    .execute(&mut conn)
                    .await
                    .expect("the schema of the test is there");
                sqlx::query(text).execute(&mut conn).await.map(drop)
            }
        };
        done.expect("the test database takes the statement");
    }

    /// Adds an organization.
    ///
    /// # Panics
    ///
    /// When the store fails.
    pub async fn organization(&self) -> OrganizationId {
        let now_ms = self.clock.now_ms();
        let id = OrganizationId::from_parts(u64::try_from(now_ms).unwrap_or(0), random());
        self.store
            .write(Lane::SHARED, move |tx| {
                Box::pin(async move { tx.insert_organization(id, "Test", now_ms).await })
            })
            .await
            .expect("an organization can be added");
        id
    }

    /// Adds a session that should run, placed on gateway `gw-1`.
    ///
    /// # Panics
    ///
    /// When the store fails.
    pub async fn session(&self, organization: OrganizationId) -> SessionId {
        let now_ms = self.clock.now_ms();
        let id = SessionId::from_parts(u64::try_from(now_ms).unwrap_or(0), random());
        let new = NewSession {
            id,
            label: None,
            is_wanted_running: true,
            gateway_id: "gw-1".parse().expect("a gateway's name"),
            auto_read: true,
            presence_typing: false,
            is_admin_session: false,
            rate_per_min: 20,
            rate_per_hour: 200,
            created_by_user_id: None,
        };
        self.store
            .write(organization, move |tx| {
                Box::pin(async move { tx.insert_session(organization, &new, now_ms).await })
            })
            .await
            .expect("a session can be added");
        id
    }

    /// Has the database refuse new rows of a table, until it is to take them again.
    ///
    /// # Panics
    ///
    /// When the store fails.
    pub async fn refuse_rows(&self, table: &'static str, is_refused: bool) {
        let change = self.store.write(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let text = match (tx.database(), is_refused) {
                    (DatabaseKind::Sqlite, true) => format!(
                        "CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} \
                         BEGIN SELECT RAISE(ABORT, 'refused'); END"
                    ),
                    (DatabaseKind::Sqlite, false) => format!("DROP TRIGGER refuse_{table}"),
                    (DatabaseKind::Postgres, true) => format!(
                        "CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS \
                         $$ BEGIN RAISE EXCEPTION 'refused'; END $$; \
                         CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} \
                         EXECUTE FUNCTION refuse_{table}()"
                    ),
                    (DatabaseKind::Postgres, false) => {
                        format!("DROP FUNCTION refuse_{table} CASCADE")
                    }
                };
                on!(tx, |conn| sqlx::Executor::execute(
                    conn,
                    sqlx::raw_sql(AssertSqlSafe(text))
                )
                .await
                .map(drop))?;
                Ok::<_, StoreError>(())
            })
        });
        change.await.expect("a trigger can be changed");
    }

    /// Claims a session for gateway `gw-1` for an hour.
    ///
    /// # Panics
    ///
    /// When the store fails, or another gateway owns the session.
    pub async fn claim(&self, session: SessionId) -> Fence {
        self.store
            .write(Lane::SHARED, move |tx| {
                Box::pin(async move {
                    let gateway = "gw-1".parse().expect("a gateway's name");
                    tx.admin().claim_lease(session, &gateway, 3_600_000).await
                })
            })
            .await
            .expect("a lease can be claimed")
            .expect("nobody else owns the session")
    }
}
