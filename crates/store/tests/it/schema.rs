use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use wagate_store::testing;
use wagate_store::{
    DatabaseKind, IgnoreCommits, Migrations, Store, StoreConfig, StoreError, known_schema_version,
};

/// Tables that belong to the migrations, to SQLite itself, and to its index of texts.
const FOREIGN: [&str; 7] = [
    "_sqlx_migrations",
    "sqlite_sequence",
    "message_text",
    "message_text_config",
    "message_text_data",
    "message_text_docsize",
    "message_text_idx",
];

/// PostgreSQL's index of texts: what its `message` has beside SQLite's.
const WORDS: (&str, &str) = ("words", "message_words");

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// Name, type and whether NULL is refused.
    columns: BTreeSet<(String, &'static str, bool)>,
    primary_key: Vec<String>,
    /// By name: columns, whether it is unique, whether it is partial.
    indexes: BTreeMap<String, (Vec<String>, bool, bool)>,
}

type Schema = BTreeMap<String, Table>;

fn kind(name: &str) -> &'static str {
    match name {
        "INTEGER" | "bigint" | "smallint" | "integer" | "boolean" => "integer",
        "TEXT" | "text" => "text",
        "BLOB" | "bytea" => "bytes",
        "REAL" | "double precision" => "real",
        other => panic!("a column type that the databases do not share: {other}"),
    }
}

async fn sqlite_schema(conn: &mut SqliteConnection) -> Schema {
    let mut schema = Schema::new();
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    for name in names.into_iter().filter(|name| !FOREIGN.contains(&&**name)) {
        let mut table = Table::default();
        let columns = sqlx::query("SELECT name, type, \"notnull\", pk FROM pragma_table_info($1)")
            .bind(&name)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let mut key = BTreeMap::new();
        for column in columns {
            let place: i64 = column.get("pk");
            let is_required = column.get::<i64, _>("notnull") != 0 || place > 0;
            let column_name: String = column.get("name");
            if place > 0 {
                key.insert(place, column_name.clone());
            }
            table
                .columns
                .insert((column_name, kind(column.get("type")), is_required));
        }
        table.primary_key = key.into_values().collect();
        let indexes = sqlx::query(
            "SELECT name, \"unique\" AS is_unique, partial FROM pragma_index_list($1) \
             WHERE origin = 'c'",
        )
        .bind(&name)
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        for index in indexes {
            let index_name: String = index.get("name");
            let columns =
                sqlx::query_scalar("SELECT name FROM pragma_index_info($1) ORDER BY seqno")
                    .bind(&index_name)
                    .fetch_all(&mut *conn)
                    .await
                    .unwrap();
            let is_unique = index.get::<i64, _>("is_unique") != 0;
            let is_partial = index.get::<i64, _>("partial") != 0;
            table
                .indexes
                .insert(index_name, (columns, is_unique, is_partial));
        }
        schema.insert(name, table);
    }
    schema
}

async fn postgres_schema(conn: &mut PgConnection) -> Schema {
    let mut schema = Schema::new();
    let columns = sqlx::query(
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT), \
         is_nullable = 'NO' FROM information_schema.columns WHERE table_schema = current_schema()",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    for column in columns {
        let (table, name): (String, &str) = (column.get(0), column.get(1));
        if !FOREIGN.contains(&&*table) && name != WORDS.0 {
            let entry = schema.entry(table).or_default();
            entry
                .columns
                .insert((column.get(1), kind(column.get(2)), column.get(3)));
        }
    }
    let indexes = sqlx::query(
        "SELECT CAST(t.relname AS TEXT), CAST(c.relname AS TEXT), i.indisunique, i.indisprimary, \
         i.indpred IS NOT NULL, \
         ARRAY(SELECT CAST(a.attname AS TEXT) FROM unnest(i.indkey) WITH ORDINALITY AS k (n, o) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.n ORDER BY k.o) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
         WHERE n.nspname = current_schema()",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    for index in indexes {
        let table: String = index.get(0);
        let Some(entry) = schema.get_mut(&table) else {
            continue;
        };
        if index.get::<&str, _>(1) == WORDS.1 {
            continue;
        }
        if index.get(3) {
            entry.primary_key = index.get(5);
        } else {
            entry
                .indexes
                .insert(index.get(1), (index.get(5), index.get(2), index.get(4)));
        }
    }
    schema
}

async fn open(config: StoreConfig) -> Result<Store, StoreError> {
    let clock = Arc::new(wagate_model::ManualClock::at(1));
    Store::open(config, clock, testing::keys(), Arc::new(IgnoreCommits)).await
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wagate.db");
    Store::migrate(&StoreConfig::new(format!("sqlite:{}", path.display())))
        .await
        .unwrap();
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    let sqlite = sqlite_schema(&mut conn).await;
    assert!(sqlite.len() > 20);
    let loose: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND NOT strict AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations' \
         AND name NOT LIKE 'message_text_%'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(loose.is_empty(), "not STRICT: {loose:?}");
    let store = testing::store().await;
    if let (DatabaseKind::Postgres, Some(schema)) = (store.database(), &store.config().schema) {
        let mut conn = PgConnection::connect(&store.config().url).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("SET search_path = {schema}")))
            .execute(&mut conn)
            .await
            .unwrap();
        let postgres = postgres_schema(&mut conn).await;
        let names = |schema: &Schema| schema.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&sqlite), names(&postgres));
        for (name, table) in &sqlite {
            assert_eq!(table, &postgres[name], "table {name}");
        }
    }
}

async fn pretend_newer(store: &testing::TestStore, version: i64) {
    let text = "INSERT INTO _sqlx_migrations \
                (version, description, success, checksum, execution_time) \
                VALUES ($1, 'later', TRUE, $2, 0)";
    match store.config().schema.as_deref() {
        None => {
            let mut conn = SqliteConnection::connect(&store.config().url)
                .await
                .unwrap();
            let query = sqlx::query(text).bind(version).bind(vec![0_u8]);
            query.execute(&mut conn).await.unwrap();
        }
        Some(schema) => {
            let mut conn = PgConnection::connect(&store.config().url).await.unwrap();
            sqlx::query(AssertSqlSafe(format!("SET search_path = {schema}")))
                .execute(&mut conn)
                .await
                .unwrap();
            let query = sqlx::query(text).bind(version).bind(vec![0_u8]);
            query.execute(&mut conn).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let store = testing::store().await;
    pretend_newer(&store, known_schema_version() + 1).await;
    let refused = store.second().await.unwrap_err();
    let (found, known) = (known_schema_version() + 1, known_schema_version());
    assert!(
        matches!(refused, StoreError::SchemaTooNew { found: f, known: k } if (f, k) == (found, known)),
        "{refused}"
    );
}

#[tokio::test]
async fn an_older_schema_is_refused_where_migrations_are_left_to_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/wagate.db");
    let mut config = StoreConfig::new(format!("sqlite:{}", path.display()));
    config.migrations = Migrations::Require;
    let refused = open(config.clone()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::SchemaTooOld { found: 0, .. }),
        "{refused}"
    );
    Store::migrate(&config).await.unwrap();
    open(config).await.unwrap().close().await;
}

#[tokio::test]
async fn wrong_urls_are_told_apart() {
    for url in ["mysql://x", "sqlite:", "sqlite::memory:", "postgres://[bad"] {
        let refused = open(StoreConfig::new(url)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Config(_)), "{url}: {refused}");
    }
}

#[tokio::test]
async fn only_the_owner_can_read_the_database_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wagate.db");
    open(StoreConfig::new(format!("sqlite:{}", path.display())))
        .await
        .unwrap()
        .close()
        .await;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
