//! Files in a folder.

use std::fs::{self, File};
use std::io::{self, Read as _, SeekFrom};
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::content::{Content, Part};
use crate::error::StorageError;

/// Where files are while they come in.
const INCOMING: &str = "incoming";

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A folder of files.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    root: PathBuf,
}

/// A file that is coming in; it goes with this value unless it is kept.
#[derive(Debug)]
pub(crate) struct Incoming {
    path: PathBuf,
}

impl Incoming {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Where it was kept, it is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// What a file is, whatever was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

impl Disk {
    /// Opens a folder, and removes what an earlier process left half.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        fs::create_dir_all(&incoming)?;
        Ok(Self { root })
    }

    /// Removes files that came in before a process ended and that nobody waits for any more.
    pub(crate) fn remove_abandoned(&self, age: std::time::Duration) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(INCOMING))? {
            let entry = entry?;
            let modified = entry.metadata()?.modified()?;
            if modified.elapsed().is_ok_and(|elapsed| elapsed > age) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Makes an empty file for what comes in.
    pub(crate) async fn incoming(&self) -> io::Result<(Incoming, File)> {
        let name = format!("{:032x}", rand::random::<u128>());
        let path = self.root.join(INCOMING).join(name);
        blocking(move || {
            let mut options = File::options();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            Ok((Incoming { path }, file))
        })
        .await
    }

    /// The size and the SHA-256 of a file that came in.
    pub(crate) async fn digest(&self, incoming: &Incoming) -> io::Result<Digest> {
        let path = incoming.path.clone();
        blocking(move || {
            let mut file = File::open(path)?;
            let (mut hash, mut size) = (Sha256::new(), 0);
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                let length = file.read(&mut chunk)?;
                if length == 0 {
                    break;
                }
                hash.update(&chunk[..length]);
                size += length as u64;
            }
            Ok(Digest {
                size,
                sha256: hex::encode(hash.finalize()),
            })
        })
        .await
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Keeps a file that came in, for good.
    pub(crate) async fn keep(&self, key: &str, incoming: &Incoming) -> Result<(), StorageError> {
        let (from, to) = (incoming.path.clone(), self.path(key));
        let kept = blocking(move || {
            File::open(&from)?.sync_all()?;
            let folder = to.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            fs::rename(&from, &to)?;
            File::open(folder)?.sync_all()
        });
        Ok(kept.await?)
    }

    /// Opens a file, or a part of it.
    pub(crate) async fn read(
        &self,
        key: &str,
        part: Option<Part>,
    ) -> Result<Content, StorageError> {
        let mut file = tokio::fs::File::open(self.path(key)).await?;
        let size = file.metadata().await?.len();
        let part = part.unwrap_or(Part {
            start: 0,
            end: size,
        });
        let part = Part {
            start: part.start.min(size),
            end: part.end.min(size),
        };
        file.seek(SeekFrom::Start(part.start)).await?;
        let bytes = ReaderStream::with_capacity(file.take(part.len()), CHUNK_BYTES);
        Ok(Content {
            size,
            part,
            bytes: bytes.boxed(),
        })
    }

    /// Removes a file; nothing where it is not there.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), StorageError> {
        let (path, root) = (self.path(key), self.root.clone());
        let removed = blocking(move || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // Folders go with their last file; one that is not empty stays.
            let mut folder = path.parent();
            while let Some(empty) = folder.filter(|folder| **folder != *root) {
                if fs::remove_dir(empty).is_err() {
                    break;
                }
                folder = empty.parent();
            }
            Ok(())
        });
        Ok(removed.await?)
    }
}

/// Runs what waits for the disk on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("work on the disk was cut off")))
}
