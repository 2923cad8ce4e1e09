//! Communities: groups that other groups belong to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Faults, Jid, JidKind, limits};

/// A community that the account is in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Community {
    /// When it was made on WhatsApp, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at_wa: Option<i64>,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The community's JID, which is one of groups.
    pub group_jid: String,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_jid: Option<String>,
    /// How many members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_count: Option<i64>,
    /// The subject.
    pub subject: String,
}

/// Communities, in one page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListCommunity {
    /// The communities, by their JIDs.
    pub data: Vec<Community>,
}

/// The body of `createCommunity`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateCommunityInput {
    /// Whether an admin has to approve who joins.
    #[serde(default)]
    pub approval_required: Option<bool>,
    /// The description.
    #[serde(default)]
    pub description: Option<String>,
    /// The subject: required, at most 100 characters.
    #[serde(default)]
    pub name: Option<String>,
}

impl CreateCommunityInput {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        if let Some(name) = faults.required("name", self.name.as_deref()) {
            faults.check_name("name", name, limits::GROUP_SUBJECT_CHARS);
        }
        if let Some(description) = &self.description {
            faults.check_text("description", description, limits::GROUP_DESCRIPTION_CHARS);
        }
    }
}

/// A group that belongs to a community.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommunityGroup {
    /// The group's JID.
    pub group_jid: String,
    /// Whether it is the community's own group for announcements.
    pub is_announcements: bool,
    /// How many members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_count: Option<i64>,
    /// The subject.
    pub subject: String,
}

/// Groups of a community, in one page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListCommunityGroup {
    /// The groups.
    pub data: Vec<CommunityGroup>,
}

/// The body of `linkCommunityGroups` and `unlinkCommunityGroups`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommunityGroupsInput {
    /// The JIDs of the groups; at least one.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
}

impl CommunityGroupsInput {
    /// The groups, each once, with the faults of every entry.
    pub fn check(&self, faults: &mut Faults) -> Vec<Jid> {
        let named = self.groups.as_deref().unwrap_or_default();
        faults.check(!named.is_empty(), "groups", || {
            "must name at least one group".into()
        });
        faults.check(named.len() <= limits::COMMUNITY_GROUPS, "groups", || {
            format!("must have at most {} entries", limits::COMMUNITY_GROUPS)
        });
        let mut seen = BTreeSet::new();
        let mut groups = Vec::new();
        for (index, text) in named.iter().enumerate().take(limits::COMMUNITY_GROUPS) {
            let jid = text.parse::<Jid>().ok();
            match jid.filter(|jid| jid.kind() == JidKind::Group) {
                Some(jid) if seen.insert(jid.clone()) => groups.push(jid),
                Some(_) => {}
                None => faults.add(
                    format!("groups[{index}]"),
                    "must be the JID of a group, such as 120363025246125486@g.us",
                ),
            }
        }
        groups
    }
}

/// What became of the groups that were to be linked or unlinked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommunityGroupsOutput {
    /// The groups with which it was done.
    pub done: Vec<String>,
    /// Those that WhatsApp refused.
    pub refused: Vec<RefusedGroup>,
}

/// A group that WhatsApp refused to link or unlink.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedGroup {
    /// The group's JID.
    pub group_jid: String,
    /// WhatsApp's code for the reason.
    pub whatsapp_code: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_once_and_are_groups() {
        let mut faults = Faults::new();
        let input = CommunityGroupsInput {
            groups: Some(
                ["1@g.us", "15551234567", "1@g.us"]
                    .map(str::to_owned)
                    .into(),
            ),
        };
        assert_eq!(input.check(&mut faults).len(), 1);
        CommunityGroupsInput::default().check(&mut faults);
        CreateCommunityInput::default().check(&mut faults);
        let fields: Vec<_> = faults.into_vec().into_iter().map(|f| f.field).collect();
        assert_eq!(fields, ["groups[1]", "groups", "name"]);
    }
}
