//! Where master keys come from: a file that only its owner can read, or text.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::seal::{MASTER_KEY_LEN, MasterKeys};

/// Why the master keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("the master key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others than the owner may read the file.
    #[error(
        "the master key file {path} can be read by others: its mode is {mode:03o}, make it 600"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// The permission bits that it has.
        mode: u32,
    },
    /// A key is not 32 bytes in base64.
    #[error("master key {number} is not 32 bytes in base64")]
    Malformed {
        /// Which key, counted from 1.
        number: usize,
    },
    /// There is no key.
    #[error("there is no master key")]
    Empty,
}

fn parse(number: usize, text: &str) -> Result<Zeroizing<[u8; MASTER_KEY_LEN]>, KeyFileError> {
    let malformed = |()| KeyFileError::Malformed { number };
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| malformed(()))?);
    let mut key = Zeroizing::new([0; MASTER_KEY_LEN]);
    if bytes.len() != MASTER_KEY_LEN {
        return Err(malformed(()));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

impl MasterKeys {
    /// Reads keys in base64: the current one, then older ones that still open values.
    pub fn from_base64<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, KeyFileError> {
        let mut parsed = keys
            .into_iter()
            .enumerate()
            .map(|(index, text)| parse(index + 1, text));
        let current = parsed.next().ok_or(KeyFileError::Empty)??;
        Ok(Self::new(current, parsed.collect::<Result<_, _>>()?))
    }

    /// Reads the key file (one key a line, the current one first), or makes it with a new key.
    ///
    /// The file must not be readable by its group or by others.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        match File::open(path) {
            Ok(file) => Self::load(file, path),
            Err(error) if error.kind() == ErrorKind::NotFound => match create(path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io(error)),
                // Another process may have been faster: the file counts, not what was drawn.
                _ => Self::load(File::open(path).map_err(io)?, path),
            },
            Err(error) => Err(io(error)),
        }
    }

    fn load(mut file: File, path: &Path) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        let mode = file.metadata().map_err(io)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(io)?;
        Self::from_base64(text.lines().filter(|line| !line.trim().is_empty()))
    }
}

// The key is written to a file of its own first and then linked to its name, so
// that nobody ever reads half of it and an existing file is never replaced.
fn create(path: &Path) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let draft = folder.join(format!(".master-key-{:016x}", rand::random::<u64>()));
    let key = Zeroizing::new(rand::random::<[u8; MASTER_KEY_LEN]>());
    let line = Zeroizing::new(format!("{}\n", STANDARD.encode(key.as_slice())));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(line.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    linked?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_file_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/master.key");
        let first = MasterKeys::load_or_create(&path).unwrap();
        let again = MasterKeys::load_or_create(&path).unwrap();
        assert_eq!(first.current_id(), again.current_id());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKeys::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = MasterKeys::load_or_create(&path).unwrap_err();
        assert!(
            matches!(error, KeyFileError::Exposed { mode: 0o640, .. }),
            "{error}"
        );
    }

    #[test]
    fn an_empty_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(
            MasterKeys::load_or_create(&path),
            Err(KeyFileError::Empty)
        ));
    }

    #[test]
    fn short_keys_are_refused_by_number() {
        let good = STANDARD.encode([1; MASTER_KEY_LEN]);
        let short = STANDARD.encode([1; 16]);
        let error = MasterKeys::from_base64([good.as_str(), short.as_str()]).unwrap_err();
        assert!(
            matches!(error, KeyFileError::Malformed { number: 2 }),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_keys_or_is_refused(
            text in "\\PC{0,60}|(([A-Za-z0-9+/]{43}=|[A-Za-z0-9]{0,44}) ?\n?){0,3}",
        ) {
            crate::fuzzing::master_keys(&text);
        }
    }
}
