//! Jobs that pull again what WhatsApp gives on request.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{BackfillId, OrganizationId, SessionId};

/// How far such a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackfillStatus {
    /// It is at work.
    Running,
    /// Everything was pulled.
    Succeeded,
    /// It ended before that.
    Failed,
}

/// A job that pulls a session's contacts and groups again; its counts grow while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackfillJob {
    /// People that were asked about.
    pub contacts: i64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<i64>,
    /// Members of groups.
    pub group_members: i64,
    /// Groups.
    pub groups: i64,
    /// Its id.
    pub id: BackfillId,
    /// The session's organization.
    pub organization_id: OrganizationId,
    /// The session.
    pub session_id: SessionId,
    /// When it began, in milliseconds since 1970.
    pub started_at: i64,
    /// How far it is.
    pub status: BackfillStatus,
}
