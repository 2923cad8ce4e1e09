//! The media host: files that clients upload and download, encrypted but for those of channels.

mod auth;
mod http;
mod range;
mod store;
mod upload;

pub(crate) use auth::MediaAuth;
pub(crate) use http::{ByPhone, router};
pub(in crate::server) use http::{CHANNEL_PREFIX, channel_handle};
pub(crate) use store::MediaFiles;
