//! Plain data of wagate: what every other crate speaks about, without I/O.
//!
//! Wire shapes (camelCase JSON, exact names) live beside the types; parsing and
//! rules that need neither a clock nor a database live here too.

mod api_keys;
mod audit;
mod backfills;
mod capabilities;
mod channels;
mod chats;
mod clock;
mod communities;
mod contacts;
mod content;
mod cursors;
mod errors;
mod event_samples;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod group_requests;
mod groups;
mod hidden;
mod ids;
mod jids;
mod labels;
mod media;
mod messages;
mod organizations;
mod payloads;
mod people;
mod presence;
mod profile;
mod send;
mod sessions;
mod status;
mod storage;
mod validation;
mod webhook_requests;
mod webhooks;

pub use api_keys::{ApiKey, ApiKeyPrincipal, ApiKeySecret, ParseApiKeyError};
pub use audit::{Actor, ActorKind, AuditAction, AuditEntry, ListAuditEntry, UnknownAuditName};
pub use backfills::{BackfillJob, BackfillStatus};
pub use capabilities::{Capabilities, Capability};
pub use channels::{
    Channel, ChannelRole, CreateChannelInput, CreatedChannel, ListChannel, MuteChannelInput,
    UpdateChannelInput,
};
pub use chats::{Chat, ChatType, ListChat, ReadChatInput, UpdateChatInput};
pub use clock::{Clock, ManualClock, SystemClock};
pub use communities::{
    Community, CommunityGroup, CommunityGroupsInput, CommunityGroupsOutput, CreateCommunityInput,
    ListCommunity, ListCommunityGroup, RefusedGroup,
};
pub use contacts::{
    Blocklist, CheckContactsInput, Contact, ContactAbout, ContactDetail, ContactGroup,
    ContactSource, Identity, ListContact, ListOnWhatsApp, OnWhatsApp, ProfilePicture,
    SaveContactInput,
};
pub use content::{
    Choice, EventAnswer, EventData, EventPlace, EventResponder, EventResponse, MessageDetails,
    UnknownEventAnswer,
};
pub use cursors::{Cursor, CursorError};
pub use errors::{ApiError, ErrorCode, ErrorDetail};
pub use event_samples::{SAMPLE_SESSION, sample_payload};
pub use events::{EVENT_SCHEMA, EventEnvelope, EventKind, EventSelector, ListEvent};
pub use group_requests::{
    AddGroupMembersInput, ApproveGroupMembersInput, CreateGroupInput, GroupInfo, GroupJoinRequest,
    GroupPictureInput, GroupPreview, InviteOutput, JoinGroupInput, JoinGroupOutput,
    ListGroupJoinRequest, MemberAddMode, RejectGroupMembersInput, UpdateGroupInput, checked_invite,
    invite_code,
};
pub use groups::{Group, GroupMember, GroupRole, ListGroup, ListGroupMember};
pub use ids::{
    ApiKeyId, AttachmentId, AuditId, BackfillId, BucketId, DeliveryId, EventId, GatewayId,
    GatewayNameError, IdError, InvitationId, LoginId, MediaId, OrganizationId, OutboxId, RequestId,
    SessionId, TicketId, TokenKeyId, UserId, WebhookId, message_id,
};
pub use jids::{Jid, JidError, JidKind, PhoneNumber, PhoneNumberError};
pub use labels::{CreateLabelInput, Label, ListLabel, UpdateLabelInput};
pub use media::{
    MediaEventPayload, MediaFile, MediaKind, MediaProblem, MediaStatus, UnknownMediaName,
};
pub use messages::{Direction, ListMessage, MediaMeta, Message, MessageStatus};
pub use organizations::Organization;
pub use payloads::{
    AuthCodePayload, AuthQrPayload, CallPayload, ChatUpdatePayload, ContactData,
    ContactUpdatePayload, GroupPayload, LocationData, MentionData, MessagePayload,
    MessageStatusPayload, MessageType, NewsletterPayload, PollData, PollRecapOption,
    PollRecapPayload, PollRecapVoter, PresenceState, PresenceStatus, SessionStatusPayload,
};
pub use people::{
    Email, EmailError, Invitation, Member, PersonPrincipal, PlatformRole, Role, Subject,
    UnknownPlatformRole, UnknownRole, User,
};
pub use presence::{ChatPresenceInput, ChatPresenceState, OnlineState, SetPresenceInput};
pub use profile::{
    Audience, PrivacySetting, PrivacySettings, Profile, ProfilePictureInput, RejectCallInput,
    UpdateProfile,
};
pub use send::{
    AlbumMediaPayload, AlbumMediaType, Attachment, ButtonInput, ContactCard, DeleteForMeInput,
    EditMessageInput, EventInput, ForwardInput, LinkPreview, ListInput, ListRowInput,
    ListScheduledMessage, ListSectionInput, MediaPayload, MessageInChatInput, Offer, OfferSection,
    PinInput, ReactionInput, RespondInput, RevokeMessageInput, ScheduledMessage, ScheduledStatus,
    SelectInput, SendMode, SendRequest, SendResult, SendTask, SendType, TargetMessage, UnpinInput,
    VoteInput,
};
pub use sessions::{
    CreateSession, HistorySync, HistorySyncStatus, ListWaSession, Me, PairingCode,
    PairingCodeRequest, Qr, Restriction, RestrictionKind, SessionDefaults, SessionStatus,
    StatusDetail, StatusReason, UnknownHistorySyncStatus, UpdateSession, WaSession,
};
pub use status::{PostStatusInput, PostedStatus, StatusFile, StatusFont, StatusPost, StatusType};
pub use storage::{
    ListStorageBucket, SessionStorage, SessionStorageBody, StorageBucket, StorageBucketBody,
};
pub use validation::{Draft, Fault, Faults, limits};
pub use webhook_requests::{
    ReplayOrder, ReplayScope, ReplayWebhookInput, RotateSecretInput, TestWebhookInput,
};
pub use webhooks::{
    ListWebhook, RESERVED_WEBHOOK_HEADERS, RetryPolicy, RetryPolicyBody, WEBHOOK_SECRET_PREFIX,
    WEBHOOK_TEST_HEADER, Webhook, WebhookBody,
};
