//! Sessions: one attached (or to be attached) WhatsApp number each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{Faults, GatewayId, OrganizationId, PhoneNumber, SessionId, hide_contents};

/// Where a session stands; derived from its live connection by its one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Connecting, or reconnecting after a drop.
    Starting,
    /// Waiting for the QR code to be scanned or the pairing code to be entered.
    ScanQrCode,
    /// Connected and live.
    Working,
    /// Given up: replaced by another client, banned, refused.
    Failed,
    /// Stopped on purpose.
    Stopped,
    /// Unlinked; must be paired again.
    LoggedOut,
}

impl SessionStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::ScanQrCode,
        Self::Working,
        Self::Failed,
        Self::Stopped,
        Self::LoggedOut,
    ];

    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::ScanQrCode => "scan_qr_code",
            Self::Working => "working",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::LoggedOut => "logged_out",
        }
    }

    /// Whether the status claims a live owner (and so is void without a lease).
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::ScanQrCode | Self::Working)
    }
}

impl std::str::FromStr for SessionStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

/// The text names no session status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown session status")]
pub struct UnknownStatus;

/// Why a session is in its status, where there is more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusReason {
    /// The device was unlinked on the phone.
    LoggedOutByPhone,
    /// The session was logged out through the API.
    LoggedOutByRequest,
    /// Another client connected with the same credentials.
    Replaced,
    /// WhatsApp banned the number for good.
    Banned,
    /// WhatsApp banned the number for a while.
    TemporarilyBanned,
    /// WhatsApp no longer accepts this client version.
    ClientOutdated,
    /// WhatsApp refused the connection for another reason.
    Refused,
    /// Nobody scanned a QR code or entered the pairing code in time.
    PairingExpired,
    /// The phone and the gateway could not agree while pairing.
    PairingFailed,
    /// The connection dropped and is being made again.
    ConnectionLost,
    /// The session did not come up in time.
    StartTimeout,
    /// The session's stored credentials cannot be read.
    CredentialsUnreadable,
}

impl StatusReason {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOutByPhone => "logged_out_by_phone",
            Self::LoggedOutByRequest => "logged_out_by_request",
            Self::Replaced => "replaced",
            Self::Banned => "banned",
            Self::TemporarilyBanned => "temporarily_banned",
            Self::ClientOutdated => "client_outdated",
            Self::Refused => "refused",
            Self::PairingExpired => "pairing_expired",
            Self::PairingFailed => "pairing_failed",
            Self::ConnectionLost => "connection_lost",
            Self::StartTimeout => "start_timeout",
            Self::CredentialsUnreadable => "credentials_unreadable",
        }
    }
}

/// What WhatsApp said about a status, as far as it said anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusDetail {
    /// WhatsApp's code for the ban or the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whatsapp_code: Option<i64>,
    /// When a temporary ban ends, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// What WhatsApp forbids an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestrictionKind {
    /// It may not write to people with whom it has not written before.
    ReachoutTimelock,
    /// It has sent as many messages to new chats as it may for now.
    NewChatCap,
}

/// Something that WhatsApp forbids an account for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restriction {
    /// What is forbidden.
    pub kind: RestrictionKind,
    /// WhatsApp's own word for the cause, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// When it ends, in milliseconds since 1970, where WhatsApp said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl Restriction {
    /// Whether it holds at a time, in milliseconds since 1970.
    #[must_use]
    pub fn holds_at(&self, now_ms: i64) -> bool {
        self.until.is_none_or(|until| until > now_ms)
    }
}

/// One attached (or to be attached) WhatsApp number, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WASession)]
pub struct WaSession {
    /// Whether incoming messages are marked read automatically.
    pub auto_read: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_at: i64,
    /// The user who made it; absent when an API key did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by_user_id: Option<String>,
    /// The gateway that holds the connection, or held it last.
    pub gateway_id: GatewayId,
    /// The session's id.
    pub id: SessionId,
    /// Whether it is the operator's own configured number.
    pub is_admin_session: bool,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it last became live, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_connected_at: Option<i64>,
    /// The organization that it belongs to.
    pub organization_id: OrganizationId,
    /// The attached phone number in digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether a typing indicator is shown before each sent text.
    pub presence_typing: bool,
    /// Sends allowed per hour; 0 or less: unlimited.
    pub rate_per_hour: i64,
    /// Sends allowed per minute; 0 or less: unlimited.
    pub rate_per_min: i64,
    /// Where the session stands.
    pub status: SessionStatus,
    /// When the row last changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// The account's phone-number JID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_jid: Option<String>,
    /// The account's LID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_lid: Option<String>,
    /// Why the session is in its status, where there is more to say (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<StatusReason>,
    /// What WhatsApp said about it (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<StatusDetail>,
    /// How far the history is that the phone sends (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_sync: Option<HistorySync>,
    /// What WhatsApp forbids the account for now (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
}

/// Whether a phone's history is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HistorySyncStatus {
    /// There is more to come.
    Running,
    /// Everything that the phone sends has come.
    Done,
}

impl std::str::FromStr for HistorySyncStatus {
    type Err = UnknownHistorySyncStatus;

    fn from_str(text: &str) -> Result<Self, UnknownHistorySyncStatus> {
        match text {
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            _ => Err(UnknownHistorySyncStatus),
        }
    }
}

/// The text names no status of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown status of a history")]
pub struct UnknownHistorySyncStatus;

/// How far the history is that a phone sends after it was paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistorySync {
    /// Chats stored so far.
    pub chats: i64,
    /// Messages stored so far.
    pub messages: i64,
    /// How much has come, in percent, as the phone says.
    pub progress: i64,
    /// When it began, in milliseconds since 1970.
    pub started_at: i64,
    /// Whether it is complete.
    pub status: HistorySyncStatus,
    /// When the latest part came, in milliseconds since 1970.
    pub updated_at: i64,
}

/// One page of sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListWASession)]
pub struct ListWaSession {
    /// The sessions, oldest first.
    pub data: Vec<WaSession>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a new session has unless its creator says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionDefaults {
    /// Mark incoming messages read.
    pub auto_read: bool,
    /// Show a typing indicator before each sent text.
    pub presence_typing: bool,
    /// Sends per minute.
    pub rate_per_min: i64,
    /// Sends per hour.
    pub rate_per_hour: i64,
}

impl Default for SessionDefaults {
    fn default() -> Self {
        Self {
            auto_read: true,
            presence_typing: false,
            rate_per_min: 20,
            rate_per_hour: 200,
        }
    }
}

/// The body of `createSession`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateSessionInputBody)]
pub struct CreateSession {
    /// Mark incoming messages read automatically.
    #[serde(default)]
    pub auto_read: Option<bool>,
    /// What to call the session, at most 100 characters.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub label: Option<String>,
    /// Show a typing indicator before each sent text.
    #[serde(default)]
    pub presence_typing: Option<bool>,
    /// Begin pairing at once.
    #[serde(default)]
    pub start: Option<bool>,
}

impl CreateSession {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        check_label(self.label.as_deref(), faults);
    }
}

/// The body of `updateSession`: only the fields sent change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateSessionInputBody)]
pub struct UpdateSession {
    /// Mark incoming messages read automatically.
    #[serde(default)]
    pub auto_read: Option<bool>,
    /// What to call the session, at most 100 characters; empty removes the label.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub label: Option<String>,
    /// Show a typing indicator before each sent text.
    #[serde(default)]
    pub presence_typing: Option<bool>,
    /// Sends allowed per hour; 0 or less: unlimited.
    #[serde(default)]
    #[schema(minimum = -1, maximum = 1_000_000)]
    pub rate_per_hour: Option<i64>,
    /// Sends allowed per minute; 0 or less: unlimited.
    #[serde(default)]
    #[schema(minimum = -1, maximum = 1_000_000)]
    pub rate_per_min: Option<i64>,
}

impl UpdateSession {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        check_label(self.label.as_deref(), faults);
        for (field, rate) in [
            ("ratePerHour", self.rate_per_hour),
            ("ratePerMin", self.rate_per_min),
        ] {
            let is_sane = rate.is_none_or(|rate| (-1..=limits::RATE).contains(&rate));
            faults.check(is_sane, field, || {
                format!("must be between -1 and {}", limits::RATE)
            });
        }
    }
}

fn check_label(label: Option<&str>, faults: &mut Faults) {
    if let Some(label) = label {
        faults.check_text("label", label, limits::LABEL_CHARS);
    }
}

/// The account that a session is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// Whether the session is live.
    pub connected: bool,
    /// The phone number in digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The session.
    pub session_id: SessionId,
    /// Where the session stands.
    pub status: SessionStatus,
    /// The account's phone-number JID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_jid: Option<String>,
    /// The account's LID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_lid: Option<String>,
}

/// The QR code to show now.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QR)]
pub struct Qr {
    /// The text of the QR code.
    pub code: String,
    /// When the code stops working, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

hide_contents!(Qr { expires_at });

/// The body of `sessionPairingCode`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PairingCodeInputBody)]
pub struct PairingCodeRequest {
    /// The phone's number with its country code, digits only.
    #[serde(default)]
    #[schema(pattern = "^[1-9][0-9]{4,14}$")]
    pub phone: Option<String>,
}

hide_contents!(PairingCodeRequest);

impl PairingCodeRequest {
    /// The number where it is one: digits only, without `+`; else its fault is added.
    pub fn check(&self, faults: &mut Faults) -> Option<PhoneNumber> {
        let phone = self.phone.as_deref().unwrap_or_default();
        if phone.starts_with('+') {
            faults.add("phone", "must hold digits only, without +");
            return None;
        }
        let number = phone.parse::<PhoneNumber>();
        if let Err(error) = &number {
            faults.add("phone", error.to_string());
        }
        number.ok()
    }
}

/// The pairing code to enter on the phone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PairingCodeOutputBody)]
pub struct PairingCode {
    /// Eight characters in two groups, such as `ABCD-1234`.
    pub code: String,
}

hide_contents!(PairingCode);
