//! How much memory a session may use.
//!
//! The library's defaults suit one account per process. Here thousands share
//! one, so that every cache is small and lets go of what is not used: all of
//! them fall back to the session's storage. What each holds, and why so much:
//!
//! - groups 32, 10 min: metadata of groups that are being written to;
//! - devices 512, 10 min: recipients' device lists. One group of the largest
//!   size (1,024 members) reads some of its lists from storage;
//! - sender-key devices 16 groups, 10 min idle;
//! - retry counts 128, undecryptable 128, recovery 64: only filled by trouble;
//! - chats being received 8: each keeps a task of about 31 KB for as long as it is
//!   remembered. One that is working is never evicted, so more chats at a time only
//!   mean that idle ones start their task again;
//! - locks: they only hold entries in use (a live one is never evicted);
//! - phone-to-LID pairs: unbounded, as an evicted pair would make the library
//!   address an old Signal session; about 300 bytes a contact;
//! - sent messages: none in memory; the library finds them in storage when a
//!   recipient asks again.
//!
//! All of them are empty maps in an idle session.

use std::time::Duration;

use whatsapp_rust::{CacheConfig, CacheEntryConfig};

/// One-time keys uploaded at pairing and at refills.
///
/// WhatsApp Web uploads 812; each costs a key generation and a stored row, and
/// WhatsApp asks for more when they run low, so that fewer only means asking
/// more often.
pub(crate) const PRE_KEYS_WANTED: usize = 100;

/// Retry receipts that a chat may cause at once, and per minute.
pub(crate) const RESENDS: (u32, u32) = (30, 30);

pub(crate) fn config() -> CacheConfig {
    const MINUTE: Duration = Duration::from_mins(1);
    let entries = |minutes: u32, capacity| CacheEntryConfig::new(Some(MINUTE * minutes), capacity);
    CacheConfig {
        group_cache: entries(10, 32),
        device_registry_cache: entries(10, 512),
        message_retry_counts: entries(60, 128),
        undecryptable_dispatched: entries(5, 128),
        pdo_pending_requests: CacheEntryConfig::new(Some(MINUTE / 2), 64),
        pdo_requested: entries(24 * 60, 128),
        sender_key_devices_cache: entries(10, 16),
        session_recreate_history: entries(60, 64),
        session_locks_capacity: 1_024,
        chat_lanes_capacity: 8,
        group_distribution_locks_capacity: 64,
        resend_rate_limiter_capacity: 64,
        // A day, so that a recipient who was offline overnight can still ask
        // for a message again.
        sent_message_ttl_secs: 24 * 60 * 60,
        // Chats are shown from history, but its old polls and comments are not
        // decrypted further; a secret per old message would only fill storage.
        seed_msg_secrets_from_history: false,
        ..CacheConfig::default()
    }
}
