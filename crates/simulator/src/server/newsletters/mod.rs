//! Newsletters, which people know as channels: who follows them, and what is posted.
//!
//! Posts are not encrypted. The texts are in the journal as they came.

mod book;
mod error;
mod files;
mod live;
mod manage;
mod posts;
mod record;
mod show;

pub(crate) use book::Newsletters;
pub use error::NewsletterError;
pub(in crate::server) use manage::{Mute, Updates};
pub(in crate::server) use posts::{PostQuery, messages_node};
pub use show::{Newsletter, NewsletterPost, Published};
