//! Files in messages: encrypting, uploading, fetching, and uploading again.
//!
//! A phone reaches the media host by the host's own routes, as HTTP requests without a socket in
//! between, just as its stanzas go to the server without one.

mod file;
mod host;
mod kept;
mod retry;
mod sending;
mod shown;

pub(crate) use file::FileRef;
pub(crate) use host::{Fetched, fetch, upload, upload_by_itself};
pub(crate) use kept::Media;
pub(crate) use retry::{Answer, answer, opens};
pub use sending::FoundFile;
pub(crate) use shown::shown;
pub use shown::{MediaState, StoredMedia};
