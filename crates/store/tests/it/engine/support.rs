//! A session with a lease, its engine's storage, and a look at the bare tables.

use std::sync::Arc;

use sqlx::Connection as _;
use wagate_model::{OrganizationId, SessionId, SystemClock};
use wagate_store::testing::{self, TestStore};
use wagate_store::{EngineBackend, Fence, IgnoreCommits, MASTER_KEY_LEN, MasterKeys, Store};

/// A connection besides the store's, to look.
enum Bare {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

macro_rules! bare {
    ($bare:expr, |$conn:ident| $body:expr) => {
        match $bare {
            Bare::Sqlite($conn) => $body,
            Bare::Postgres($conn) => $body,
        }
    };
}

/// A database with one session, claimed once.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) organization: OrganizationId,
    pub(crate) session: SessionId,
    fence: Fence,
    /// Last, so that the database goes after its connections.
    test: TestStore,
}

/// A master key by its first byte; 7 is the one that the store is made with.
pub(crate) fn keys(byte: u8) -> MasterKeys {
    MasterKeys::new([byte; MASTER_KEY_LEN].into(), Vec::new())
}

/// A new master key beside an older one.
pub(crate) fn keys_after(byte: u8, older: u8) -> MasterKeys {
    MasterKeys::new(
        [byte; MASTER_KEY_LEN].into(),
        vec![[older; MASTER_KEY_LEN].into()],
    )
}

impl World {
    pub(crate) async fn new() -> Self {
        let test = testing::store().await;
        let organization = test.organization().await;
        let session = test.session(organization).await;
        let fence = test.claim(session).await;
        Self {
            store: test.handle(),
            organization,
            session,
            fence,
            test,
        }
    }

    /// A new session of the same organization, and its storage.
    pub(crate) async fn another(&self) -> (SessionId, EngineBackend) {
        let session = self.test.session(self.organization).await;
        let fence = self.test.claim(session).await;
        (session, self.backend_with(fence).await)
    }

    /// Moves the session's lease on, as the next claim does; the fence of the new epoch.
    pub(crate) async fn take_over(&self) -> Fence {
        self.test.claim(self.session).await
    }

    pub(crate) async fn backend_with(&self, fence: Fence) -> EngineBackend {
        EngineBackend::open(self.store.clone(), self.organization, fence)
            .await
            .expect("a backend")
    }

    /// The storage of the session as it was first claimed.
    pub(crate) async fn backend(&self) -> EngineBackend {
        self.backend_with(self.fence.clone()).await
    }

    /// Opens the same database once more, without closing it first.
    pub(crate) async fn reopen(&mut self, keys: MasterKeys) {
        let config = self.test.config().clone();
        self.store = Store::open(config, Arc::new(SystemClock), keys, Arc::new(IgnoreCommits))
            .await
            .expect("the store opens");
    }

    async fn bare(&self) -> Bare {
        let config = self.test.config();
        match &config.schema {
            None => {
                let conn = sqlx::SqliteConnection::connect(&config.url).await;
                Bare::Sqlite(conn.expect("a connection"))
            }
            Some(schema) => {
                let options: sqlx::postgres::PgConnectOptions = config.url.parse().expect("a url");
                let options = options.options([("search_path", schema.as_str())]);
                let conn = sqlx::PgConnection::connect_with(&options).await;
                Bare::Postgres(conn.expect("a connection"))
            }
        }
    }

    /// Every value of a column of bytes, for all sessions.
    pub(crate) async fn column(&self, text: &'static str) -> Vec<Vec<u8>> {
        let mut bare = self.bare().await;
        bare!(&mut bare, |conn| sqlx::query_scalar(text)
            .fetch_all(conn)
            .await)
        .expect("a column")
    }

    /// Runs a statement on the bare tables.
    pub(crate) async fn execute(&self, text: &'static str) -> u64 {
        let mut bare = self.bare().await;
        bare!(&mut bare, |conn| sqlx::query(text)
            .execute(conn)
            .await
            .map(|d| d.rows_affected()))
        .expect("the statement runs")
    }

    /// How many rows the engine's tables hold of a session.
    pub(crate) async fn row_count(&self, session: SessionId) -> i64 {
        let mut bare = self.bare().await;
        let mut rows = 0;
        for text in [
            "SELECT COUNT(*) FROM engine_record WHERE session_id = $1",
            "SELECT COUNT(*) FROM engine_sender_key_device WHERE session_id = $1",
            "SELECT COUNT(*) FROM engine_lid_mapping WHERE session_id = $1",
            "SELECT COUNT(*) FROM engine_contact_token WHERE session_id = $1",
            "SELECT COUNT(*) FROM engine_message_secret WHERE session_id = $1",
            "SELECT COUNT(*) FROM engine_sent_message WHERE session_id = $1",
        ] {
            let count: i64 = bare!(&mut bare, |conn| sqlx::query_scalar(text)
                .bind(session.to_string())
                .fetch_one(conn)
                .await)
            .expect("a count");
            rows += count;
        }
        rows
    }
}
