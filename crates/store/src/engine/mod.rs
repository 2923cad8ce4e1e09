//! The WhatsApp engine's storage: wacore's `Backend` in the store's database.
//!
//! One [`EngineBackend`] per lease of a session. Each write checks the lease's epoch
//! in its own transaction, so that a gateway that lost the session cannot write Signal
//! state; it goes through the store's writer, where the writes of many sessions share
//! one commit, and it is durable when it returns.
//!
//! What is where:
//!
//! - `engine_record`: most things, by kind and key. The value is sealed: the device's
//!   credentials, identities, Signal sessions, prekeys, sender keys, app state keys and
//!   MACs, device lists, group metadata, messages that wait to be committed, parts of the
//!   history that are not read to their ends.
//! - `engine_contact_token`, `engine_message_secret`, `engine_sent_message`: as above,
//!   with their own columns where a query merges or expires rows. Token, secret and
//!   payload are sealed; times are not.
//! - `engine_sender_key_device`, `engine_lid_mapping`: JIDs, phone numbers, flags and
//!   times, none of which is sealed: they are what is looked up.
//!
//! Sealed values are bound to table, session, kind and key. Keys are readable (protocol
//! addresses, JIDs, users, ids) except those of messages, where a digest stands for
//! chat, sender and id. `Admin::reseal_engine_state` seals a session's values with a new
//! master key.

mod app_state;
mod backend;
pub(crate) mod codec;
mod contact_tokens;
pub(crate) mod device;
mod history_parts;
pub(crate) mod key;
mod kind;
mod lid_mappings;
mod message_secrets;
mod pending_inbound;
mod protocol;
mod records;
mod reseal;
mod sender_key_devices;
mod sent_messages;
mod signal;
mod state;

pub use backend::EngineBackend;
pub use history_parts::{HistoryPart, KeptHistoryParts};
pub use pending_inbound::PendingInboundClear;
pub(crate) use records::RecordRows;
pub use sent_messages::HeldSentMessages;
pub(crate) use sent_messages::SentRows;
