//! Communities: groups that other groups belong to.

use serde::{Deserialize, Serialize};
use wagate_model::{Community, CommunityGroup, CommunityGroupsOutput, CreateCommunityInput, Jid};

/// About communities.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum CommunityRequest {
    /// Give those that the account is in.
    List,
    /// Make one.
    Create(CreateCommunityInput),
    /// Give the groups of one.
    Groups {
        /// The community.
        community: Jid,
    },
    /// Link groups to one, or unlink them.
    Link {
        /// The community.
        community: Jid,
        /// The groups.
        groups: Vec<Jid>,
        /// Whether they are to belong to it.
        is_linked: bool,
    },
}

impl CommunityRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::List => "list_communities",
            Self::Create(_) => "create_community",
            Self::Groups { .. } => "list_community_groups",
            Self::Link { .. } => "link_community_groups",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::List | Self::Groups { .. } | Self::Link { .. } => true,
            // The second time would make another one.
            Self::Create(_) => false,
        }
    }
}

/// What came of a [`CommunityRequest`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum CommunityReply {
    /// Those that the account is in.
    Found(Vec<Community>),
    /// The one that was made.
    Created(Community),
    /// The groups of one.
    Groups(Vec<CommunityGroup>),
    /// What became of the groups.
    Linked(CommunityGroupsOutput),
}
