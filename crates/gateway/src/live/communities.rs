//! Communities: groups that other groups belong to.

use wagate_cluster::{CommunityReply, CommunityRequest, LiveReply};
use wagate_engine::{GroupSnapshot, RequestError};
use wagate_model::{
    Community, CommunityGroup, CommunityGroupsOutput, CreateCommunityInput, Jid, RefusedGroup,
};

use super::groups::group_info;
use super::{Live, LiveResult};
use crate::groups;

impl Live<'_> {
    pub(super) async fn communities(&self, request: CommunityRequest) -> LiveResult {
        let reply = match request {
            CommunityRequest::List => {
                let found = self.connection.communities().await;
                found.map(|found| {
                    let mut found: Vec<_> = found.iter().map(community).collect();
                    found.sort_by(|one, other| one.group_jid.cmp(&other.group_jid));
                    CommunityReply::Found(found)
                })
            }
            CommunityRequest::Create(input) => self.create_community(input).await,
            CommunityRequest::Groups { community } => {
                let found = self.connection.community_groups(&community).await;
                found.map(|found| {
                    let shown = found.into_iter().map(|group| CommunityGroup {
                        group_jid: group.group.to_string(),
                        is_announcements: group.is_announcements,
                        participant_count: group.size.map(i64::from),
                        subject: group.subject,
                    });
                    CommunityReply::Groups(shown.collect())
                })
            }
            CommunityRequest::Link {
                community,
                groups,
                is_linked,
            } => self.link_groups(&community, &groups, is_linked).await,
        };
        match reply {
            Ok(reply) => Ok(LiveReply::Communities(reply)),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    async fn create_community(
        &self,
        input: CreateCommunityInput,
    ) -> Result<CommunityReply, RequestError> {
        let made = self
            .connection
            .create_community(
                input.name.as_deref().unwrap_or_default(),
                input.description.as_deref().filter(|text| !text.is_empty()),
                input.approval_required.unwrap_or(false),
            )
            .await?;
        // WhatsApp makes a group for announcements along with it, and tells of neither.
        self.session.groups.note_stale(None);
        groups::tend(self.cx, self.session);
        Ok(CommunityReply::Created(community(&made)))
    }

    async fn link_groups(
        &self,
        community: &Jid,
        linked: &[Jid],
        is_linked: bool,
    ) -> Result<CommunityReply, RequestError> {
        let outcome = self
            .connection
            .link_groups(community, linked, is_linked)
            .await?;
        let refused = outcome
            .refused
            .into_iter()
            .map(|(group, code)| RefusedGroup {
                group_jid: group.to_string(),
                whatsapp_code: i64::from(code),
            });
        Ok(CommunityReply::Linked(CommunityGroupsOutput {
            done: outcome.done.iter().map(Jid::to_string).collect(),
            refused: refused.collect(),
        }))
    }
}

fn community(snapshot: &GroupSnapshot) -> Community {
    let info = group_info(snapshot);
    Community {
        created_at_wa: snapshot.created_at_ms,
        description: info.description,
        group_jid: info.group_jid,
        owner_jid: info.owner_jid,
        participant_count: info.participants,
        subject: snapshot.subject.clone(),
    }
}
