//! What comes in: messages before they are acknowledged, receipts, and all other news.

mod batch;
pub(crate) mod chats;
mod content;
mod effects;
mod familiar;
mod files;
mod history;
mod marks;
mod news;
mod payload;
mod people;
#[cfg(test)]
mod same_ids;
mod signs;
mod sink;
#[cfg(test)]
mod tests;
mod unreadable;

pub(crate) use batch::{Batch, ToRead, both_addresses, row_of};
pub(crate) use content::{poll_of, raw_of};
pub(crate) use familiar::{ChatAddress, Familiar};
pub(crate) use history::commit_page_singly;
pub(crate) use news::{commit_news, is_news, tell};
pub(crate) use people::{alias as note_alias, identity_of};
pub(crate) use sink::{Sink, commit_singly, is_about_contents};
