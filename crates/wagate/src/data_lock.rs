//! One running service per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail};

use crate::config::{Config, Role};

/// The file whose lock says that the folder is in use.
const LOCK_FILE: &str = "wagate.lock";

/// The data folder is this process's as long as this lives, however the process ends.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the folder, where something in it is for one process alone: the embedded
    /// database, or the name of the gateway.
    pub(crate) fn take(config: &Config) -> anyhow::Result<Option<Self>> {
        let is_exclusive = config.is_embedded() || config.gateway.id.is_none();
        if !config.runs(Role::Gateway) || !is_exclusive {
            return Ok(None);
        }
        let folder = &config.data_dir;
        let path = folder.join(LOCK_FILE);
        let mut file = std::fs::create_dir_all(folder)
            .and_then(|()| {
                OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&path)
            })
            .with_context(|| format!("the data folder {}", folder.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message.
                let _ = file.read_to_string(&mut holder);
                bail!(
                    "the data folder {} is in use by another wagate (process {}): stop that one, \
                     or give this one a folder of its own with --data",
                    folder.display(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| path.display().to_string());
            }
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| path.display().to_string())?;
        Ok(Some(Self { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_free_again_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: folder.path().join("data"),
            ..Config::default()
        };
        let held = DataLock::take(&config).unwrap();
        assert!(held.is_some());
        let refused = DataLock::take(&config).unwrap_err().to_string();
        let own_id = std::process::id().to_string();
        assert!(
            refused.contains("--data") && refused.contains(&own_id),
            "{refused}"
        );
        drop(held);
        assert!(DataLock::take(&config).unwrap().is_some());
    }

    #[test]
    fn roles_that_share_a_database_may_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        config.store.url = Some("postgres://localhost/wagate".into());
        let _gateway = DataLock::take(&config).unwrap();
        config.roles = vec![Role::Router, Role::Worker];
        assert!(DataLock::take(&config).unwrap().is_none());
    }
}
