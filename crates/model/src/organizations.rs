//! Organizations: the tenants.

use serde::Serialize;
use utoipa::ToSchema;

use crate::OrganizationId;

/// A tenant: owns sessions, webhooks, keys, events and messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// The id.
    pub id: OrganizationId,
    /// What people call it.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at: i64,
}
