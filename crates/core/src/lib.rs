//! The use cases of wagate: one function per operation, without HTTP and without the engine.
//!
//! [`Core`] carries the functions, one file per resource. They take who calls first:
//! a [`Caller`], or a [`SessionAccess`] where the operation is on one session, which
//! exists only when the caller reaches that session. Live actions go to the gateway
//! that owns the session, over the bus; everything else is read from the store.

mod accounts;
mod attachments;
mod audit;
mod backfills;
mod caller;
mod channels;
mod chats;
mod communities;
mod contacts;
mod credentials;
mod decoding;
mod endings;
mod error;
mod events;
mod groups;
mod health;
mod intake;
mod labels;
mod live;
mod media;
mod messages;
mod organizations;
mod owners;
mod pages;
mod presence;
mod previews;
mod profile;
mod providers;
mod realtime;
mod scheduled;
mod search;
mod service;
mod sessions;
mod status;
mod storage;
mod tokens;
mod users;
mod webhook_replays;
mod webhook_secrets;
mod webhook_tests;
mod webhooks;

pub use accounts::{
    BothFactors, LogInForm, LoginOptions, PasswordChange, PasswordReset, SignUpForm,
};
pub use audit::AuditQuery;
pub use caller::{Caller, SessionAccess};
pub use chats::ChatQuery;
pub use contacts::ContactQuery;
pub use decoding::Decoders;
pub use error::{Error, LoginRefusal, Reason, Result, What};
pub use events::{EventPage, MAX_WAIT_MS, PullRequest};
pub use health::{Health, Readiness};
pub use intake::{FileIntake, FileLimits};
pub use media::MediaAccess;
pub use messages::SendOptions;
pub use organizations::{
    Acceptance, AcceptanceForm, ApiKeyForm, InvitationForm, OrganizationAccess,
};
pub use pages::{DEFAULT_LIMIT, MAX_LIMIT, Page};
pub use previews::LinkPreviews;
pub use providers::ProviderReturn;
pub use realtime::{
    EventStream, FoundTicket, IssuedTicket, StreamItem, StreamScope, TicketRequest,
};
pub use search::MessageSearch;
pub use service::{Core, CoreConfig, Parts};
pub use storage::BucketAccess;
pub use users::{ListedUsers, UserAccess, UserChange, UserQuery};
pub use wagate_cluster::MemberChange;
pub use wagate_identity::{
    Client, CreatedApiKey, CurrentLogin, InvitationPreview, IssuedInvitation, MintedToken,
    NewLogin, OidcBegun, OidcError, OneTimeSecret, Password, SignUp, TotpOffer,
};
pub use wagate_storage::{Content, Part};
pub use wagate_store::{AttemptEntry, DeliveryRecord, LoginRecord};
pub use webhook_replays::Replayed;
pub use webhook_secrets::RotatedSecret;
pub use webhook_tests::{WebhookTest, WebhookTestLimits, WebhookTester};
pub use webhooks::{DeliveryPage, DeliveryQuery, WebhookAccess};
