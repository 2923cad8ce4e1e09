//! The database of a test: a fresh SQLite file, or a fresh PostgreSQL schema.

use std::ffi::OsString;
use std::path::Path;

/// Where a test's service keeps its data; the same again for a restarted service.
#[derive(Debug, Clone)]
pub struct TestDatabase(Option<Postgres>);

#[derive(Debug, Clone)]
struct Postgres {
    url: String,
    schema: String,
}

impl TestDatabase {
    /// SQLite in the service's data folder, unless `TEST_DATABASE_URL` names a
    /// PostgreSQL server: then a schema of its own there.
    #[must_use]
    pub fn fresh() -> Self {
        let url = std::env::var("TEST_DATABASE_URL")
            .ok()
            .filter(|url| !url.is_empty());
        Self(url.map(|url| Postgres {
            url,
            schema: unique_name(),
        }))
    }

    /// The database's URL, where it is not SQLite in the data folder.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.0.as_ref().map(|postgres| postgres.url.as_str())
    }

    /// The schema, where the database is PostgreSQL.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.0.as_ref().map(|postgres| postgres.schema.as_str())
    }

    /// The settings that name the database, for a configuration file, with a master key file.
    #[must_use]
    pub fn settings(&self, master_keys: &Path) -> String {
        let Some(Postgres { url, schema }) = &self.0 else {
            return String::new();
        };
        let keys = master_keys.display();
        format!("[store]\nurl = '{url}'\nschema = '{schema}'\nmaster_keys_file = '{keys}'\n")
    }

    /// The command line's arguments that name the database.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let Some(Postgres { url, schema }) = &self.0 else {
            return Vec::new();
        };
        ["--store", url, "--store-schema", schema]
            .map(Into::into)
            .to_vec()
    }
}

/// A name that no other test's schema has: the temporary folder's, which the system draws.
fn unique_name() -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let letters = name.bytes().map(|byte| format!("{byte:02x}"));
    format!("test_{}", letters.collect::<String>())
}
