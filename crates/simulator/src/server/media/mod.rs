//! The media host: encrypted files that clients upload and download.

mod auth;
mod http;
mod range;
mod store;
mod upload;

pub(crate) use auth::MediaAuth;
pub(crate) use http::{ByPhone, router};
pub(crate) use store::MediaFiles;
