//! Where files of messages are kept, and how they come there and go.
//!
//! [`Storage`] keeps files on the installation's disk and in buckets that speak S3. [`Files`]
//! knows their rows: it fetches a file when somebody asks for it, [`Files::capture`] fetches
//! those that are to be kept as they come, and [`Files::sweep`] removes what is no longer
//! wanted. WhatsApp is reached by two traits, [`Fetch`] and [`AskPhone`], so that nothing here
//! knows of its protocol.

mod capture;
mod content;
mod demand;
mod disk;
mod error;
mod fetching;
mod files;
mod links;
mod outcome;
mod places;
mod ports;
mod s3;
mod storage;
mod sweep;

pub use content::{Content, Part};
pub use error::{ReadError, StorageError};
pub use files::{Files, FilesConfig};
pub use links::{Link, LinkKeys};
pub use ports::{AskPhone, Fetch, FetchFailure, PhoneAnswer};
pub use s3::Bucket;
pub use storage::{Place, Storage};
