//! The only SQL of wagate: every durable thing is read and written here.
//!
//! [`Store`] opens SQLite or PostgreSQL; [`Tx`] carries the functions on data, one
//! file per resource. Three kinds of functions, by what they hang on:
//!
//! - on [`Tx`]: for one organization, which comes first;
//! - on [`Owned`]: for the gateway that owns a session, behind a checked [`Fence`];
//! - on [`Admin`]: over all organizations, for the service's own work.
//!
//! Writes go through a writer that lets many jobs share one commit; events are
//! written in the transaction that causes them.

mod admin;
mod api_keys;
mod attachments;
mod audit;
mod batch;
mod buckets;
mod chats;
mod connect;
mod contacts;
mod default_timer;
mod deferred;
mod deliveries;
mod engine;
mod error;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod groups;
mod history;
mod identities;
mod invitations;
mod key_file;
mod labels;
mod leases;
mod media;
mod members;
mod messages;
mod migrations;
mod organizations;
mod outbox;
mod polls;
mod rates;
mod replays;
mod restrictions;
mod scheduled;
mod seal;
mod sessions;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
mod tickets;
mod tx;
mod webhook_secrets;
mod webhooks;
mod writer;

pub use admin::{
    Admin, AttemptRecord, ClaimLimits, ClaimedDelivery, ClaimedSession, Claims, DeliveryClaim,
    DeliveryOutcome, Diagnosis, Gateway, Heartbeat, LinkPurpose, LoginRecord, ResealProgress,
    SealedColumn, Standing, TokenKey, UnreadableWebhook, UnwantedMedia, UserSecrets, WebhookHealth,
    WebhookTarget, Workload,
};
pub use attachments::ATTACHMENT_PIECE_BYTES;
pub use audit::AuditFilter;
pub use buckets::BucketKeys;
pub use chats::{ChatChange, ChatFacts, ChatPosition, ChatRef};
pub use connect::StoreConfig;
pub use contacts::{ContactFilter, ContactRecord, ContactSource};
pub use deliveries::{AttemptEntry, DeliveryFilter, DeliveryRecord, DeliveryStatus};
pub use engine::{
    EngineBackend, HeldSentMessages, HistoryPart, KeptHistoryParts, PendingInboundClear,
};
pub use error::{Result, StoreError};
pub use events::{CommitListener, CommittedEvent, EventFilter, IgnoreCommits, NewEvent};
pub use groups::{GroupFacts, GroupMemberRecord, GroupRecord};
pub use history::HistoryStep;
pub use identities::{IdentityFacts, IdentityRecord, UpsertedIdentity};
pub use key_file::KeyFileError;
pub use labels::LabelChange;
pub use leases::{Fence, Owned, SessionOwner};
pub use media::{MediaRecord, NewMedia};
pub use messages::{
    AdvancedMessage, ChatDeletion, MessageFilter, MessagePosition, NewMessage, StoredMessage,
};
pub use migrations::{Migrations, known_schema_version};
pub use organizations::EndedOrganization;
pub use outbox::{DueOutbox, Enqueued, IdempotencyKey, NewOutbox, OutboxRecord, OutboxState};
pub use polls::{ClosedPoll, DuePoll, DuePolls, PollVote, UnreadablePoll};
pub use rates::{RateDecision, RateLimits};
pub use scheduled::{DueScheduled, NewScheduled, ScheduledPosition, ScheduledRecord};
pub use seal::{KeyId, MASTER_KEY_LEN, MasterKeys, SealError};
pub use sessions::{Account, NewSession, SessionRecord};
pub use store::{Lane, Store};
pub use tx::{DatabaseKind, Tx};
pub use webhook_secrets::{Rotated, SecretRotation, WebhookSecrets};
pub use webhooks::SecretChange;
